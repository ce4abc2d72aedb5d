"""A model's card: what it was made from, with which command, what it reached held out."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from minibert.weights.files import write_text


def write_card(
    folder: Path,
    command: Sequence[str],
    data: Mapping[str, str],
    settings: str,
    metrics: Mapping[str, Mapping[str, float]],
) -> None:
    """Write `CARD.md` into a model folder.

    Args:
        command: the words of the command that makes the model again.
        data: what it was trained on, and a line on each where there is one.
        settings: seed and precision of the run, in words.
        metrics: by split ("dev", "test"), what `metrics.json` holds.
    """
    lines = [
        f"# {folder.name}",
        "",
        "Made by",
        "",
        "```",
        shlex.join(command),
        "```",
        "",
        f"{settings}, torch {torch.__version__}, {platform.machine()}, "
        f"{torch.get_num_threads()} threads. Every tenth step is in `log.jsonl`, every setting in "
        "`training_config.json`.",
        "",
        "Data:",
        "",
        *(f"- `{name}`: {note}" if note else f"- `{name}`" for name, note in data.items()),
        "",
        "Metrics on held-out data, measured when the training was over:",
        "",
        "| | " + " | ".join(metrics) + " |",
        "| --- |" + " ---: |" * len(metrics),
    ]
    for name in dict.fromkeys(name for split in metrics.values() for name in split):
        values = (f"{split[name]:.4g}" if name in split else "" for split in metrics.values())
        lines.append(f"| {name} | {' | '.join(values)} |")
    write_text(folder / "CARD.md", "\n".join(lines) + "\n")
