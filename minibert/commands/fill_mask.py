"""`minibert fill-mask`."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import cast

from minibert import auto
from minibert.heads import BertForMaskedLM, BertForPreTraining
from minibert.prediction import fill_mask
from minibert.tokenizer import Tokenizer


def run(options: Namespace) -> None:
    """Print the most probable words for each [MASK]."""
    model = cast(
        BertForMaskedLM, auto.load_with_head(options.model, BertForMaskedLM, BertForPreTraining)
    )
    tokenizer = Tokenizer.from_pretrained(options.model)
    masks = fill_mask(model, tokenizer, options.text, options.top)
    if options.json:
        content = [
            [{"token": token, "probability": share} for token, share in candidates]
            for candidates in masks
        ]
        print(json.dumps(content, ensure_ascii=False))
        return
    for number, candidates in enumerate(masks, 1):
        if len(masks) > 1:
            print(f"[MASK] {number}")
        for token, share in candidates:
            print(f"{share:7.1%}  {token}")
