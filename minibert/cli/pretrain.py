"""`minibert pretrain`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from minibert.cli.cards import settings_in_words
from minibert.cli.options import read_options
from minibert.data.catalog import catalog
from minibert.data.strict_json import dump_json
from minibert.pretraining.recipe import pretrain
from minibert.pretraining.settings import PretrainingSettings
from minibert.training import distributed
from minibert.training.config import TrainingConfig
from minibert.training.lock import claimed
from minibert.weights.cards import write_card


def run(options: Namespace) -> None:
    """Train, evaluate, write, print the metrics."""
    with claimed(Path(options.output_dir)):  # until the card is written
        _run(options)


def _run(options: Namespace) -> None:
    settings = read_options(PretrainingSettings, options)
    training = read_options(TrainingConfig, options)
    found = pretrain(options.corpus, settings, training)
    if distributed.is_main():
        known = catalog().corpora
        data = {name: known[name].note if name in known else "" for name in options.corpus}
        words = settings_in_words(training)
        write_card(Path(options.output_dir), options.command, data, words, found)
        print(dump_json(found, indent=2))
