"""Drawings of what is not a chart: tokens in rows, the sum of embeddings, the walk of shapes,
the network itself, and text with marks in it.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from minibert.course.drawing.style import (
    COLORS,
    DIVERGING,
    FAINT,
    INK,
    WIDTH,
    CourseFigure,
    as_array,
    canvas,
    columns_of,
    drawable,
    in_style,
    ink_on,
)
from minibert.model.config import BertConfig

_LINE = 0.3  # inches from one line of boxes to the next


def _box(axes: Axes, x: float, y: float, width: float, height: float, color: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=color,
            edgecolor=FAINT,
            linewidth=0.8,
        )
    )


def _sheet(title: str, alt: str, height: float) -> tuple[CourseFigure, Axes]:
    # A page measured in inches from its upper left corner.
    figure, axes = canvas(title, alt, height)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0), aspect="equal")
    axes.set_axis_off()
    return figure, axes


def _arrow(axes: Axes, x: float, start: float, end: float) -> None:
    style: Any = {
        "arrowstyle": "-|>",
        "color": FAINT,
        "linewidth": 1.1,
        "mutation_scale": 9,
    }
    axes.annotate("", (x, end), (x, start), arrowprops={**style, "shrinkA": 0, "shrinkB": 0})


@in_style
def token_rows(
    rows: Sequence[Sequence[str]],
    title: str = "",
    *,
    kinds: Sequence[Sequence[str]] | None = None,
    names: Sequence[str] | None = None,
    aligned: bool = False,
    alt: str | None = None,
) -> CourseFigure:
    """Rows of tokens in boxes, coloured by kind: a growing text, a masked one, two segments.

    Args:
        rows: the tokens of each row; long rows go on in the next line.
        title: one sentence.
        kinds: for each token "plain", "special", "masked", "new", "A", "B" or "answer".
        names: printed above each row.
        aligned: boxes of one width, so that what belongs together stands in one column; for rows
            of a dozen short tokens at most.
        alt: what is to be seen.
    """
    kinds = kinds or [["plain"] * len(row) for row in rows]
    placed: list[tuple[float, float, float, str, str]] = []
    y = 0.02  # half a border's width more, or the first row loses its upper edge
    heads: list[tuple[float, str]] = []
    for i, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
        if names:
            heads.append((y + 0.1, names[i]))
            y += 0.22
        x = 0.02
        for token, what in zip(row, kind, strict=True):
            width = 0.088 * max(2, columns_of(drawable(token))) + 0.1
            if aligned:
                width = (WIDTH - 0.1) / max(map(len, rows)) - 0.05
            if x + width > WIDTH - 0.05 and x > 0.02:
                x, y = 0.02, y + _LINE
            placed.append((x, y, width, token, what))
            x += width + 0.05
        y += _LINE + 0.06
    described = "; ".join(" ".join(row) for row in rows)
    figure, axes = _sheet(title, alt or f"Tokens in boxes, row by row: {described}.", y)
    for x, y, width, token, what in placed:
        _box(axes, x, y, width, 0.25, COLORS[what])
        ink, size = ink_on(COLORS[what]), 8 if aligned else 9
        place: Any = {"ha": "center", "va": "center_baseline", "size": size, "color": ink}
        axes.text(x + width / 2, y + 0.13, drawable(token), **place)
    for y, name in heads:
        axes.text(0.02, y, drawable(name), va="center", size=9, color=FAINT)
    return figure


@in_style
def embedding_sum(
    tokens: Sequence[str],
    segments: Sequence[int],
    title: str = "Each input vector is a sum of three",
    *,
    vectors: Sequence[Any] | None = None,
    alt: str | None = None,
) -> CourseFigure:
    """Token + segment + position, a line for each token (claims A3, E1).

    Args:
        tokens: T names.
        segments: T numbers, 0 for segment A and 1 for B.
        title: one sentence.
        vectors: the token, segment and position vectors, three times (T, d): their first
            dimensions are drawn under the names, and the sum's at the right.
        alt: what is to be seen.
    """
    heads = ["token", "segment", "position"] + (["sum"] if vectors is not None else [])
    width = (WIDTH - 0.25 * len(heads)) / len(heads)
    line = 0.44 if vectors is not None else 0.31
    words = ", ".join(
        f"{t} with E_{'AB'[s]} and E_{i}"
        for i, (t, s) in enumerate(zip(tokens, segments, strict=True))
    )
    figure, axes = _sheet(
        title, alt or f"Three embeddings added: {words}.", line * len(tokens) + 0.3
    )
    lefts = [0.02 + i * (width + 0.28) for i in range(len(heads))]
    for left, head in zip(lefts, heads, strict=True):
        axes.text(left + width / 2, 0.1, head, ha="center", va="center", size=9, color=FAINT)
    strips = None
    if vectors is not None:
        parts = [as_array(v) for v in vectors]
        total = parts[0] + parts[1] + parts[2]
        strips = np.stack([part[:, :16] for part in [*parts, total]])
        bound = float(np.percentile(np.abs(strips), 98)) or 1.0
    for t, (token, segment) in enumerate(zip(tokens, segments, strict=True)):
        y = 0.26 + t * line
        special = token.startswith("[") and token.endswith("]")
        colors = [COLORS["special" if special else "plain"], COLORS["AB"[segment]], "#DDEEDD"]
        texts = [drawable(token), f"$E_{'AB'[segment]}$", f"$E_{{{t}}}$"]
        for i, (left, color, text) in enumerate(zip(lefts, colors, texts, strict=False)):
            _box(axes, left, y, width, 0.24, color)
            place: Any = {
                "ha": "center",
                "va": "center_baseline",
                "size": 9,
                "color": ink_on(color),
            }
            axes.text(left + width / 2, y + 0.125, text, **place)
            if i + 1 < len(heads):
                sign = "=" if i == 2 else "+"
                axes.text(left + width + 0.14, y + 0.12, sign, ha="center", va="center")
        if strips is not None:
            _draw_strips(axes, strips[:, t], lefts, width, y, bound)
        axes.set(xlim=(0, WIDTH), ylim=(line * len(tokens) + 0.3, 0), aspect="equal")
    return figure


def _draw_strips(
    axes: Axes, strips: np.ndarray, lefts: Sequence[float], width: float, y: float, bound: float
) -> None:
    """Vectors as rows of colours: under the boxes of a line, and the sum's, taller, beside them."""
    for left, strip in zip(lefts, strips, strict=True):
        top = y + (0.26 if left < lefts[-1] else 0.02)
        bottom = top + (0.11 if left < lefts[-1] else 0.33)
        box = (left, left + width, bottom, top)
        style: Any = {"cmap": DIVERGING, "vmin": -bound, "vmax": bound, "aspect": "auto"}
        axes.imshow(strip[None], extent=box, interpolation="nearest", **style)


@in_style
def shapes_walk(
    stations: Sequence[tuple[str, Sequence[int]]],
    title: str = "One sentence, all the way through",
    *,
    alt: str | None = None,
) -> CourseFigure:
    """What a text becomes on its way, station by station, each with its shape (claim A13).

    Args:
        stations: (what it is, its shape), from `inspection.main_steps` or by hand.
        title: one sentence.
        alt: what is to be seen.
    """
    texts = [" × ".join(map(str, shape)) for _, shape in stations]
    told = ", then ".join(f"{n} {t}" for (n, _), t in zip(stations, texts, strict=True))
    step = 0.52
    figure, axes = _sheet(title, alt or f"Boxes from top to bottom: {told}.", step * len(stations))
    colors = ["#FFFFFF", "#DCEEF8", "#B9DDF2", "#F3DCEA", "#F3DCEA", "#FBE9C6", "#FBE9C6"]
    for i, (name, _) in enumerate(stations):
        y = i * step + 0.02
        color = colors[min(i, len(colors) - 1)]
        _box(axes, 0.05, y, WIDTH - 0.1, 0.32, color)
        axes.text(0.17, y + 0.165, drawable(name), va="center_baseline", size=9.5)
        place: Any = {
            "ha": "right",
            "va": "center_baseline",
            "weight": "bold",
            "size": 9.5,
        }
        axes.text(WIDTH - 0.17, y + 0.165, texts[i], **place)
        if i + 1 < len(stations):
            _arrow(axes, WIDTH / 2, y + 0.32, y + step)
    return figure


_Part = tuple[str, str, str]  # what it is, its shape or sizes, its colour
_LEFT, _RIGHT = 0.5, WIDTH - 0.62  # where the boxes of a network begin and end


def _network_parts(
    config: BertConfig, length: int | None, head: tuple[str, int] | None
) -> tuple[list[_Part], list[_Part], list[_Part]]:
    """What stands before the layers, in a layer, and after them."""
    t, d = str(length or "T"), config.hidden_size
    h, size = config.num_attention_heads, config.hidden_size // config.num_attention_heads
    attend = ("self-attention", f"{h} heads of {size}", "#B9DDF2")
    feed = ("feed-forward", f"{d} → {config.intermediate_size} → {d}", "#CDEBDD")
    norm, add = ("LayerNorm", "", "#EEEEEE"), ("add & LayerNorm", f"{t} × {d}", "#EEEEEE")
    plus = ("add", f"{t} × {d}", "#EEEEEE")
    post = config.norm_position == "post"
    layer = [attend, add, feed, add] if post else [norm, attend, plus, norm, feed, plus]
    before = [
        ("token ids", t, "#FFFFFF"),
        ("token + segment + position", f"{t} × {d}", "#FBE9C6"),
        ("LayerNorm, dropout", f"{t} × {d}", "#EEEEEE"),
    ]
    after = [] if post else [("LayerNorm", f"{t} × {d}", "#EEEEEE")]
    if head is not None:
        after += [("pooler on [CLS]: dense + tanh", f"{d}", "#F3DCEA")]
        after += [(head[0], f"{head[1]}", "#F3DCEA")]
    return before, layer, after


def _draw_repetition(axes: Axes, top: float, bottom: float, times: int) -> None:
    """A dashed frame around one layer, and how many there are."""
    outline = FancyBboxPatch(
        (_LEFT - 0.3, top - 0.13),
        _RIGHT - _LEFT + 0.85,
        bottom - top + 0.25,
        boxstyle="round,pad=0,rounding_size=0.1",
        fill=False,
        linestyle="--",
    )
    outline.set(edgecolor=COLORS["query"], linewidth=1.2)
    axes.add_patch(outline)
    place: Any = {"ha": "center", "va": "center", "rotation": 270}
    middle = (top + bottom) / 2
    axes.text(_RIGHT + 0.36, middle, f"× {times} layers", size=9.5, weight="bold", **place)


def _draw_residual(axes: Axes, source: float, target: float) -> None:
    """The path around a half of a layer: from before it to where it is added."""
    x, middle = _LEFT - 0.17, (_LEFT + _RIGHT) / 2
    axes.plot([middle, x, x], [source, source, target], color=INK, linewidth=1, ls="-")
    style: Any = {"arrowstyle": "-|>", "color": INK, "linewidth": 1, "mutation_scale": 8}
    ends: Any = {"shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (_LEFT, target), (x, target), arrowprops={**style, **ends})


@in_style
def network(
    config: BertConfig,
    title: str = "The whole network",
    *,
    length: int | None = None,
    head: tuple[str, int] | None = None,
    alt: str | None = None,
) -> CourseFigure:
    """The network from ids to output, with the width of every part and the residual paths.

    Args:
        config: read for depth, widths, and where the LayerNorms stand.
        title: one sentence.
        length: number of tokens; T where not given.
        head: a head on `[CLS]`: its name and the number of its outputs.
        alt: what is to be seen.
    """
    before, layer, after = _network_parts(config, length, head)
    rows = [*before, *layer, *after]
    told = ", ".join(f"{name} {text}".strip() for name, text, _ in rows)
    repeat = f"{config.num_hidden_layers} times"
    alt = alt or f"Boxes from top to bottom: {told}. The layer in the middle is repeated {repeat}."
    step, gap, height = 0.44, 0.16, 0.29
    figure, axes = _sheet(title, alt, step * len(rows) + 2 * gap)
    tops: list[float] = []
    for i, (name, text, color) in enumerate(rows):
        inside, below = i >= len(before), i >= len(before) + len(layer)
        y = i * step + gap * (inside + below) + 0.02
        tops.append(y)
        _box(axes, _LEFT, y, _RIGHT - _LEFT, height, color)
        axes.text(_LEFT + 0.1, y + 0.15, name, va="center_baseline", size=9)
        place: Any = {"ha": "right", "va": "center_baseline", "weight": "bold", "size": 9}
        axes.text(_RIGHT - 0.1, y + 0.15, text, **place)
        if i:
            _arrow(axes, (_LEFT + _RIGHT) / 2, tops[i - 1] + height, y)
    first, last = len(before), len(before) + len(layer) - 1
    _draw_repetition(axes, tops[first], tops[last] + height, config.num_hidden_layers)
    half = len(layer) // 2
    for start, end in ((first, first + half - 1), (first + half, last)):
        _draw_residual(axes, tops[start] - 0.07, tops[end] + 0.15)
    return figure


class Marked:
    """A text with marks in it, for a notebook (HTML) and for a terminal (brackets)."""

    def __init__(self, markup: str, plain: str) -> None:
        self._markup, self._plain = markup, plain

    def _repr_html_(self) -> str:
        return f'<p class="minibert-text" style="line-height:1.9">{self._markup}</p>'

    def __repr__(self) -> str:
        return self._plain


def _mark(text: str, color: str, ink: str, note: str = "") -> str:
    style = f"background:{color};color:{ink};border-radius:.25em;padding:.1em .2em"
    small = (
        f'<small style="margin-left:.4em;opacity:.85">{html.escape(note)}</small>' if note else ""
    )
    return f'<mark style="{style}">{html.escape(text)}{small}</mark>'


ENTITIES = ("LOC", "PER", "ORG", "MISC")  # they keep their colours from text to text


def highlight(text: str, spans: Sequence[tuple[int, int, str]]) -> Marked:
    """A text with spans marked in place: an answer, or entities with their types (claim B23).

    Args:
        text: the whole text.
        spans: (start, end, name), character offsets, end excluded; an empty name prints none.

    Raises:
        ValueError: if spans overlap or lie outside the text.
    """
    markup, plain, at = "", "", 0
    kinds = list(dict.fromkeys(name for *_, name in sorted(spans)))
    palette = [COLORS[c] for c in ("answer", "A", "B", "masked", "value", "special")]
    if set(kinds) <= set(ENTITIES):
        kinds = list(ENTITIES)
    for start, end, name in sorted(spans):
        if not at <= start < end <= len(text):
            raise ValueError(f"span {start} to {end} overlaps another or leaves the text")
        color = palette[kinds.index(name) % len(palette)]
        markup += html.escape(text[at:start]) + _mark(text[start:end], color, ink_on(color), name)
        plain += f"{text[at:start]}[{text[start:end]}{'/' + name if name else ''}]"
        at = end
    return Marked(markup + html.escape(text[at:]), plain + text[at:])


def shaded(tokens: Sequence[str], values: Sequence[float], joiner: str = " ") -> Marked:
    """Tokens shaded by a value each: blue above zero, orange below, the number beside (claim A20).

    Args:
        tokens: T words or characters.
        values: T numbers; the largest in size is the darkest.
        joiner: what stands between tokens; "" for Chinese.
    """
    bound = max((abs(float(v)) for v in values), default=0.0) or 1.0
    pieces = []
    for token, value in zip(tokens, values, strict=True):
        red, green, blue, _ = DIVERGING(0.5 + 0.36 * float(value) / bound)
        color = f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
        pieces.append(_mark(token, color, ink_on(color), f"{float(value):+.2f}"))
    plain = joiner.join(f"{t}({float(v):+.2f})" for t, v in zip(tokens, values, strict=True))
    return Marked(joiner.join(pieces), plain)
