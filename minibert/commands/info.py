"""`minibert info`."""

from __future__ import annotations

from argparse import Namespace

import torch

from minibert import auto, checkpoint
from minibert.inspection import parameter_table


def run(options: Namespace) -> None:
    """Print what a model is: shape, parameters, labels, and the card where it has one."""
    kind = auto.architecture(options.model)
    folder = checkpoint.resolve(options.model)
    config = checkpoint.read_config(folder)
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
    if (folder / checkpoint.ADAPTER_CONFIG_FILE).is_file():
        adapter = checkpoint.read_json(folder / checkpoint.ADAPTER_CONFIG_FILE)
        print(f"\nadapter: rank {adapter['rank']} beside {adapter['base']}")
    card = folder / "CARD.md"
    if card.is_file():
        print(f"\n{card.read_text(encoding='utf-8').rstrip()}")
