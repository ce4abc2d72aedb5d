"""A model's card: what it was made from, with which command, and what it reached held out."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from minibert.optimization import choose_device, choose_precision
from minibert.training_config import TrainingConfig


def write_card(
    folder: Path,
    command: Sequence[str],
    data: Mapping[str, str],
    training: TrainingConfig,
    figures: Mapping[str, Mapping[str, float]],
) -> None:
    """Write `CARD.md` into a model folder.

    Args:
        command: the words of the command that makes the model again.
        data: what it was trained on, and a line on each where there is one.
        training: the settings of the run.
        figures: by side ("dev", "test"), what `metrics.json` holds.
    """
    precision = choose_precision(training.precision, choose_device(training.device))
    lines = [
        f"# {folder.name}",
        "",
        "Made by",
        "",
        "```",
        shlex.join(command),
        "```",
        "",
        f"Seed {training.seed}; {precision}, torch {torch.__version__}, {platform.machine()}, "
        f"{torch.get_num_threads()} threads. Every tenth step is in `log.jsonl`, every setting in "
        "`training_config.json`.",
        "",
        "Data:",
        "",
        *(f"- `{name}`: {note}" if note else f"- `{name}`" for name, note in data.items()),
        "",
        "Held-out figures, measured when the training was over:",
        "",
        "| | " + " | ".join(figures) + " |",
        "| --- |" + " ---: |" * len(figures),
    ]
    names = dict.fromkeys(name for side in figures.values() for name in side)
    for name in names:
        values = (f"{side[name]:.4g}" if name in side else "" for side in figures.values())
        lines.append(f"| {name} | {' | '.join(values)} |")
    (folder / "CARD.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
