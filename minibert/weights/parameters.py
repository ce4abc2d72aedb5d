"""Where the parameters of a model sit, told by the names of its tensors."""

from __future__ import annotations

import re
from typing import NamedTuple

from torch import nn


class Part(NamedTuple):
    """A part of the model, its parameters, and their fraction of all."""

    name: str
    size: int
    fraction: float


# First match wins. Names are the package's own, with or without a head around the encoder.
_PARTS = (
    (r"embeddings\.token\.", "token embeddings"),
    (r"embeddings\.position", "position embeddings"),
    (r"embeddings\.segment\.", "segment embeddings"),
    (r"\.attention\.query_key_value\.", "attention: query, key, value"),
    (r"\.attention\.output\.", "attention: output"),
    (r"\.feed_forward\.", "feed-forward"),
    (r"^(bert\.)?(embeddings|encoder)\..*norm\.", "LayerNorm"),
    (r"^(bert\.)?pooler\.", "pooler"),
)


class ParameterTable(list[Part]):
    """Rows from the input to the output; printed, it is a table with a total."""

    @property
    def total(self) -> int:
        """All parameters, shared ones counted once."""
        return sum(part.size for part in self)

    def __str__(self) -> str:
        width = max(len(part.name) for part in self)
        lines = [f"{p.name:{width}}  {p.size:>13,}  {p.fraction:6.1%}" for p in self]
        return "\n".join([*lines, f"{'total':{width}}  {self.total:>13,}  {1:6.1%}"])


def parameter_table(model: nn.Module) -> ParameterTable:
    """Where the parameters sit (claims A1, A2); works on the `meta` device, without memory.

    What is not part of the encoder is counted under its own first name as a head. Adapters
    appear under the map they stand beside.
    """
    counts: dict[str, int] = {}
    for part, parameter in by_part(model):
        counts[part] = counts.get(part, 0) + parameter.numel()
    total = sum(counts.values())
    return ParameterTable(Part(name, count, count / total) for name, count in counts.items())


def by_part(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Every parameter with the part it belongs to, from the input to the output."""
    order = {label: i for i, (_, label) in enumerate(_PARTS)}
    named = []
    for name, parameter in model.named_parameters():  # a tied matrix appears once
        part = next((label for pattern, label in _PARTS if re.search(pattern, name)), None)
        named.append((part or f"head: {name.split('.')[0]}", parameter))
    return sorted(named, key=lambda row: order.get(row[0], len(order)))
