"""Batches without padding: rows to a budget of tokens, laid end to end.

`model.attention.PackedRows` says what the model makes of them. Every batch of a run has the same
shape, so that `torch.compile` compiles once: what is left of the budget is filled with rows of
padding that nobody reads, missing rows are empty, and the places to predict are filled up with
places that have no label.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from minibert.model.loss import IGNORE_INDEX
from minibert.training.batching import POSITIONS

Ints = NDArray[np.int64]
_TOKENS = ("input_ids", "token_type_ids", "position_ids")  # what has a value a token
_MULTIPLE = 64  # of tokens: what a GPU's matrix products like


class PackedShape(NamedTuple):
    """What a packed batch is filled up to.

    tokens: N; rows: R; longest: `max_seqlen`; predictions: length of `masked_positions`.
    """

    tokens: int
    rows: int
    longest: int
    predictions: int

    @classmethod
    def of(cls, counts: Ints, budget: int, parts: int, predicted_share: float) -> PackedShape:
        """The shape of each of `parts` parts of a batch of `budget` tokens.

        Args:
            counts: tokens of every example, at most.
            budget: tokens of a batch.
            parts: into how many it is cut, between rows: so a part may get a row more than its
                share of the tokens.
            predicted_share: of the tokens; more than that by eight deviations never happens.

        Raises:
            ValueError: if a text is longer than the budget.
        """
        longest = int(counts.max())
        if longest > budget // parts:
            shared = f", shared by {parts} parts" if parts > 1 else ""
            raise ValueError(
                f"a text of {longest} tokens, but batch_tokens={budget}{shared}: "
                f"give at least batch_tokens={longest * parts}, or shorter texts"
            )
        tokens = budget if parts == 1 else budget // parts + longest
        tokens += -tokens % _MULTIPLE
        rows = most_rows(counts, budget) + math.ceil(tokens / longest)
        spread = 8 * math.sqrt(tokens * predicted_share * (1 - predicted_share))
        predictions = min(tokens, math.ceil(tokens * predicted_share + spread))
        return cls(tokens, rows, longest, predictions + -predictions % 8)


def most_rows(counts: Ints, budget: int) -> int:
    """The most rows of a batch: a quarter more than would fill the budget on average."""
    return math.ceil(1.25 * budget / float(counts.mean())) + 1


def packed_batches(counts: Ints, budget: int, seed: int) -> Iterator[Ints]:
    """Batches of at most `budget` tokens without end, one shuffled epoch after the other.

    Rows of any length stand together, so nothing has to be sorted. A batch may begin in one epoch
    and end in the next.

    Yields:
        index arrays.
    """
    waiting, limit = np.zeros(0, np.int64), most_rows(counts, budget)
    for epoch in itertools.count():
        order = np.random.default_rng([seed, epoch]).permutation(len(counts))
        order = np.concatenate([waiting, order])
        ends = np.cumsum(counts[order])
        first, before = 0, 0
        while True:
            last = int(np.searchsorted(ends, before + budget, side="right"))
            last = min(last, first + limit)
            if last == len(order):
                break  # the next epoch may fill it
            yield order[first:last]
            first, before = last, int(ends[last - 1])
        waiting = order[first:]


def cut(counts: Ints, parts: int) -> list[slice]:
    """Where a batch is cut into parts of about as many tokens each.

    Args:
        counts: tokens of its rows.
    """
    ends = np.cumsum(counts)
    middle = ends - counts / 2
    bounds = np.searchsorted(middle, ends[-1] * np.arange(parts + 1) / parts)
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(bounds)]


def pack(batch: dict[str, Tensor], has_token_labels: bool) -> dict[str, Any]:
    """A padded batch as the model reads it packed.

    Args:
        batch: (B, T) tensors and tensors with a value a row; `attention_mask` where padded.
        has_token_labels: whether `labels` has one a token, and not one a row.

    Returns:
        input_ids and its like (1, N), `masked_positions` counted in these, values of rows as they
        were; `cu_seqlens` (B + 1,), `max_seqlen`.
    """
    ids = batch["input_ids"]
    mask = batch.get("attention_mask")
    is_real = mask.bool() if mask is not None else torch.ones_like(ids, dtype=torch.bool)
    counts = is_real.sum(1)
    packed: dict[str, Any] = {
        "cu_seqlens": torch.cat((torch.zeros(1), counts.cumsum(0))).int(),
        "max_seqlen": int(counts.max()),
    }
    for name, value in batch.items():
        if name in _TOKENS or (name == "labels" and has_token_labels):
            packed[name] = value[is_real][None]
        elif name == POSITIONS:
            packed[name] = is_real.flatten().cumsum(0)[value] - 1
        elif name != "attention_mask":
            packed[name] = value
    return packed


def filled_up(packed: dict[str, Any], shape: PackedShape) -> dict[str, Any]:
    """A packed batch in a certain shape, which changes neither its losses nor their counts.

    Behind the rows come rows of padding and empty ones, `next_sentence_label` is -100 for them, and
    the places to predict are filled up with places without a label.
    """
    starts, total = packed["cu_seqlens"], packed["input_ids"].shape[1]
    made = {**packed, "max_seqlen": shape.longest}
    for name in (*_TOKENS, "labels"):
        if name in packed:
            filler = IGNORE_INDEX if name == "labels" else 0
            made[name] = F.pad(packed[name], (0, shape.tokens - total), value=filler)
    spare = torch.arange(total, shape.tokens, shape.longest, dtype=torch.int32)[1:]
    made["cu_seqlens"] = torch.cat((starts, spare))
    empty = shape.rows + 1 - len(made["cu_seqlens"])
    made["cu_seqlens"] = F.pad(made["cu_seqlens"], (0, empty), value=shape.tokens)
    if (label := packed.get("next_sentence_label")) is not None:
        made["next_sentence_label"] = F.pad(label, (0, shape.rows - len(label)), value=IGNORE_INDEX)
    missing = shape.predictions - len(packed.get(POSITIONS, ()))
    if POSITIONS in packed and missing > 0:
        # Each of them once: a GPU is slow at summing many gradients into one place.
        unlabelled = (made["labels"][0] == IGNORE_INDEX).nonzero().squeeze(1)
        others = unlabelled[torch.arange(missing) % len(unlabelled)]
        made[POSITIONS] = torch.cat((packed[POSITIONS], others))
    return made
