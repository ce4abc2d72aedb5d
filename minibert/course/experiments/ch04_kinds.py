"""Learned against sinusoidal positions on real text, and beyond the trained length (C10, B8).

The same small BERT fills in hidden letters of Wikipedia passages three times over: with learned
positions, with the sinusoidal table as it is, and with the same table shrunk to the size at which
the learned ones start. Data, order of the data, start, steps and sizes are the same. It is
trained on 24 letters at a time and asked on 72.

    python -m minibert.course.experiments.ch04_kinds [--quick]
"""

from __future__ import annotations

from typing import Any

import torch

from minibert import BertForMaskedLM
from minibert.course.experiments.harness import run
from minibert.course.experiments.letters import (
    letter_config,
    letter_rows,
    letter_scores,
    train_letters,
)

SPREAD = 0.1  # of the first weights: BERT's 0.02 is for rows of 768, these have 64


def with_positions(kind: str, seed: int, length: int) -> BertForMaskedLM:
    """A fresh model with one of the kinds of positions; all else equal for equal seeds."""
    torch.manual_seed(seed)
    model = BertForMaskedLM(letter_config(initializer_range=SPREAD, max_position_embeddings=length))
    if kind == "learned":
        return model
    fixed = BertForMaskedLM(
        letter_config(max_position_embeddings=length, position_embedding_type="sinusoidal")
    )
    fixed.load_state_dict(model.state_dict(), strict=False)  # the same draw for all that is shared
    if kind == "sinusoidal, small":
        fixed.bert.embeddings.position.mul_(SPREAD * 2**0.5)
    return fixed


def measure(
    seed: int,
    *,
    kinds: list[str],
    trained: int,
    asked: int,
    rows: int,
    steps: int,
    batch: int,
    rate: float,
) -> dict[str, dict[str, Any]]:
    """Held-out loss and accuracy by stretch of `trained` letters, for each kind."""
    learn, unseen = letter_rows("train", trained, rows), letter_rows("dev", asked, 300)
    found: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        model = with_positions(kind, seed, asked)
        losses = train_letters(model, learn, steps, batch, rate, seed)
        scores = letter_scores(model, unseen)
        by_stretch = [[part.nanmean().item() for part in s.split(trained, 1)] for s in scores]
        every = max(1, steps // 20)
        found[kind] = {
            "loss": [round(x, 4) for x in by_stretch[0]],
            "accuracy": [round(x, 4) for x in by_stretch[1]],
            "training": [
                round(sum(losses[i : i + every]) / every, 4) for i in range(0, steps, every)
            ],
            "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        }
        print(f"  {kind}: loss {found[kind]['loss'][0]}", flush=True)
    return found


if __name__ == "__main__":
    run(
        "ch04_kinds",
        {
            "kinds": ["learned", "sinusoidal", "sinusoidal, small"],
            "trained": 24,
            "asked": 72,
            "rows": 5000,
            "steps": 6000,
            "batch": 16,
            "rate": 3e-3,
        },
        seeds=range(8),
        measure=measure,
        quick={"steps": 20, "rows": 2000},
    )
