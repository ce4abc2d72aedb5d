"""Pre-training beside `transformers`: tokens a second on the same batches.

Both sides: 4 layers of 256, 4 heads, vocabulary 8,192, batches of 64 x 128, masked words and next
sentences, dropout 0.1, forward, backward, clipping and fused AdamW. `transformers` runs
`BertForPreTraining` with scaled-dot-product attention. Ours is the trainer's step: it is told where
the masked words are, and on a CPU keeps the memory of large tensors between steps. What that alone
gains is a row as well, for masked words and for a causal model, whose scores of every position are
by far the largest tensors.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
import transformers
from harness import Row, in_turns, now, row, void
from torch import Tensor

from minibert import BertConfig, BertForCausalLM, BertForPreTraining
from minibert.pretraining.masking import mask_tokens
from minibert.training.allocation import kept_memory
from minibert.training.devices import DTYPES, autocast, has_native_bf16
from minibert.training.optimization import parameter_groups
from minibert.training.throughput import Work

CPU = torch.device("cpu")
VOCABULARY = 8192
GOALS = {"float32": (3.0, 0.8), "bf16": (4.5, 0.4)}  # beside the peer, and of the matrix rate


def make_batch(seed: int, rows: int, length: int) -> dict[str, Tensor]:
    """Random ids, corrupted as in pre-training; no padding."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, (rows, length), generator=generator)
    special = torch.zeros(rows, length, dtype=torch.bool)
    special[:, [0, length // 2, -1]] = True
    corrupted, labels, positions = mask_tokens(
        ids, special, 4, VOCABULARY, special_ids=torch.arange(5), generator=generator
    )
    return {
        "input_ids": corrupted,
        "token_type_ids": (torch.arange(length) > length // 2).long().expand(rows, length),
        "labels": labels,
        "masked_positions": positions,
        "next_sentence_label": torch.randint(0, 2, (rows,), generator=generator),
    }


def plain(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The reference knows nothing of masked positions: it predicts all of them."""
    return {name: value for name, value in batch.items() if name != "masked_positions"}


def pair(config: BertConfig) -> tuple[BertForPreTraining, torch.nn.Module]:
    """A model of each side with the same weights."""
    torch.manual_seed(0)
    ours = BertForPreTraining(config)
    with tempfile.TemporaryDirectory() as folder:
        ours.save_pretrained(folder)
        theirs: torch.nn.Module = transformers.BertForPreTraining.from_pretrained(
            folder, attn_implementation="sdpa", dtype=torch.float32
        )
    return ours, theirs


def stepper(model: torch.nn.Module, precision: str) -> Callable[[dict[str, Tensor]], float]:
    """A function that takes one optimizer step and returns its seconds."""
    model.train()
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=1e-4, fused=True)

    def step(batch: dict[str, Tensor]) -> float:
        started = now()
        with autocast(precision, CPU):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return now() - started

    return step


def turn(
    step: Callable[[dict[str, Tensor]], float],
    batch: dict[str, Tensor],
    memory: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> float:
    """Seconds of a step, the second of two: the first of a turn finds or loses its memory."""
    with memory():
        step(batch)
        return step(batch)


def matrix_rate(precision: str, size: int) -> float:
    """FLOPs a second of a large matrix product: what the processor can at best."""
    a, b = (torch.randn(size, size).to(DTYPES[precision]) for _ in range(2))
    (taken,) = in_turns([lambda: a @ b], 8, warm=2)
    return 2 * size**3 / statistics.median(taken)


def pretraining(quick: bool) -> Iterator[Row]:
    """Rows of both precisions, and of what keeping memory gains."""
    rows, length, rounds = (4, 16, 1) if quick else (64, 128, 5)
    name = f"pre-training, mini, {rows} x {length}"
    config = BertConfig.preset("tiny" if quick else "mini", vocab_size=VOCABULARY)
    for precision, (floor, share_floor) in GOALS.items():
        told = f"{name}, {precision}"
        if precision == "bf16" and not has_native_bf16(CPU):
            why = "this processor has no bf16 products (AVX-512 BF16 or AMX)"
            yield void(told, "tokens/s", why, floor)
            continue
        mine, other = pair(config)
        batch = make_batch(0, rows, length)
        with torch.no_grad():
            losses = [float(m.eval()(**b).loss) for m, b in ((mine, batch), (other, plain(batch)))]
        if abs(losses[0] - losses[1]) > 1e-4:
            yield void(told, "tokens/s", f"the losses differ: {losses}", floor)
            continue
        ours, theirs = stepper(mine, precision), stepper(other, precision)
        ours(batch), theirs(plain(batch))
        pairs = []
        for number in range(rounds):
            batch = make_batch(number, rows, length)
            pairs.append((turn(ours, batch, kept_memory), turn(theirs, plain(batch))))
        took, took_theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        speeds = rows * length / took, rows * length / took_theirs
        yield row(told, "tokens/s", *speeds, [b / a for a, b in pairs], floor)
        rate = matrix_rate(precision, 256 if quick else 2048)
        share = Work.of(mine, batch).flops / took / rate
        yield row(f"{told}, of the matrix rate", "fraction", share, floor=share_floor)
    ids = make_batch(0, rows, length)["input_ids"]
    torch.manual_seed(0)
    cases: dict[str, tuple[torch.nn.Module, dict[str, Tensor]]] = {
        "masked": (BertForPreTraining(config), make_batch(0, rows, length)),
        "causal": (
            BertForCausalLM(replace(config, is_causal=True)),
            {"input_ids": ids, "labels": ids},
        ),
    }
    for kind, (model, batch) in cases.items():
        step = stepper(model, "float32")
        pairs = [(turn(step, batch, kept_memory), turn(step, batch)) for _ in range(min(rounds, 3))]
        took, took_without = (statistics.median(side) for side in zip(*pairs, strict=True))
        speeds = rows * length / took, rows * length / took_without
        ratios = [b / a for a, b in pairs]
        yield row(f"memory kept between steps, {kind}", "tokens/s, and without", *speeds, ratios)
