"""From parsed options to the package's own settings."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from minibert.finetuning import TaskSettings
from minibert.training import TrainingConfig


def training_config(options: Namespace) -> TrainingConfig:
    """The options that pre-training and fine-tuning share."""
    return TrainingConfig(
        output_dir=options.out,
        epochs=options.epochs,
        max_steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        warmup_ratio=options.warmup,
        schedule=options.schedule,
        weight_decay=options.weight_decay,
        accumulation_steps=options.accumulation_steps,
        precision=options.precision,
        device=options.device,
        compile=options.compile,
        gradient_checkpointing=options.gradient_checkpointing,
        seed=options.seed,
        eval_every=options.eval_every,
        save_every=options.save_every,
        resume=options.resume,
        patience=options.patience,
        parallel=options.parallel,
        tensorboard=options.tensorboard,
    )


PROBLEMS = {
    "single": "single_label_classification",
    "multi": "multi_label_classification",
    "regression": "regression",
}


def reading_options(options: Namespace) -> dict[str, Any]:
    """How a user's table is to be read: only what was said."""
    said = {name: getattr(options, name) for name in ("text_column", "pair_column", "label_column")}
    if options.problem is not None:
        said["problem_type"] = PROBLEMS[options.problem]
    if options.columns is not None:
        said["columns"] = options.columns.split(",")
    return {name: value for name, value in said.items() if value is not None}


def adjusted(settings: TaskSettings, options: Namespace) -> TaskSettings:
    """What a model was trained with, changed where the user says so."""
    names = ("max_length", "truncation", "stride", "threshold", "null_threshold")
    said = {name: getattr(options, name) for name in names}
    return replace(settings, **{name: value for name, value in said.items() if value is not None})


def check_new_folder(folder: Path) -> None:
    """Refuse to write where something is already.

    Raises:
        ValueError: if it is a file, or a folder that is not empty.
    """
    if folder.is_file():
        raise ValueError(f"{folder} is a file: choose another folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: choose another folder")
