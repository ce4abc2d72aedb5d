"""`minibert export`."""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from minibert import weights
from minibert.cli import models
from minibert.cli.options import check_new_folder
from minibert.finetuning.settings import TASK_FILE
from minibert.model.lora import merge_adapter
from minibert.tokenization.tokenizer import Tokenizer
from minibert.weights.pickled import convert_pickled


def run(options: Namespace) -> None:
    """Write the model again, in another precision or with its adapter folded in."""
    check_new_folder(Path(options.out))
    if options.pickled:
        with TemporaryDirectory() as folder:
            convert_pickled(weights.resolve(options.model, pickled=True), Path(folder))
            options.model, options.pickled = folder, False
            run(options)
        return
    source, out = weights.resolve(options.model), Path(options.out)
    model = models.load(options.model)
    tokenizer = Tokenizer.from_pretrained(options.model)
    if options.merge and model.adapter is not None:
        merge_adapter(model)
    model.save_pretrained(out, dtype=getattr(torch, options.dtype))
    tokenizer.save_pretrained(out)
    for name in ("log.jsonl", "metrics.json", "training_config.json", "CARD.md", TASK_FILE):
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)
    print(f"{out}: {sum(file.stat().st_size for file in out.iterdir()) / 1e6:.1f} MB")
