"""Where and how a model that was trained is run."""

from __future__ import annotations

from argparse import Namespace
from typing import Any, NamedTuple

import torch

from minibert import weights
from minibert.training.devices import choose_device, choose_precision
from minibert.training.resume import SETTINGS_FILE
from minibert.weights.files import read_json


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
    noted: dict[str, Any] = read_json(path) if path.is_file() else {}
    device = choose_device(options.device)
    precision = choose_precision(options.precision or noted.get("precision", "auto"), device)
    rows = getattr(options, "batch_size", None) or noted.get("batch_size", 32)
    return Computing(device, precision, rows)
