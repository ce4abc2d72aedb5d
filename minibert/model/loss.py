"""The cross-entropy that every head on tokens shares."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

IGNORE_INDEX = -100  # the label of a position where nothing is predicted, as in torch


def token_loss(
    logits: Tensor, labels: Tensor | None, label_count: Tensor | float | None = None
) -> Tensor | None:
    """Cross-entropy averaged over the labelled positions; 0 where there is none.

    Args:
        logits: (..., V).
        labels: (...), -100 where nothing is predicted; without labels there is no loss.
        label_count: divide by this instead of by the labels that are here. The trainer gives
            each part of a batch its fraction of the whole batch's labels, so that accumulated and
            parallel steps add up to exactly the one large step.
    """
    if labels is None:
        return None
    logits, labels = logits.flatten(0, -2).float(), labels.flatten()
    total = F.cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, reduction="sum")
    if label_count is None:
        # The mean of nothing is NaN, and so would be every loss that it is added to.
        return total / (labels != IGNORE_INDEX).sum().clamp(min=1)
    return total / label_count
