"""`minibert info`."""

from __future__ import annotations

from argparse import Namespace

import torch

from minibert import weights
from minibert.cli import models
from minibert.model.config import BertConfig
from minibert.weights.parameters import parameter_table


def run(options: Namespace) -> None:
    """Print what a model is: shape, parameters, labels, and the card where it has one."""
    kind = models.architecture(options.model)
    folder = weights.resolve(options.model)
    config = weights.read_config(folder, BertConfig)
    adapter = weights.read_adapter_config(folder)
    print(f"{options.model}: {kind.architecture} in {folder}\n")
    values = config.to_dict()
    width = max(map(len, values))
    for name, value in values.items():
        if name not in ("id2label", "num_labels", "problem_type"):
            print(f"{name:{width}}  {value}")
    with torch.device("meta"):  # shapes alone: nothing is read or drawn
        print(f"\n{parameter_table(kind(config))}")
    if config.id2label is not None:
        print(f"\nlabels: {', '.join(config.labels)}")
    if adapter is not None:
        print(f"\nadapter: rank {adapter['rank']} beside {adapter['base']}")
    card = folder / "CARD.md"
    if card.is_file():
        print(f"\n{card.read_text(encoding='utf-8').rstrip()}")
