"""The course's charts: matrices, attention, curves, bars, points, and how sure a model is.

Every function returns a figure with a title (one message, as a sentence) and alt text: give
`alt=` what is to be seen; without it the function describes the numbers. In a chapter a cell
ends with the call itself (or `plt.show()`), or calls `show(figure)` in between; a figure that is
only assigned is not shown:

    plots.heatmap(weights, words, words, title="what each word may look at")

Nothing else is needed: the figure hands title, alt text and width to Jupyter with the picture.
nbconvert and the book (`book/_ext/figures.py`) put the alt text on the image; nbval compares the
title and not the pixels. A figure from elsewhere takes its alt text from the cell's header,
`mystnb: {image: {alt: …}}`. Drawings of networks and tokens are in
`minibert.course.drawing.diagrams` and may be called from here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from minibert.course.drawing.charts import bars, lines, reliability, scatter, stacked_bars
from minibert.course.drawing.diagrams import (
    embedding_sum,
    highlight,
    network,
    shaded,
    shapes_walk,
    token_rows,
)
from minibert.course.drawing.panels import matrices
from minibert.course.drawing.style import (
    COLORS,
    DIVERGING,
    FAINT,
    SEQUENTIAL,
    CourseFigure,
    as_array,
    bare,
    canvas,
    columns_of,
    drawable,
    in_style,
    ink_on,
)

__all__ = [
    "COLORS",
    "attention_heads",
    "bars",
    "confusion",
    "embedding_sum",
    "heatmap",
    "highlight",
    "lines",
    "mask",
    "matrices",
    "network",
    "positions",
    "reliability",
    "scatter",
    "shaded",
    "shapes_walk",
    "show",
    "stacked_bars",
    "token_rows",
]


def show(figure: CourseFigure, alt: str | None = None) -> None:
    """Show a figure now, in the middle of a cell.

    Args:
        figure: what a function of this module returned.
        alt: replaces its alt text.
    """
    figure.alt = alt or figure.alt
    figure._ipython_display_()


# --------------------------------------------------------------------------------- matrices


@in_style
def heatmap(
    matrix: npt.ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "",
    *,
    xlabel: str = "",
    ylabel: str = "",
    limits: tuple[float, float] | None = None,
    values: str | None = None,
    alt: str | None = None,
) -> CourseFigure:
    """A matrix with a name on every row and column.

    Negative values make the scale two-sided around 0. In small matrices the numbers are printed.

    Args:
        matrix: (R, C) numbers or a tensor.
        rows: R names.
        columns: C names.
        title: one sentence.
        xlabel: what the columns are.
        ylabel: what the rows are.
        limits: the values at both ends of the colours; by default from the data.
        values: how to print a number, for example ".2f"; "" for none; by default where they fit.
        alt: what is to be seen.

    Raises:
        ValueError: if the names do not fit the matrix.
    """
    m = as_array(matrix)
    if m.shape != (len(rows), len(columns)):
        raise ValueError(f"matrix {m.shape} with {len(rows)} row and {len(columns)} column names")
    if values is None:
        values = (".2f" if m.dtype.kind == "f" else "d") if len(columns) <= 8 else ""
    margin = 0.45 + 0.07 * max(map(columns_of, rows))
    cell = min(0.5, (4.8 - margin - 0.6) / len(columns))
    top = _names_height(columns, cell) + (0.55 if xlabel else 0.3)
    figure, axes = canvas(title, alt or _extremes(m, rows, columns), cell * len(rows) + top)
    image = _draw_matrix(axes, m, limits)
    _name_ticks(axes, rows, columns, cell)
    axes.set_xlabel(drawable(xlabel))
    axes.set_ylabel(drawable(ylabel))
    axes.xaxis.set_label_position("top")
    if values:
        for r, c in np.ndindex(*m.shape):
            ink = ink_on(image.cmap(image.norm(m[r, c])))
            text = format(m[r, c].item(), values)
            axes.text(c, r, text, ha="center", va="center", color=ink, size=8.5)
    else:
        figure.colorbar(image, ax=axes, shrink=0.8, aspect=25, pad=0.02).outline.set_visible(False)
    return figure


def _layer_grid(heads: int) -> tuple[int, int]:
    """Rows and columns for the heads of one layer."""
    across = min(heads, 2 if heads <= 4 else 3)
    return -(-heads // across), across


@in_style
def attention_heads(
    weights: npt.ArrayLike,
    tokens: Sequence[str],
    title: str = "Every head looks elsewhere",
    *,
    alt: str | None = None,
) -> CourseFigure:
    """The attention maps of all layers and heads, or of one layer, as a grid of small matrices.

    Args:
        weights: (L, H, T, T), or (H, T, T) for one layer, whose maps are drawn larger.
        tokens: T names.
        title: one sentence.
        alt: what is to be seen.
    """
    w = as_array(weights)
    if w.ndim not in (3, 4) or w.shape[-1] != len(tokens):
        raise ValueError(f"weights {w.shape} do not fit {len(tokens)} tokens")
    down, across = w.shape[:2] if w.ndim == 4 else _layer_grid(len(w))
    maps = w.reshape(-1, *w.shape[-2:])
    # In a grid of layers the heads are named in the first row alone.
    names = [f"head {i + 1}" if i < across or w.ndim == 3 else "" for i in range(len(maps))]
    kind = f"{down} layers of {across} heads" if w.ndim == 4 else f"{len(w)} heads of one layer"
    alt = alt or (
        f"Grid of attention maps, {kind}, over the tokens {' '.join(tokens)}. "
        f"On average {_shares(w, tokens)} of the weight."
    )
    size, is_roomy = 4.5 / across, across <= 6
    labelled = w.ndim == 3 and len(tokens) <= 14
    height = (size + (0.24 if w.ndim == 3 else 0.03)) * down + (0.35 if labelled else 0.15)
    figure, grid = canvas(title, alt, height, down, across, squeeze=False)
    for i, axes in enumerate(grid.flat):
        if i >= len(maps):
            bare(axes)
            continue
        _draw_matrix(axes, maps[i], (0.0, 1.0))
        axes.set(xticks=[], yticks=[])
        small = 9 if is_roomy else 8
        axes.set_title(names[i] if is_roomy else names[i].removeprefix("head "), size=small)
        if w.ndim == 4 and i % across == 0:
            name = f"layer {i // across + 1}" if is_roomy else f"{i // across + 1}"
            axes.set_ylabel(
                name,
                size=small,
                rotation=90 if is_roomy else 0,
                va="center",
                ha="right" if not is_roomy else "center",
            )
        if labelled:
            letters: Any = {"size": 7 if across > 2 else 8}
            if i % across == 0:
                axes.set_yticks(range(len(tokens)), [drawable(t) for t in tokens], **letters)
            if i >= len(maps) - across:
                _name_columns(axes, tokens, letters["size"], 0.9 * size / len(tokens))
            axes.tick_params(length=0)
    note = "rows are queries, columns are keys; full colour = 1"
    if not is_roomy:
        note = "layers down, heads across; in each map rows are queries"
    figure.supxlabel(note, size=8.5, color=FAINT)
    return figure


@in_style
def mask(
    allowed: npt.ArrayLike,
    tokens: Sequence[str],
    title: str = "Which query may attend to which key",
    *,
    xlabel: str = "key",
    ylabel: str = "query",
    alt: str | None = None,
) -> CourseFigure:
    """A mask: blue where looking is allowed, a grey cross where it is not.

    Args:
        allowed: (T, T) bool, row t says where position t may look.
        tokens: T names.
        title: one sentence.
        xlabel: what the columns are.
        ylabel: what the rows are.
        alt: what is to be seen.
    """
    m = as_array(allowed).astype(bool)
    open_share = "; ".join(f"{t} sees {row.sum()}" for t, row in zip(tokens, m, strict=True))
    words = (
        f"Mask of {len(tokens)} by {len(tokens)} cells. Positions that each may see: {open_share}."
    )
    cell = min(0.36, 3.6 / len(tokens))
    height = cell * len(tokens) + _names_height(tokens, cell) + 0.85
    figure, axes = canvas(title, alt or words, height)
    axes.set(xlim=(-0.5, len(tokens) - 0.5), ylim=(len(tokens) - 0.5, -0.5), aspect="equal")
    axes.imshow(m, cmap=SEQUENTIAL, vmin=0, vmax=1.6)
    rows, columns = np.nonzero(~m)
    axes.scatter(columns, rows, marker="x", color=FAINT, s=(cell * 30) ** 2, linewidths=1)
    _name_ticks(axes, tokens, tokens, cell)
    axes.set(xlabel=drawable(xlabel), ylabel=drawable(ylabel))
    axes.xaxis.set_label_position("top")
    square: Any = {"linestyle": "", "markersize": 9}
    handles = [
        Line2D([], [], marker="s", color=SEQUENTIAL(1 / 1.6), label="may look", **square),
        Line2D([], [], marker="x", color=FAINT, label="hidden", **square),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


@in_style
def positions(
    vectors: npt.ArrayLike,
    title: str = "Each position has its own pattern",
    *,
    alt: str | None = None,
) -> CourseFigure:
    """Position vectors as a map: a row for each position, a column for each dimension.

    The colours end at the 99th percentile; what lies beyond has the colour of the end.

    Args:
        vectors: (T, d).
        title: one sentence.
        alt: what is to be seen.
    """
    m = as_array(vectors)
    words = (
        f"Map of {m.shape[0]} position vectors of {m.shape[1]} dimensions, "
        f"values from {m.min():.2f} to {m.max():.2f}."
    )
    figure, axes = canvas(title, alt or words, 3.1)
    # Learned positions have a few very large dimensions; beside them all others would be white.
    bound = float(np.percentile(np.abs(m), 99)) or 1.0
    image = _draw_matrix(axes, m, (-bound, bound))
    axes.set_aspect("auto")
    axes.set(xlabel="dimension", ylabel="position")
    extend = "both" if np.abs(m).max() > bound else "neither"
    bar = figure.colorbar(image, ax=axes, aspect=25, pad=0.02, extend=extend)
    bar.outline.set_visible(False)
    return figure


@in_style
def confusion(
    matrix: npt.ArrayLike,
    names: Sequence[str],
    title: str = "What is taken for what",
    *,
    alt: str | None = None,
) -> CourseFigure:
    """A confusion matrix: counts printed, colour is the fraction of the true class.

    Args:
        matrix: (C, C) counts, a row for each true class (`metrics.confusion_matrix`).
        names: C names.
        title: one sentence.
        alt: what is to be seen.
    """
    counts = as_array(matrix).astype(int)
    fractions = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    right = "; ".join(
        f"{n}: {counts[i, i]} of {counts[i].sum()} right" for i, n in enumerate(names)
    )
    figure = heatmap(
        fractions,
        names,
        names,
        title,
        xlabel="predicted",
        ylabel="true",
        limits=(0, 1),
        values="",
        alt=alt or f"Confusion matrix. {right}.",
    )
    axes = figure.axes[0]
    for r, c in np.ndindex(*counts.shape):
        ink = ink_on(SEQUENTIAL(fractions[r, c]))
        axes.text(c, r, f"{counts[r, c]}", ha="center", va="center", color=ink, size=9)
    return figure


# ---------------------------------------------------------------------------------- helpers


def _draw_matrix(axes: Axes, m: np.ndarray, limits: tuple[float, float] | None) -> Any:
    finite = m[np.isfinite(m)]
    if limits is None:
        largest = float(np.abs(finite).max()) if finite.size else 1.0
        limits = (-largest, largest) if finite.size and finite.min() < 0 else (0.0, largest or 1.0)
    cmap = (DIVERGING if limits[0] < 0 else SEQUENTIAL).with_extremes(bad="#DDDDDD")
    shown = np.where(np.isfinite(m), m, np.nan)
    image = axes.imshow(shown, cmap=cmap, vmin=limits[0], vmax=limits[1], interpolation="nearest")
    for side in axes.spines.values():
        side.set(visible=True, color="#BBBBBB", linewidth=0.6)
    return image


def _name_ticks(axes: Axes, rows: Sequence[str], columns: Sequence[str], cell: float) -> None:
    size = _tick_size(max(len(rows), len(columns)))
    # First, for the names that are turned are those that stand where the labels are then.
    axes.tick_params(length=0, top=False, bottom=False, labeltop=True, labelbottom=False)
    axes.set_yticks(range(len(rows)), [drawable(name) for name in rows], size=size)
    _name_columns(axes, columns, size, cell)


def _tick_size(names: int) -> int:
    """Points of the names on an axis with so many of them."""
    return 9 if names <= 16 else 7


def _name_columns(axes: Axes, columns: Sequence[str], size: float, cell: float) -> None:
    names = [drawable(name) for name in columns]
    axes.set_xticks(range(len(columns)), names, size=size)
    turned = _turned(columns, size, cell)
    for label, is_turned in zip(axes.get_xticklabels(), turned, strict=True):
        label.set_rotation(90 if is_turned else 0)


def _turned(columns: Sequence[str], size: float, cell: float) -> list[bool]:
    """Which names over columns of `cell` inches stand upright, lest they run into each other."""
    crowded = max(map(columns_of, columns)) * size / 120 > cell  # 0.6 of its size is a letter wide
    # A Chinese character lying on its side is hard to read, and need not.
    return [crowded and columns_of(name) == len(name) for name in columns]


def _names_height(columns: Sequence[str], cell: float) -> float:
    """Inches that the names over the columns take."""
    turned = _turned(columns, _tick_size(len(columns)), cell)
    upright = [columns_of(name) for name, up in zip(columns, turned, strict=True) if up]
    return max(0.2, 0.08 * max(upright, default=0))


def _extremes(m: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> str:
    finite = np.where(np.isfinite(m), m, -np.inf)
    r, c = map(int, np.unravel_index(int(finite.argmax()), m.shape))
    return (
        f"Heat map of {len(rows)} rows by {len(columns)} columns. "
        f"Largest value {m[r, c]:.3g} in row {rows[r]}, column {columns[c]}."
    )


def _shares(weights: np.ndarray, tokens: Sequence[str]) -> str:
    received = weights.reshape(-1, weights.shape[-1]).mean(0)
    first = np.argsort(-received)[:2]
    return " and ".join(f"{tokens[i]} gets {received[i]:.0%}" for i in first)
