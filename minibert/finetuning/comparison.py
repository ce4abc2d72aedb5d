"""Is one model better than another, or luckier? Paired tests on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SAMPLES = 2000
_AT_ONCE = 2_000_000  # draws that are held at a time


@dataclass
class Outcomes:
    """What came out row by row, so that two models can be compared on the same rows.

    metric: its name. gained, possible: (N,) each; the metric is the sum of one over the sum of the
    other, so that F1 over all entities is one as well as accuracy. right: (N,) bool, whether a row
    is right as a whole; `None` where there is no such thing. predicted, expected: in words.
    """

    metric: str
    gained: NDArray[np.float64]
    possible: NDArray[np.float64]
    right: NDArray[np.bool_] | None
    predicted: list[str]
    expected: list[str]


class McNemar(NamedTuple):
    """Rows that only the first model, or only the second, has right; the test's p-value."""

    only_first: int
    only_second: int
    p: float


class Difference(NamedTuple):
    """A metric of both models; second minus first with its 95 % interval; the test's p-value."""

    metric: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """McNemar's exact test of two models on the same rows (McNemar 1947; Dietterich 1998).

    Were both equally good, each row that only one of them has right would be a coin's toss. p is
    how probable it is that n tosses are at least as uneven: two-sided, binomial, without any
    approximation.

    Args:
        first, second: (N,) whether a row is right.
    """
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    n, fewer = only_first + only_second, min(only_first, only_second)
    # In logarithms: 0.5**n and n over k leave the range of floats.
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
        for k in range(fewer + 1)
    ]
    return McNemar(only_first, only_second, min(1.0, 2 * math.fsum(map(math.exp, logs))))


def paired_bootstrap(
    first: Outcomes, second: Outcomes, samples: int = _SAMPLES, seed: int = 0
) -> Difference:
    """How far the difference between two models would move with other rows (Efron 1979).

    Rows are drawn with replacement, the same ones for both models, as often as there are rows. The
    interval is that of the percentiles; p is twice the fraction of samples on the far side of no
    difference (Koehn 2004), at least 1 / samples.

    Raises:
        ValueError: if the models were not measured by the same metric on as many rows.
    """
    _check_same(first, second)
    generator = np.random.default_rng(seed)
    rows = len(first.gained)
    columns = np.stack([first.gained, first.possible, second.gained, second.possible], axis=1)
    drawn = []
    for size in _chunks(samples, max(1, _AT_ONCE // rows)):
        sums = columns[generator.integers(0, rows, (size, rows))].sum(1)  # (size, 4)
        drawn.append(_ratio(sums[:, 2], sums[:, 3]) - _ratio(sums[:, 0], sums[:, 1]))
    differences = np.concatenate(drawn)
    own, other = (float(_ratio(o.gained.sum(), o.possible.sum())) for o in (first, second))
    low, high = map(float, np.percentile(differences, [2.5, 97.5]))
    tail = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p = min(1.0, 2 * max(tail, 0.5) / samples)
    return Difference(first.metric, own, other, other - own, low, high, p)


def differing_rows(first: Outcomes, second: Outcomes) -> list[int]:
    """Where the two models do not predict the same, in the order of the rows."""
    _check_same(first, second)
    pairs = zip(first.predicted, second.predicted, strict=True)
    return [i for i, (one, other) in enumerate(pairs) if one != other]


def _check_same(first: Outcomes, second: Outcomes) -> None:
    if first.metric != second.metric or first.expected != second.expected:
        raise ValueError("two models are compared on the same rows by the same metric")


def _chunks(total: int, most: int) -> list[int]:
    whole, rest = divmod(total, most)
    return [most] * whole + ([rest] if rest else [])


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
