"""How to train: one field a decision, checked before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minibert import distributed, optimization

_CHOICES = {
    "schedule": optimization.SCHEDULES,
    "precision": optimization.PRECISIONS,
    "device": optimization.DEVICES,
    "parallel": distributed.PARALLEL,
}


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    output_dir: where log, snapshots and the model go. max_steps: instead of `epochs`. batch_size:
    examples of one update, whatever the number of processes and `accumulation_steps`: those only
    cut it into parts. warmup_ratio: share of the steps. eval_every, save_every: in steps; once an
    epoch where not given. best_metric: keep the weights of the evaluation with the highest value
    of it (of the lowest loss where not given); patience: stop after so many evaluations without a
    better one. parallel: "ddp" or "fsdp", under `torchrun`. gradient_checkpointing: less memory
    for a third more work.

    Raises:
        ValueError: if a value is out of range.
    """

    output_dir: str | Path
    epochs: int = 3
    max_steps: int | None = None
    batch_size: int = 32
    learning_rate: float = 5e-5
    warmup_ratio: float = 0.1
    schedule: str = "linear"
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    accumulation_steps: int = 1
    precision: str = "auto"
    device: str = "auto"
    compile: bool = False
    seed: int = 0
    eval_every: int | None = None
    save_every: int | None = None
    resume: bool = False
    best_metric: str | None = None
    patience: int | None = None
    parallel: str = "ddp"
    tensorboard: bool = False
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        counts = ("epochs", "batch_size", "accumulation_steps")
        optional = ("max_steps", "eval_every", "save_every", "patience")
        for name in (*counts, *(name for name in optional if getattr(self, name) is not None)):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("seed", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative: {getattr(self, name)}")
        for name in ("learning_rate", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 <= self.warmup_ratio <= 1:
            raise ValueError(f"warmup_ratio must be between 0 and 1, not {self.warmup_ratio}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                value, names = getattr(self, name), ", ".join(allowed)
                raise ValueError(f"unknown {name} {value!r}: choose from {names}")
