"""How to train: one field a decision, checked before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from minibert.training.options import check_at_least, check_numbers, option

SCHEDULES = ("linear", "cosine")
PRECISIONS = ("auto", "float32", "bf16", "fp16")
DEVICES = ("auto", "cpu", "cuda", "mps")
PARALLEL = ("ddp", "fsdp")
_CHOICES = {
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
    "device": DEVICES,
    "parallel": PARALLEL,
}


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    output_dir: where log, checkpoints and the model go. max_steps: instead of `epochs`. batch_size:
    examples of one update, whatever the number of processes and `accumulation_steps`: those only
    cut it into parts. batch_tokens: instead of `batch_size`, as many examples as have together at
    most so many tokens, laid end to end: nothing is padded, and `compile` compiles once. precision:
    of matrix products, see `choose_precision`; bf16_stream: what passes between layers is in bf16
    as well. warmup_ratio: fraction of the steps. eval_every, save_every: in steps; once an epoch
    where not given. best_metric: keep the weights of the evaluation with the highest value of it
    (of the lowest loss where not given); patience: stop after so many evaluations without a better
    one. parallel: "ddp" or "fsdp", under `torchrun`. gradient_checkpointing: less memory for a
    third more work.

    Raises:
        ValueError: if a value is out of range, or TensorBoard asked for and not installed.
    """

    output_dir: str | Path = option(
        told="folder for the model, its log and checkpoints", flag="--out"
    )
    epochs: int = option(3)
    max_steps: int | None = option(None, "steps in all, instead of epochs", flag="--steps")
    batch_size: int = option(32)
    batch_tokens: int | None = option(None, "instead of --batch-size; without padding")
    learning_rate: float = option(5e-5)
    warmup_ratio: float = option(0.1, "fraction of the steps", flag="--warmup")
    schedule: str = option("linear", choices=SCHEDULES)
    weight_decay: float = option(0.01)
    max_grad_norm: float = 1.0
    accumulation_steps: int = option(1)
    precision: str = option("auto", choices=PRECISIONS)
    bf16_stream: bool = option(False, "with bf16: between layers, too")
    device: str = option("auto", choices=DEVICES)
    compile: bool = option(False, "torch.compile the model")
    seed: int = option(0)
    eval_every: int | None = option(None, "steps; default: each epoch")
    save_every: int | None = option(None, "steps; default: each epoch")
    resume: bool = option(False, "go on from the last checkpoint")
    best_metric: str | None = None
    patience: int | None = option(
        None, "stop after so many evaluations in a row that are no better (needs a dev split)"
    )
    parallel: str = option("ddp", choices=PARALLEL)
    tensorboard: bool = option(False)
    gradient_checkpointing: bool = option(False, "less memory, slower")

    def __post_init__(self) -> None:
        check_numbers(self)
        check_at_least(self, 1, "epochs", "batch_size", "accumulation_steps", "max_steps")
        check_at_least(self, 1, "batch_tokens", "eval_every", "save_every", "patience")
        if self.seed >= 2**63:
            raise ValueError(f"seed must be below 2**63, not {self.seed}")
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
        if self.tensorboard and find_spec("tensorboard") is None:
            raise ValueError("TensorBoard is not installed: pip install tensorboard")
