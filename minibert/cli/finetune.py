"""`minibert finetune`."""

from __future__ import annotations

import warnings
from argparse import Namespace
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
from minibert.finetuning.recipe import finetune
from minibert.finetuning.settings import FinetuningSettings, ReadingSettings, TaskSettings
from minibert.training import distributed
from minibert.training.config import TrainingConfig
from minibert.training.resume import check_output
from minibert.weights.cards import write_card


def run(options: Namespace) -> None:
    """Train, evaluate, write, print the metrics."""
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
    if distributed.is_main():
        _tell_repeated_rows(splits)
    found = finetune(splits, options.base, settings, training, what)
    if distributed.is_main():
        known = catalog().datasets
        named = [name for name in (options.train, options.dev, options.test) if name]
        data = {name: known[name].note if name in known else "" for name in named}
        held_out = {split: metrics for split, metrics in found.items() if split != "train"}
        words = settings_in_words(training)
        write_card(Path(training.output_dir), options.command, data, words, held_out)
        print(dump_json(found, indent=2))


def _tell_repeated_rows(splits: Splits[Any]) -> None:
    found = repeated_rows(splits)
    for line in found:
        warnings.warn(line, stacklevel=1)
    if found:
        warnings.warn("no row is left out; deduplicate=True leaves repeated ones out", stacklevel=1)
