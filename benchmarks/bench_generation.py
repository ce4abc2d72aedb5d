"""Greedy continuation with a cache beside `transformers.generate`: the same weights and prompts.

Prompts of 16 random tokens. The tokens that come out must be the same, or the row is void.
`most` is the ratio that would be had if every new token took the model's matrix products and
nothing else: on a CPU the weights are read from memory for each token, by both sides.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
import transformers
from harness import Row, compared, in_turns, void
from torch import nn

from minibert import BertConfig, BertForCausalLM, generate


def generation(quick: bool) -> Iterator[Row]:
    """Rows of two sizes, one text and sixteen at a time."""
    cases = (("mini", 1, 96), ("mini", 16, 48), ("base", 1, 32), ("base", 16, 16))
    for name, rows, new in cases:
        told = f"generation, {name}, {rows} x {new}"
        size, new, rounds = ("tiny", 4, 1) if quick else (name, new, 5)
        torch.manual_seed(0)
        # The usual 0.02 makes logits so alike that the last bit of a sum decides between two.
        config = BertConfig.preset(size, vocab_size=30522, is_causal=True, initializer_range=0.1)
        mine = BertForCausalLM(config).eval()
        with tempfile.TemporaryDirectory() as folder:
            mine.save_pretrained(folder)
            other = transformers.BertLMHeadModel.from_pretrained(folder, dtype=torch.float32)
        other.eval()
        prompt = torch.randint(5, 900, (rows, 16))
        options = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False}
        mask = torch.ones_like(prompt)
        sides: list[Callable[[], Any]] = [
            partial(generate, mine, prompt, new),
            partial(other.generate, prompt, attention_mask=mask, pad_token_id=0, **options),
        ]
        ours, theirs = (side() for side in sides)
        sides.append(partial(products, mine, rows, new))
        if not torch.equal(ours, theirs):
            equal = float((ours == theirs).all(1).float().mean())
            yield void(told, "tokens/s", f"only {equal:.0%} of the rows are the same", 2.0)
            continue
        taken, others, bare = in_turns(sides, rounds, warm=0)
        most = statistics.median(others) / statistics.median(bare)
        yield compared(told, "tokens/s", rows * new, taken, others, 2.0, most=most)


@torch.no_grad()
def products(model: BertForCausalLM, rows: int, new: int) -> None:
    """What no implementation can leave out: each matrix times the rows, for each new token."""
    matrices = [part.weight for part in model.modules() if isinstance(part, nn.Linear)]
    matrices.append(model.bert.embeddings.token.weight)  # the output matrix, too
    inputs = [torch.zeros(rows, matrix.shape[1]) for matrix in matrices]
    for _ in range(new):
        for matrix, given in zip(matrices, inputs, strict=True):
            F.linear(given, matrix)
