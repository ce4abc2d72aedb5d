"""Several matrices on one sheet: what a sentence is on its way; called through `plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minibert.course.drawing.style import (
    COLORS,
    DIVERGING,
    FAINT,
    INK,
    SEQUENTIAL,
    CourseFigure,
    as_array,
    canvas,
    drawable,
    in_style,
)

_ROW = 0.135  # inches: room for a name of 7 points


@in_style
def matrices(
    parts: Mapping[str, Any],
    tokens: Sequence[str],
    title: str = "",
    *,
    xlabel: str = "dimension; each row is a token",
    alt: str | None = None,
) -> CourseFigure:
    """Matrices with a row for each token, one below the other, each with its shape (claim A13).

    Each has its own colours: blue above zero, orange below, the strongest at its 99th percentile.
    Where nothing is negative, white is zero. Query, key and value have their names in the colours
    that they have everywhere.

    Args:
        parts: name → (T, d) numbers or a tensor; d may differ.
        tokens: T names.
        title: one sentence.
        xlabel: what the columns are.
        alt: what is to be seen.

    Raises:
        ValueError: if a matrix has not one row for each token.
    """
    arrays = {name: as_array(part) for name, part in parts.items()}
    for name, m in arrays.items():
        if m.ndim != 2 or len(m) != len(tokens):
            raise ValueError(f"{name} is {m.shape}: give one row for each of {len(tokens)} tokens")
    height = len(arrays) * (_ROW * len(tokens) + 0.24) + 0.35
    figure, grid = canvas(title, "", height, len(arrays), 1, squeeze=False)
    told = []
    for axes, (name, m) in zip(grid[:, 0], arrays.items(), strict=True):
        bound = float(np.percentile(np.abs(m), 99)) or 1.0
        lowest = -bound if m.min() < 0 else 0.0
        style: Any = {"vmin": lowest, "vmax": bound, "cmap": DIVERGING if lowest else SEQUENTIAL}
        axes.imshow(m, aspect="auto", interpolation="nearest", **style)
        axes.set_yticks(range(len(tokens)), [drawable(token) for token in tokens], size=7)
        axes.set_xticks([])
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set(visible=True, color="#BBBBBB", linewidth=0.6)
        shape = f"{name}   {m.shape[0]} × {m.shape[1]}"
        first = name.split()[0]
        color = COLORS[first] if first in ("query", "key", "value") else INK
        axes.set_title(drawable(shape), size=9, loc="left", color=color, weight="bold", pad=3)
        told.append(f"{name}, {m.shape[0]} by {m.shape[1]}, {m.min():.2g} to {m.max():.2g}")
    figure.supxlabel(drawable(xlabel), size=8.5, color=FAINT)
    figure.alt = alt or f"Maps one below the other: {'; '.join(told)}."
    return figure
