"""Curves, bars, points, and how sure a model is; called through `minibert.course.plots`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from minibert.course.drawing.style import (
    COLORS,
    DASHES,
    FAINT,
    INK,
    MARKERS,
    SERIES,
    WIDTH,
    CourseFigure,
    as_array,
    canvas,
    columns_of,
    drawable,
    in_style,
)
from minibert.finetuning.calibration import Reliability


@in_style
def lines(
    series: Mapping[str, Any],
    title: str = "",
    *,
    xlabel: str = "",
    ylabel: str = "",
    log_x: bool = False,
    markers: bool = False,
    limits: tuple[float, float] | None = None,
    alt: str | None = None,
) -> CourseFigure:
    """Curves, told apart by colour and dash: losses by step, accuracy by layer, functions.

    Args:
        series: name → values; or → (x, y); or → (x, y, low, high), an interval drawn as a band.
        title: one sentence.
        xlabel: what x is, with its unit.
        ylabel: what y is, with its unit.
        log_x: a logarithmic axis, for training steps.
        markers: mark the measured points.
        limits: the values at both ends of the y axis; by default from the data.
        alt: what is to be seen.
    """
    figure, axes = canvas(title, "", 3.0)
    told, whole, measured = [], True, set()
    for i, (name, value) in enumerate(series.items()):
        parts = value if isinstance(value, tuple) else (range(len(value)), value)
        x, y, *band = (as_array(part) for part in parts)
        color, dash = SERIES[i % len(SERIES)], DASHES[i % len(DASHES)]
        marker = MARKERS[i % len(MARKERS)] if markers else None
        label = drawable(name)
        axes.plot(x, y, color=color, linestyle=dash, marker=marker, markersize=5, label=label)
        if band:
            axes.fill_between(x, *band, color=color, alpha=0.18, linewidth=0)
        told.append(f"{name} goes from {y[0]:.3g} to {y[-1]:.3g}")
        whole &= bool((x == x.round()).all())
        measured |= set(x.tolist())
    if log_x:
        axes.set_xscale("log")
        if markers and len(measured) <= 10:  # the few values that there are, written out
            axes.set_xticks(sorted(measured), [f"{at:g}" for at in sorted(measured)])
            axes.xaxis.set_minor_locator(NullLocator())
    elif whole:  # layers, epochs: there is nothing between 1 and 2
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=drawable(xlabel), ylabel=drawable(ylabel), ylim=limits)
    axes.grid(visible=True, axis="y")
    if len(series) > 1:
        figure.legend(loc="outside lower center", ncols=2 if len(series) > 1 else 1, handlelength=3)
    figure.alt = alt or f"Curves of {ylabel or 'values'} by {xlabel or 'index'}: {'; '.join(told)}."
    return figure


@in_style
def bars(
    values: Mapping[str, float],
    title: str = "",
    *,
    xlabel: str = "",
    form: str = ".3g",
    intervals: Mapping[str, tuple[float, float]] | None = None,
    highlight: Sequence[str] = (),
    alt: str | None = None,
) -> CourseFigure:
    """Bars with their names in full and their values printed.

    Args:
        values: name → length.
        title: one sentence.
        xlabel: what is measured, with its unit.
        form: how to print a value.
        intervals: name → (low, high), drawn as a thin line.
        highlight: names to set off by colour.
        alt: what is to be seen.
    """
    figure, axes = canvas(title, "", 0.29 * len(values) + 0.55)
    numbers = np.array([float(v) for v in values.values()])
    colors = [COLORS["B"] if name in highlight else COLORS["A"] for name in values]
    places = np.arange(len(values))
    axes.barh(places, numbers, color=colors, height=0.7, edgecolor=FAINT, linewidth=0.6)
    starts, ends = numbers.copy(), numbers.copy()
    for i, name in enumerate(values):
        if intervals and name in intervals:
            low, high = intervals[name]
            axes.plot([low, high], [i, i], color=INK, linewidth=1.2, linestyle="-", marker="|")
            starts[i], ends[i] = min(starts[i], low), max(ends[i], high)
        text = f"  {numbers[i]:{form}}"
        axes.text(max(ends[i], 0), i, text, va="center", size=9)
    axes.set_yticks(places, [drawable(name) for name in values])
    axes.invert_yaxis()
    _name_lengths(axes, xlabel, names=values)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.16)
    axes.set_xlim(left=min(0.0, starts.min() * 1.16))
    told = "; ".join(f"{name} {v:{form}}" for name, v in values.items())
    figure.alt = alt or f"Bars of {xlabel or 'values'}: {told}."
    return figure


def _name_lengths(axes: Axes, xlabel: str, names: Iterable[str]) -> None:
    """The label under bars, which starts further left where long names leave their axes narrow."""
    room = WIDTH - 0.4 - 0.075 * max(map(columns_of, names))
    axes.set_xlabel(drawable(xlabel), loc="right" if 0.08 * columns_of(xlabel) > room else "center")


@in_style
def stacked_bars(
    parts: Mapping[str, Mapping[str, float]],
    title: str = "",
    *,
    xlabel: str = "",
    limits: Mapping[str, float] | None = None,
    alt: str | None = None,
) -> CourseFigure:
    """Bars made of parts: memory by what fills it, time by what takes it.

    Args:
        parts: bar → {part → length}; the same parts in every bar.
        title: one sentence.
        xlabel: what is measured, with its unit.
        limits: name → length, an upright line that bars should or should not cross.
        alt: what is to be seen.
    """
    kinds = list(next(iter(parts.values())))
    figure, axes = canvas(title, "", 0.42 * len(parts) + 0.6 + 0.2 * -(-len(kinds) // 2))
    places = np.arange(len(parts))
    left = np.zeros(len(parts))
    hatches = ["", "////", "....", "\\\\\\\\", "xxxx", "--", "||"]
    for i, kind in enumerate(kinds):
        length = np.array([bar[kind] for bar in parts.values()])
        axes.barh(
            places,
            length,
            left=left,
            height=0.65,
            color=SERIES[i % len(SERIES)],
            hatch=hatches[i % len(hatches)],
            edgecolor="white",
            linewidth=0.6,
            label=drawable(kind),
        )
        left += length
    paper: Any = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # over a limit's line
    # Fractions of a whole all end at the same place: their total says nothing.
    for place, total in zip(places, [] if np.allclose(left, left[0]) else left, strict=False):
        axes.text(total, place, f" {total:.3g}", va="center", size=9, bbox=paper)
    axes.set_yticks(places, [drawable(name) for name in parts])
    axes.invert_yaxis()
    _name_lengths(axes, xlabel, names=parts)
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.12)
    for name, limit in (limits or {}).items():
        _draw_limit(axes, name, limit)
    figure.legend(loc="outside lower center", ncols=2)
    told = "; ".join(
        f"{name}: " + ", ".join(f"{k} {v:.3g}" for k, v in bar.items())
        for name, bar in parts.items()
    )
    figure.alt = alt or f"Stacked bars of {xlabel or 'values'}. {told}."
    return figure


def _draw_limit(axes: Axes, name: str, limit: float) -> None:
    """An upright line, its name above it."""
    axes.axvline(limit, color=INK, linewidth=1.2, linestyle="--", zorder=0)
    axes.annotate(
        drawable(name),
        (limit, 1),
        (0, 2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center",
        size=8.5,
    )


def _label_points(figure: CourseFigure, axes: Axes, words: Sequence[str], xy: np.ndarray) -> None:
    """Write each word beside its point, on the side where it covers the fewest dots and words."""
    figure.draw_without_rendering()  # before that no place on the paper is known
    dots = axes.transData.transform(xy)
    taken: list[Bbox] = []
    sides = [(dx, dy) for dy in (3, -3, 6, -6) for dx in (4, -4)]  # points; the first is preferred
    for word, point in zip(words, xy, strict=False):
        if not word:
            continue
        tried = []
        for dx, dy in sides:
            note = axes.annotate(
                drawable(word), tuple(point), (dx, dy), textcoords="offset points", size=8.5,
                ha="left" if dx > 0 else "right", va="bottom" if dy > 0 else "top",
            )  # fmt: skip
            box = note.get_window_extent()
            covered = sum(box.contains(*dot) for dot in dots) + sum(map(box.overlaps, taken))
            covered += sum(not axes.bbox.contains(*corner) for corner in (box.min, box.max))
            tried.append((covered, note, box))
            if not covered:
                break
        best = min(tried, key=lambda one: one[0])
        for one in tried:
            if one is not best:
                one[1].remove()
        taken.append(best[2])


@in_style
def scatter(
    points: npt.ArrayLike,
    title: str = "",
    *,
    labels: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    alt: str | None = None,
) -> CourseFigure:
    """Points in the plane, for vectors projected to two dimensions; groups by colour and shape.

    Args:
        points: (N, 2).
        title: one sentence.
        labels: N words printed beside the points.
        groups: N group names.
        xlabel: the first direction.
        ylabel: the second direction.
        alt: what is to be seen.
    """
    xy = as_array(points)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"points must be (N, 2), not {xy.shape}: project them first")
    names = list(dict.fromkeys(groups)) if groups is not None else [""]
    figure, axes = canvas(title, "", 3.9)
    of = np.array(groups if groups is not None else [""] * len(xy))
    for i, name in enumerate(names):
        mine = xy[of == name]
        axes.scatter(
            *mine.T,
            color=SERIES[i % len(SERIES)],
            marker=MARKERS[i % len(MARKERS)],
            s=32,
            alpha=0.85,
            linewidths=0,
            label=drawable(name),
        )
    axes.set(xlabel=drawable(xlabel), ylabel=drawable(ylabel))
    axes.margins(0.12)
    axes.grid(visible=True)
    axes.set_axisbelow(True)
    if groups is not None:
        figure.legend(loc="outside lower center", ncols=min(3, len(names)))
    _label_points(figure, axes, labels or [], xy)
    centres = "; ".join(
        f"{n or 'all'} around ({xy[of == n][:, 0].mean():.2g}, {xy[of == n][:, 1].mean():.2g})"
        for n in names
    )
    figure.alt = alt or f"{len(xy)} points in the plane: {centres}."
    return figure


@in_style
def reliability(
    curve: Reliability,
    title: str = "How often it is right when it is this sure",
    *,
    alt: str | None = None,
) -> CourseFigure:
    """A reliability diagram: accuracy by confidence, and how many predictions stand behind it.

    Args:
        curve: what `metrics.reliability_curve` returned.
        title: one sentence.
        alt: what is to be seen.
    """
    figure, (upper, lower) = canvas(
        title, "", 4.0, 2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]}
    )
    upper.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1, label="well calibrated")
    style: Any = {"color": COLORS["query"], "linestyle": "-", "marker": "o", "label": "this model"}
    upper.plot(curve.confidence, curve.accuracy, **style)
    upper.set(ylabel="fraction that is right", xlim=(0, 1), ylim=(0, 1.02))
    upper.legend(loc="upper left")
    upper.grid(visible=True)
    lower.bar(curve.confidence, curve.counts, width=0.05, color=COLORS["A"], edgecolor=FAINT)
    lower.set(xlabel="confidence (probability of the answer given)", ylabel="how many")
    told = "; ".join(
        f"confidence {c:.2f}, right {a:.2f} of {n}"
        for c, a, n in zip(curve.confidence, curve.accuracy, curve.counts, strict=True)
    )
    figure.alt = alt or f"Reliability diagram. {told}."
    return figure
