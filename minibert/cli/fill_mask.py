"""`minibert fill-mask`."""

from __future__ import annotations

from argparse import Namespace
from typing import cast

from minibert.cli import models
from minibert.cli.computing import computing
from minibert.data.strict_json import dump_json
from minibert.model.heads import BertForMaskedLM, BertForPreTraining
from minibert.pretraining.fill_mask import fill_mask
from minibert.tokenization.tokenizer import Tokenizer


def run(options: Namespace) -> None:
    """Print the most probable words for each [MASK]."""
    model = cast(
        BertForMaskedLM, models.load_with_head(options.model, BertForMaskedLM, BertForPreTraining)
    )
    tokenizer = Tokenizer.from_pretrained(options.model)
    device, precision, _ = computing(options)
    masks = fill_mask(model.to(device), tokenizer, options.text, options.top, precision)
    if options.json:
        content = [
            [{"token": token, "probability": chance} for token, chance in candidates]
            for candidates in masks
        ]
        print(dump_json(content))
        return
    for number, candidates in enumerate(masks, 1):
        if len(masks) > 1:
            print(f"[MASK] {number}")
        for token, chance in candidates:
            print(f"{chance:7.1%}  {token}")
