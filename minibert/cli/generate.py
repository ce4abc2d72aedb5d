"""`minibert generate`."""

from __future__ import annotations

from argparse import Namespace
from typing import cast

import torch

from minibert.cli import models
from minibert.cli.computing import computing
from minibert.model.generation import generate
from minibert.model.heads import BertForCausalLM
from minibert.tokenization.rows import encode_rows
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training.batching import seeded
from minibert.training.devices import autocast


def run(options: Namespace) -> None:
    """Print how a causal model continues a text."""
    if options.seed < 0:
        raise ValueError(f"seed must not be negative: {options.seed}")
    model = cast(BertForCausalLM, models.load_with_head(options.model, BertForCausalLM))
    tokenizer = Tokenizer.from_pretrained(options.model)
    (row,), _ = encode_rows(tokenizer, [options.text])
    device, precision, _ = computing(options)
    with autocast(precision, device):
        ids = generate(
            model.to(device),
            torch.tensor([row.ids[:-1]]),  # without [SEP], which would end it
            options.max_new_tokens,
            eos_token_id=tokenizer.sep_token_id,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            generator=seeded(options.seed, device=device),
        )
    print(tokenizer.decode(ids[0]))
