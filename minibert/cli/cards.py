"""What the card of a model says of its training besides data and metrics."""

from __future__ import annotations

from minibert.training.config import TrainingConfig
from minibert.training.devices import choose_device, choose_precision


def settings_in_words(training: TrainingConfig) -> str:
    """Seed and precision of a run."""
    precision = choose_precision(training.precision, choose_device(training.device))
    return f"Seed {training.seed}; {precision}"
