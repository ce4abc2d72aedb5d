"""What every benchmark needs: turns, rows, where they are written, and their figure.

A row is `name, unit, ours, theirs, ratio, spread, floor, holds`. The ratio says how many times
better we are than the peer, or, where there is no peer, than what is allowed; spread are its lowest
and highest value in single rounds; floor is what it should reach and holds whether it does. Where
the results of both sides differ, or a machine lacks what is to be measured, a row is void and says
why.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PEERS = ("torch", "transformers", "sentence-transformers", "onnxruntime", "numpy")
Row = dict[str, Any]


def row(
    name: str,
    unit: str,
    ours: float | None,
    theirs: float | None = None,
    ratios: Sequence[float] | None = None,
    floor: float | None = None,
    **more: Any,
) -> Row:
    """One line of the results."""
    ratio = statistics.median(ratios) if ratios else None
    reached = ratio if ratio is not None else ours
    return {
        "name": name,
        "unit": unit,
        "ours": ours,
        "theirs": theirs,
        "ratio": ratio,
        "spread": [min(ratios), max(ratios)] if ratios else None,
        "floor": floor,
        "holds": None if floor is None or reached is None else bool(reached >= floor),
        **more,
    }


def void(name: str, unit: str, why: str, floor: float | None = None) -> Row:
    """A row that cannot be measured here, or whose results are not what they should be."""
    return row(name, unit, None, floor=floor, void=why)


def now() -> float:
    """Seconds: of the process itself where sides run on one thread, else of the clock on the wall.

    What other processes take of the machine meanwhile does not count in the former.
    """
    import torch

    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def seconds(work: Callable[[], Any]) -> float:
    """How long a call takes."""
    gc.collect()
    started = now()
    work()
    return now() - started


def in_turns(sides: Sequence[Callable[[], Any]], rounds: int, warm: int = 1) -> list[list[float]]:
    """Seconds of each side in each round, the sides taking turns: A B C A B C ...

    So a machine that slows down slows all of them, and what is compared are the sides of a round.
    """
    for _ in range(warm):
        for side in sides:
            side()
    rows = [[seconds(side) for side in sides] for _ in range(rounds)]
    return [list(taken) for taken in zip(*rows, strict=True)]


def compared(
    name: str,
    unit: str,
    amount: float,
    ours: Sequence[float],
    theirs: Sequence[float],
    floor: float | None = None,
    **more: Any,
) -> Row:
    """A row of speeds out of the seconds that both sides took for the same amount of work."""
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    speeds = (amount / statistics.median(taken) for taken in (ours, theirs))
    return row(name, unit, *speeds, ratios, floor, **more)


def about() -> dict[str, Any]:
    """The machine and the versions."""
    import torch

    from minibert.course.experiments.harness import processor
    from minibert.training.devices import has_native_bf16

    return {
        "processor": processor(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads of each side": torch.get_num_threads(),
        "seconds": "of the process" if torch.get_num_threads() == 1 else "on the wall",
        "native bf16": has_native_bf16(torch.device("cpu")),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PEERS},
    }


def write(path: Path, content: dict[str, Any], rows: Iterable[Row]) -> None:
    """Write results, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({**content, "rows": list(rows)}, indent=1, allow_nan=False) + "\n"
    aside = path.with_suffix(".partial")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Every ratio as a point with its spread, and what it should reach as a mark."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "minibert"
    import matplotlib.pyplot as plt

    shown = [entry for entry in rows if entry["ratio"] is not None][::-1]
    if not shown:
        return
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.34 * len(shown)), layout="constrained")
    for place, entry in enumerate(shown):
        low, high = entry["spread"]
        axes.plot([low, high], [place, place], color="0.6", linewidth=3, solid_capstyle="round")
        axes.plot(entry["ratio"], place, "o", color="#0072b2" if entry["holds"] in (True, None) else
                  "#d55e00")  # fmt: skip
        axes.annotate(f"{entry['ratio']:.2f}", (high, place), xytext=(6, -3),
                      textcoords="offset points", fontsize=8)  # fmt: skip
        if entry["floor"] is not None:
            axes.plot(entry["floor"], place, "|", color="black", markersize=14)
    axes.axvline(1, color="0.8", linewidth=1, zorder=0)
    axes.set_yticks(range(len(shown)), [entry["name"] for entry in shown], fontsize=8)
    axes.set_xscale("log")
    ticks = (0.5, 1, 2, 3, 5, 8)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("times as fast as the peer, or as little as is allowed; the line is the goal")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
