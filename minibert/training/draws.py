"""Random numbers that belong to a row, not to the batch it is drawn with.

A process that makes every eighth part of a batch should not have to draw for the other seven, and
a run that is resumed on another number of processes has to go on with the same numbers. So each
row of a step has a seed of its own, and its draws are a function of that and of their number.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minibert.training.batching import derived_seed

_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """64 random bits out of each state of SplitMix64 (Steele et al. 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


class RowDraws:
    """The draws of some rows of a step.

    Args:
        numbers: what the draws of the step depend on, such as the seed and the step.
        rows: (B,) the rows' numbers in the whole batch of the step.
    """

    def __init__(self, numbers: tuple[int, ...], rows: NDArray[np.int64]) -> None:
        base = np.uint64(derived_seed(*numbers))
        # Mixed: neighbouring rows must not read neighbouring parts of one sequence.
        self._state = _mixed(base + (rows.astype(np.uint64) + np.uint64(1)) * _STEP)

    def of_rows(self, rows: NDArray[np.int64]) -> RowDraws:
        """Other draws, of these rows alone: ours do not depend on how many are taken of them."""
        branch = copy.copy(self)
        branch._state = _mixed(self._next(np.arange(len(self._state))))[rows]
        return branch

    def uniform(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float32]:
        """A number in [0, 1) for each token (n,), at a column of one of our rows; new each time."""
        key = _mixed(self._next(np.arange(len(self._state))))
        bits = _mixed(key[row] + column.astype(np.uint64) * _STEP)
        return (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)

    def integers(self, rows: NDArray[np.int64], low: Any, high: Any) -> NDArray[np.int64]:
        """One whole number of [low, high) for each of these rows (n,), indices into ours."""
        share = (self._next(rows) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        low = np.asarray(low, np.int64)
        drawn: NDArray[np.int64] = low + (share * (np.asarray(high) - low)).astype(np.int64)
        return drawn

    def _next(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """64 random bits for each of these rows."""
        self._state[rows] += _STEP
        return _mixed(self._state[rows])
