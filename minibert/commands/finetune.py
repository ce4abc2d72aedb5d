"""`minibert finetune`."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from minibert import checkpoint, distributed
from minibert.cards import write_card
from minibert.commands.options import reading_options, training_config
from minibert.datasets import DATASETS
from minibert.finetuning import TaskSettings, finetune, read_splits
from minibert.training import check_output


def run(options: Namespace) -> None:
    """Train, evaluate, write, print the figures."""
    training = training_config(options)
    settings = TaskSettings(
        options.task,
        options.max_length,
        options.truncation,
        options.stride,
        options.threshold,
        options.null_threshold,
    )
    # What is quick to find wrong is found before anything is fetched or read.
    check_output(Path(options.out), options.resume)
    checkpoint.resolve(options.base)
    splits = read_splits(options.train, options.dev, options.test, **reading_options(options))
    figures = finetune(
        splits,
        options.base,
        settings,
        training,
        options.adapter,
        options.class_weights,
        options.dropout,
    )
    if distributed.is_main():
        named = [name for name in (options.train, options.dev, options.test) if name]
        data = {name: DATASETS[name].note if name in DATASETS else "" for name in named}
        held_out = {side: found for side, found in figures.items() if side != "train"}
        write_card(Path(options.out), options.command, data, training, held_out)
        print(json.dumps(figures, indent=2))
