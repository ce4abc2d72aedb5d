"""`minibert finetune`."""

from __future__ import annotations

import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minibert import weights
from minibert.cli.cards import settings_in_words
from minibert.cli.options import read_options
from minibert.data.catalog import catalog
from minibert.data.datasets import read_splits
from minibert.data.duplicates import repeated_rows
from minibert.data.splits import Splits
from minibert.data.strict_json import dump_json
from minibert.finetuning import word_counts
from minibert.finetuning.defaults import CHOSEN, suited
from minibert.finetuning.recipe import finetune
from minibert.finetuning.settings import FinetuningSettings, ReadingSettings, TaskSettings
from minibert.finetuning.sweep import sweep
from minibert.model.config import BertConfig
from minibert.training import distributed
from minibert.training.config import TrainingConfig
from minibert.training.lock import claimed
from minibert.training.resume import check_output
from minibert.weights.cards import write_card


def run(options: Namespace) -> None:
    """Train, evaluate, write, print the metrics."""
    with claimed(Path(options.output_dir)):  # until the card is written
        _run(options)


def _run(options: Namespace) -> None:
    training = read_options(TrainingConfig, options)
    settings = read_options(TaskSettings, options, task=options.task)
    what = read_options(FinetuningSettings, options)
    # What is quick to find wrong is found before anything is fetched or read.
    check_output(Path(training.output_dir), training.resume)
    weights.resolve(options.base)
    reading = read_options(ReadingSettings, options).options
    splits = read_splits(
        options.train, options.dev, options.test, deduplicate=options.deduplicate, **reading
    )
    if _is_first():
        _tell_repeated_rows(splits)
    training, choices = _suited(training, options, len(splits.train), what.adapter is not None)

    def tell_choices() -> None:
        for line in choices:
            _say(line)

    given = (splits, options.base, settings, training, what)
    if options.sweep is None:
        found = finetune(*given, tell_choices)
    else:
        found = sweep(*given, options.sweep, _say)
    if distributed.is_main():
        known = catalog().datasets
        named = [name for name in (options.train, options.dev, options.test) if name]
        data = {name: known[name].note if name in known else "" for name in named}
        held_out = {split: metrics for split, metrics in found.items() if split != "train"}
        words = settings_in_words(training)
        write_card(Path(training.output_dir), options.command, data, words, held_out)
        print(dump_json(found, indent=2))
        _tell_temperature(held_out)
        if options.task == "classify" and len(found) > 1 and not word_counts.is_available():
            _say(
                "not compared with word counts: scikit-learn is missing (pip install scikit-learn)"
            )


def _suited(
    training: TrainingConfig, options: Namespace, examples: int, has_adapter: bool
) -> tuple[TrainingConfig, list[str]]:
    """The settings of training, those that nobody has given chosen to suit; and why."""
    given = [name for name in CHOSEN if getattr(options, name) is not None]
    config = weights.read_config(weights.resolve(options.base), BertConfig)
    parts = training.accumulation_steps * int(os.environ.get("WORLD_SIZE", 1))
    return suited(
        training, given, examples, config.hidden_size, has_adapter=has_adapter, parts=parts
    )


def _tell_temperature(held_out: Mapping[str, Mapping[str, float]]) -> None:
    """How sure the model was and is, where a temperature was fitted."""
    changes = [
        f"{found['calibration_error_unscaled']:.3f} to {found['calibration_error']:.3f} on {split}"
        for split, found in held_out.items()
        if "temperature" in found
    ]
    if changes:
        temperature = held_out["dev"]["temperature"]
        _say(
            f"temperature {temperature:g}, fitted on dev and kept with the model, brings the "
            f"calibration error from {', from '.join(changes)}"
        )


def _say(line: str) -> None:
    """Tell something on standard error, once where there are several processes."""
    if _is_first():
        print(f"minibert: {line}", file=sys.stderr)


def _is_first() -> bool:
    """Whether this is the process that speaks, before any of them knows of the others."""
    return int(os.environ.get("RANK", 0)) == 0


def _tell_repeated_rows(splits: Splits[Any]) -> None:
    found = repeated_rows(splits)
    for line in found:
        warnings.warn(line, stacklevel=1)
    if found:
        warnings.warn("no row is left out; deduplicate=True leaves repeated ones out", stacklevel=1)
