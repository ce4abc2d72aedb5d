"""Where and how a model that was trained is run."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from minibert import weights
from minibert.training.config import TrainingConfig
from minibert.training.devices import choose_device, choose_precision
from minibert.training.resume import SETTINGS_FILE
from minibert.weights.typed_json import named_file, read_typed

_ROWS = 32  # of a batch at most, where nothing is said


class Computing(NamedTuple):
    """A device, "float32" or "bf16", and the rows of a batch."""

    device: torch.device
    precision: str
    batch_size: int


def computing(options: Namespace) -> Computing:
    """What the options say, and for the rest what the model was trained with.

    So the numbers of an evaluation in training come out of `minibert evaluate` again.
    """
    path = weights.resolve(options.model) / SETTINGS_FILE
    noted = _noted(path) if path.is_file() else {}
    device = choose_device(options.device)
    # A model that notes nothing is run as Python runs it.
    precision = choose_precision(options.precision or noted.get("precision", "float32"), device)
    rows = getattr(options, "batch_size", None)
    if rows is None:
        rows = min(_ROWS, noted.get("batch_size", _ROWS))
    if rows < 1:
        raise ValueError(f"batch_size must be at least 1, not {rows}")
    return Computing(device, precision, rows)


def _noted(path: Path) -> dict[str, Any]:
    noted = read_typed(path, TrainingConfig)
    with named_file(path):
        TrainingConfig(**{"output_dir": "", **noted})  # refuses what is out of range
    return noted
