"""Rows to look at again: what a model gets wrong for sure, and labels that are likely wrong.

Both want rows that the model was not trained on: of its own training data a model has learned the
errors, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def confident_mistakes(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The rows whose predicted class is not their label, the surest first.

    Args:
        probabilities: (N, C), rows that sum to 1.
        labels: (N,) classes.
    """
    sure, predicted = probabilities.max(1), probabilities.argmax(1)
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-sure[wrong], kind="stable")]


def likely_label_errors(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The rows whose label is likely wrong, the likeliest first (confident learning).

    A class may be the true one of a row if its probability there reaches the mean of what it has
    on the rows that bear it as their label: so the bar is high for classes of which the model is
    sure, and low for others. Where the most probable of these classes is not the label, and the
    label is not what the model predicts, the row is suspected. The further its label is below the
    best other class, the earlier it comes (Northcutt, Jiang and Chuang 2021, section 3; the order
    is that of their normalized margin).

    Args:
        probabilities: (N, C), rows that sum to 1, of a model that was not trained on these rows.
        labels: (N,) classes, some of them wrong.
    """
    rows, classes = np.arange(len(labels)), probabilities.shape[1]
    bars = np.full(classes, np.inf)  # a class that no row bears has none to be measured by
    for number in np.unique(labels):
        bars[number] = probabilities[labels == number, number].mean()
    # Means are rounded: a class whose probabilities are all equal reaches its own.
    reached = probabilities >= bars - 1e-9
    likeliest = np.where(reached, probabilities, -1.0).argmax(1)
    is_suspect = reached.any(1) & (likeliest != labels) & (probabilities.argmax(1) != labels)
    others = probabilities.copy()
    others[rows, labels] = -np.inf
    margin = probabilities[rows, labels] - others.max(1)
    found = np.flatnonzero(is_suspect)
    return found[np.argsort(margin[found], kind="stable")]
