"""Two pictures of an evaluation: `minibert evaluate --plots DIR`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from minibert.finetuning.calibration import Reliability

# The first that is installed; labels may be Chinese.
_FONTS = ["DejaVu Sans", "Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC"]


def draw_confusion(counts: NDArray[np.int64], names: Sequence[str], path: Path) -> Path:
    """Counts (C, C) as a picture, a row for each true class; darker is a larger part of its row."""
    size = 2 + 0.6 * len(names)
    figure = Figure((size + 1, size), layout="constrained", dpi=150)
    axes = figure.subplots()
    axes.imshow(counts / counts.sum(1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        dark = counts[row, column] > counts[row].sum() / 2
        color = "white" if dark else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=color)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", family=_FONTS)
    axes.set_yticks(range(len(names)), names, family=_FONTS)
    axes.set(xlabel="predicted", ylabel="true", title="Confusion matrix")
    figure.savefig(path)
    return path


def draw_reliability(curve: Reliability, path: Path) -> Path:
    """How often a classifier is right by how sure it is, beside the line where both agree."""
    figure = Figure((5, 5), layout="constrained", dpi=150)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color="gray", label="perfectly calibrated")
    axes.plot(curve.confidence, curve.accuracy, "o-", label="this model")
    for x, y, count in zip(*curve, strict=True):
        axes.annotate(f"{count:,}", (x, y), (4, -12), textcoords="offset points", fontsize=8)
    axes.set(xlabel="mean confidence", ylabel="fraction right", title="Calibration, with counts")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(loc="upper left")
    figure.savefig(path)
    return path
