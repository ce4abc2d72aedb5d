"""What a model does beyond the length it was trained on, sinusoidal against learned (claim B8).

Constructed data: rows of random symbols; at each place the model must name the symbol two places
before. Nothing but positions can tell it which that is. Trained on rows of 32, asked on rows of 96.

    python -m minibert.course.experiments.ch04_length [--quick]
"""

from __future__ import annotations

import torch
from torch import Tensor

from minibert import BertConfig, BertForTokenClassification
from minibert.course.experiments.harness import run
from minibert.model.loss import IGNORE_INDEX

SYMBOLS, BACK = 8, 2


def symbol_rows(count: int, length: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random symbols (count, length), and at each place the one two before it; -100 at first."""
    ids = torch.randint(SYMBOLS, (count, length), generator=draw)
    labels = ids.roll(BACK, dims=1)
    labels[:, :BACK] = IGNORE_INDEX
    return ids, labels


def right_by_place(kind: str, seed: int, trained: int, asked: int, steps: int) -> Tensor:
    """Train one small model; the share of right answers at each place of longer rows, (asked,)."""
    config = BertConfig(
        vocab_size=SYMBOLS,
        num_labels=SYMBOLS,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.1,
        max_position_embeddings=asked,
        position_embedding_type=kind,
    )
    torch.manual_seed(seed)
    draw = torch.Generator().manual_seed(seed)
    model = BertForTokenClassification(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    model.train()
    for _ in range(steps):
        ids, labels = symbol_rows(32, trained, draw)
        optimizer.zero_grad()
        model(ids, labels=labels).loss.backward()
        optimizer.step()
    model.eval()
    ids, labels = symbol_rows(500, asked, draw)
    with torch.no_grad():
        right: Tensor = (model(ids).logits.argmax(-1) == labels).float().mean(0)
    right[:BACK] = torch.nan  # nothing is asked there
    return right


def measure(seed: int, *, trained: int, asked: int, steps: int) -> dict[str, list[float | None]]:
    """The share of right answers at each place, for both kinds."""
    found = {}
    for kind in ("learned", "sinusoidal"):
        right = right_by_place(kind, seed, trained, asked, steps)
        found[kind] = [None if x != x else round(x, 3) for x in right.tolist()]
        inside, outside = right[BACK:trained].mean(), right[trained:].mean()
        print(f"  {kind}: {inside:.2f} inside the trained length, {outside:.2f} beyond", flush=True)
    return found


if __name__ == "__main__":
    run(
        "ch04_length",
        {"trained": 32, "asked": 96, "steps": 400},
        seeds=[0, 1, 2, 3, 4],
        measure=measure,
        quick={"steps": 40},
    )
