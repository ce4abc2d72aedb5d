"""`minibert generate`."""

from __future__ import annotations

from argparse import Namespace
from typing import cast

import torch

from minibert import auto
from minibert.batching import seeded
from minibert.encoding import encode_rows
from minibert.generation import generate
from minibert.heads import BertForCausalLM
from minibert.tokenizer import Tokenizer


def run(options: Namespace) -> None:
    """Print how a causal model goes on with a text."""
    model = cast(BertForCausalLM, auto.load_with_head(options.model, BertForCausalLM))
    tokenizer = Tokenizer.from_pretrained(options.model)
    (row,), _ = encode_rows(tokenizer, [options.text])
    ids = generate(
        model,
        torch.tensor([row.ids[:-1]]),  # without [SEP], which would end it
        options.max_new_tokens,
        eos_token_id=tokenizer.sep_token_id,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        generator=seeded(options.seed),
    )
    print(tokenizer.decode(ids[0]))
