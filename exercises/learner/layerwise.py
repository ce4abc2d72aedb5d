"""Where a learner's BERT leaves the reference first: which layer, and which part of it.

A `run` cell notes every tensor that the learner's code computes, by what no transposing or cutting
into heads changes: how many numbers, and a sample of them in order of size. Here the reference is
computed part by part. The first part that is not among the notes, nor any that is made of it, is
where the two ways part. Each part has the forms that known mistakes give it: if one of these was
noted, that is the mistake.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLE = 128  # numbers kept of a tensor
EPS = 1e-12
Weights = Mapping[str, Tensor]


@cache
def published(name: str) -> Any:
    """The model that a learner's is compared with; loaded once."""
    from minibert import BertModel

    return BertModel.from_pretrained(name)


@dataclass
class Part:
    """A step of the reference.

    name: what is computed, as a learner would say it; twists: by the name of a misconception, what
    it would be with that mistake; is_apart: it is not made of the parts before it, and so, where it
    is right, says nothing of them.
    """

    name: str
    value: Tensor
    twists: dict[str, Tensor] = field(default_factory=dict)
    is_apart: bool = False


@dataclass(frozen=True)
class Leaving:
    """Where the ways part.

    layer: -1 in the embeddings; before: the last part that is right; mistake: a misconception, or
    "" where it is none that is known.
    """

    layer: int
    part: str
    before: str
    mistake: str


def note(tensor: Tensor) -> Tensor:
    """A tensor's numbers in order of size, a sample of them: (SAMPLE,) float32.

    Where two tensors are near each other in every number, so are their notes.
    """
    ordered = tensor.detach().flatten().float().sort().values
    return ordered[torch.linspace(0, len(ordered) - 1, SAMPLE).round().long()]


def is_noted(tensor: Tensor, notes: Tensor, counts: Tensor, tolerance: float) -> bool:
    """Whether a tensor is among the notes, in whatever shape.

    Args:
        tensor: which.
        notes: (n, SAMPLE), of `note`, without what is not finite.
        counts: (n,), how many numbers each of the noted tensors had.
        tolerance: how far off a number may be.
    """
    near = (notes - _finite(note(tensor))).abs().amax(1) <= tolerance
    return bool((near & (counts == tensor.numel())).any())


def _finite(notes: Tensor) -> Tensor:
    """NaN is like NaN here, and nothing else is like it."""
    return notes.nan_to_num(nan=9e9, posinf=8e9, neginf=-8e9)


def linear(weights: Weights, name: str, x: Tensor) -> Tensor:
    """A linear map by its name in the file."""
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def norm(weights: Weights, name: str, x: Tensor, eps: float = EPS) -> Tensor:
    """A LayerNorm by its name in the file."""
    gain, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return F.layer_norm(x, x.shape[-1:], gain, bias, eps)


def embedding_parts(weights: Weights, ids: Tensor, segments: Tensor) -> Iterator[Part]:
    """The parts of the embeddings: (B, T) to (B, T, d)."""
    token, position, segment = (
        weights[f"embeddings.{kind}_embeddings.weight"]
        for kind in ("word", "position", "token_type")
    )
    length = ids.shape[1]
    x = token[ids] + segment[segments] + position[:length]
    yield Part(
        "the sum of the three embeddings",
        x,
        {  # the last two may be half-way to the others
            "segment 0 everywhere": token[ids] + segment[0] + position[:length],
            "positions counted from one": token[ids] + segment[segments] + position[1 : length + 1],
            "no token-type embedding": token[ids] + position[:length],
            "no positions": token[ids] + segment[segments],
        },
    )
    name = "embeddings.LayerNorm"
    yield Part(
        "the LayerNorm after the sum",
        norm(weights, name, x),
        {"PyTorch's own eps": norm(weights, name, x, 1e-5)},
    )


def layer_parts(
    weights: Weights, number: int, x: Tensor, mask: Tensor, heads: int
) -> Iterator[Part]:
    """The parts of one layer, (B, T, d) to (B, T, d), in their order.

    mask: (B, 1, 1, T), True where attending is allowed.
    """
    layer = f"encoder.layer.{number}"

    def split(rows: Tensor) -> Tensor:
        pieces: Tensor = rows.unflatten(-1, (heads, -1))
        return pieces.transpose(1, 2)

    def cut(rows: Tensor) -> Tensor:
        return rows.reshape(len(rows), heads, rows.shape[1], -1)

    kinds = {"query": "the queries", "key": "the keys", "value": "the values"}
    maps = [_projection(weights, number, kind, called, x) for kind, called in kinds.items()]
    yield from maps[:2]
    query, key, value = (split(one.value) for one in maps)
    width = query.shape[-1]
    raw = query @ key.mT
    scores = raw / math.sqrt(width)
    across = "the heads are cut across the tokens"
    wrong_scores = {
        "scaled by the width of the model": raw / math.sqrt(x.shape[-1]),
        "scaled by the width, not its root": raw / width,
        across: cut(maps[0].value) @ cut(maps[1].value).mT / math.sqrt(width),
    }
    yield Part("the scores, scaled", scores, wrong_scores)

    def weighed(scores: Tensor, axis: int = -1) -> Tensor:
        return scores.masked_fill(~mask, -torch.inf).softmax(axis)

    every = scores.softmax(-1)
    twists = {name: weighed(wrong) for name, wrong in wrong_scores.items()} | {
        "no scaling": weighed(raw),
        "the mask is multiplied": (scores * mask).softmax(-1),
        "the mask after the softmax": every * mask,
        "the mask is turned round": scores.masked_fill(mask, -torch.inf).softmax(-1),
        "softmax over the queries": weighed(scores, -2),
        "padding is attended to": every,
    }
    yield Part("the attention weights (mask and softmax)", weighed(scores), twists)
    yield maps[2]  # behind the weights, which do not need them
    mixed = weighed(scores) @ value
    side = mixed.transpose(1, 2).flatten(2)
    # A fused call shows neither scores nor weights.
    mixes = {name: wrong @ value for name, wrong in twists.items()}
    mixes[across] = twists[across] @ cut(maps[2].value)
    yield Part("what the heads give out", mixed, mixes)
    name = f"{layer}.attention.output.dense"
    change = linear(weights, name, side)
    yield Part(
        "the map after the heads (attention.output.dense)",
        change,
        {
            "the heads are not laid side by side again": linear(
                weights, name, mixed.reshape(x.shape)
            )
        },
    )
    total = x + change
    yield Part(
        "the sum with what came in, after attention",
        total,
        {"no map after the heads": x + side},
    )
    name = f"{layer}.attention.output.LayerNorm"
    y = norm(weights, name, total)
    yield Part(
        "the LayerNorm after attention",
        y,
        {
            "PyTorch's own eps": norm(weights, name, total, 1e-5),
            "nothing is added in the attention half": norm(weights, name, change),
            "one LayerNorm for both halves": norm(weights, f"{layer}.output.LayerNorm", total),
        },
    )
    wide = linear(weights, f"{layer}.intermediate.dense", y)
    yield Part(
        "the map to four times the width (intermediate.dense)",
        wide,
        {"biases left out": F.linear(y, weights[f"{layer}.intermediate.dense.weight"])},
    )
    bent = F.gelu(wide)
    name = f"{layer}.output.dense"
    yield Part(
        "the activation (GELU)",
        bent,
        {
            "the tanh form of GELU": F.gelu(wide, approximate="tanh"),
            "ReLU instead of GELU": F.relu(wide),
        },
    )
    change = linear(weights, name, bent)
    yield Part(
        "the map back to the width (output.dense)",
        change,
        {"no activation": linear(weights, name, wide)},
    )
    total = y + change
    yield Part("the sum with what came into the second half", total)
    name = f"{layer}.output.LayerNorm"
    yield Part(
        "the LayerNorm at the end of the layer",
        norm(weights, name, total),
        {
            "PyTorch's own eps": norm(weights, name, total, 1e-5),
            "nothing is added in the second half": norm(weights, name, change),
            "the layer's input is added in the second half": norm(weights, name, x + change),
        },
    )


def _projection(weights: Weights, number: int, kind: str, called: str, x: Tensor) -> Part:
    """Queries, keys or values, (B, T, d)."""
    layer = f"encoder.layer.{number}"
    name = f"{layer}.attention.self.{kind}"
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    twists = {
        "pre-LN": linear(weights, name, norm(weights, f"{layer}.attention.output.LayerNorm", x)),
        "biases left out": F.linear(x, weight),
        "matrices the wrong way round": F.linear(x, weight.T, bias),
    }
    if number:
        first = linear(weights, f"encoder.layer.0.attention.self.{kind}", x)
        twists["every layer has the weights of the first"] = first
    return Part(called, F.linear(x, weight, bias), twists, is_apart=True)


def hidden_states(
    weights: Weights, layers: int, heads: int, ids: Tensor, segments: Tensor, mask: Tensor
) -> list[list[Part]]:
    """All parts of a BERT: those of the embeddings, then those of each layer.

    The last part of each is the hidden state. mask: (B, T), 1 at real tokens.
    """
    found = [list(embedding_parts(weights, ids, segments))]
    allowed = mask[:, None, None, :].bool()
    for number in range(layers):
        found.append(list(layer_parts(weights, number, found[-1][-1].value, allowed, heads)))
    return found


def leaves_first(
    parts: Sequence[Sequence[Part]], wrong: int, notes: Tensor, counts: Tensor, tolerance: float
) -> Leaving:
    """The part at which what was noted leaves the reference.

    Args:
        parts: of `hidden_states`.
        wrong: the first hidden state that is wrong.
        notes, counts: (n, SAMPLE), of `note`, and (n,), how many numbers each tensor had.
        tolerance: how far off a number of a part may be.
    """
    here, notes = parts[wrong], _finite(notes)
    noted = [is_noted(part.value, notes, counts, tolerance) for part in here]
    noted[-1] = False  # the state itself is wrong, whatever looks like it
    right = _right(here, noted)
    off = [i for i, one in enumerate(right) if not one]
    # What has no tensor of its size is not computed by itself.
    shown = [i for i in off if bool((counts == here[i].value.numel()).any())]
    first = next(iter(shown), off[-1])
    before = next((here[i].name for i in range(first - 1, -1, -1) if noted[i]), "what came in")
    for part in (here[i] for i in off if i >= first):
        for mistake, value in part.twists.items():
            if is_noted(value, notes, counts, tolerance):
                return Leaving(wrong - 1, part.name, before, mistake)
    return Leaving(wrong - 1, here[first].name, before, "")


def _right(parts: Sequence[Part], noted: Sequence[bool]) -> list[bool]:
    """Whether each part is right: it was noted, or one that is made of it was."""
    found, is_shown = [], False
    for part, one in reversed(list(zip(parts, noted, strict=True))):
        found.append(one or is_shown)
        is_shown = is_shown or (one and not part.is_apart)
    return found[::-1]
