"""Pairs for next sentence prediction, drawn afresh from documents for every batch.

A split point is a sentence boundary inside a document. What stands before it is segment A; what
follows is the true continuation. For a negative, B comes from a split point of another document.

Whatever else differs between the two kinds will be learned instead of the meaning. So a random B
is as long as the true one would have been, and where that would have run to the end of its
document, the random one runs to the end of its own: else a B that stops in the middle of a
sentence gives itself away (on the BoolQ passages, 128 tokens, that alone tells 77 % right).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minibert.training.draws import RowDraws

Ints = NDArray[np.int64]
Places = NDArray[np.signedinteger[Any]]  # int32 where that is wide enough
_NEAREST = 64  # split points of nearly the right length to draw from, at least


@dataclass(frozen=True)
class SplitPoints:
    """Every place where a document can be cut in two, as positions in one long array of tokens.

    position (n,): the first token of B; before (n,) and after (n,): tokens of the same document on
    either side of it; document (n,): which document.
    """

    position: Places
    before: Places
    after: Places
    document: Places

    def __len__(self) -> int:
        return len(self.position)

    @cached_property
    def by_length(self) -> Places:
        """(n,) indices of the points, the shortest continuation first."""
        return np.argsort(self.after, kind="stable").astype(self.after.dtype)

    @cached_property
    def sorted_after(self) -> Places:
        """`after` in that order."""
        return self.after[self.by_length]


def split_points(sentence_starts: Ints, document_starts: Ints, length: int) -> SplitPoints:
    """All sentence boundaries inside documents.

    Args:
        sentence_starts: (s,) first token of each sentence, ascending.
        document_starts: (d,) first token of each document, ascending; a subset of the above.
        length: tokens in all.

    Returns:
        as many points as there are sentences that do not open a document.
    """
    position = np.setdiff1d(sentence_starts, document_starts, assume_unique=True)
    document = np.searchsorted(document_starts, position, side="right") - 1
    ends = np.append(document_starts[1:], length)
    # Half as wide where that holds every position: a large corpus has millions of these.
    kind: type[np.signedinteger[Any]] = np.int32 if length < 2**31 else np.int64
    return SplitPoints(
        position=position.astype(kind),
        before=(position - document_starts[document]).astype(kind),
        after=(ends[document] - position).astype(kind),
        document=document.astype(kind),
    )


def divide_budget(before: Places, after: Places, budget: int) -> tuple[Places, Places]:
    """Divide a budget of tokens between what stands before and after a split.

    Each part gets half, and what the other does not need.

    Returns:
        tokens taken before and after, together at most `budget`.
    """
    half = budget // 2
    taken_after = np.minimum(after, np.maximum(budget - half, budget - before))
    taken_before = np.minimum(before, budget - taken_after)
    return taken_before, taken_after


def draw_pairs(
    points: SplitPoints, chosen: Ints, budget: int, rng: np.random.Generator | RowDraws
) -> tuple[Places, Places, Places, Places, Ints]:
    """Segments A and B for the chosen split points: half true, half random (claims A7, B19).

    Args:
        chosen: (B,) indices into `points`.
        budget: tokens of A and B together.
        rng: makes the draw repeatable; with `RowDraws` each row's depends on that row alone.

    Returns:
        start and length of A, start and length of B, each (B,), and the label: 0 where B follows
        A, 1 where it comes from another document (the reference's convention).

    Raises:
        ValueError: if there are not two documents to draw from.
    """
    if len(points) == 0 or points.document[0] == points.document[-1]:
        raise ValueError("next sentence pairs need two documents of at least two sentences each")
    _, length_b = divide_budget(points.before[chosen], points.after[chosen], budget)
    start_b = points.position[chosen]
    label = _integers(rng, np.arange(len(chosen)), 0, 2)

    wanted = np.flatnonzero(label)
    true_length = length_b.copy()
    low, high = _donors(points, true_length, true_length == points.after[chosen])
    for attempt in range(20):
        if not len(wanted):
            break
        # Those that fit may all be of one document: then another one has to do.
        if attempt == 10:
            low, high = np.zeros_like(low), np.full_like(high, len(points))
        donor = points.by_length[_integers(rng, wanted, low[wanted], high[wanted])]
        start_b[wanted] = points.position[donor]
        length_b[wanted] = np.minimum(true_length[wanted], points.after[donor])
        wanted = wanted[points.document[donor] == points.document[chosen[wanted]]]
    # One document may hold nearly all split points. What is left takes the next other document.
    for row in wanted:
        others = np.flatnonzero(points.document != points.document[chosen[row]])
        donor = others[_integers(rng, np.array([row]), 0, len(others))[0]]
        start_b[row] = points.position[donor]
        length_b[row] = min(true_length[row], points.after[donor])
    # What a shorter B leaves goes to A, as it would for a true pair.
    length_a = np.minimum(points.before[chosen], budget - length_b)
    return points.position[chosen] - length_a, length_a, start_b, length_b, label


def _integers(rng: np.random.Generator | RowDraws, rows: Ints, low: Any, high: Any) -> Ints:
    """A whole number of [low, high) for each of these rows of the batch."""
    if isinstance(rng, RowDraws):
        return rng.integers(rows, low, high)
    return rng.integers(low, high, len(rows))


def _donors(points: SplitPoints, length: Places, is_whole: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Which split points a random B may come from: a range of `points.by_length` for each row.

    Where the true B reaches the end of its document, those whose own continuation is as long or
    slightly shorter, and so reaches the end of its own. Where it is cut, those that are cut, too.
    """
    longer = np.searchsorted(points.sorted_after, length, side="right")
    as_long = np.searchsorted(points.sorted_after, length, side="left")
    low = np.where(is_whole, np.minimum(as_long, np.maximum(longer - _NEAREST, 0)), longer)
    return low, np.where(is_whole, longer, len(points))
