"""The same cloze asked of a left-only and of a two-sided model, and what both write (B16, C11).

Two models a seed: the same random start, the same rows of Wikipedia letters, the same hidden
letters in the same order, the same steps. One flag is different, `is_causal`: the one sees what
stands to the left of a hidden letter, the other both sides. Both are then asked for one hidden
letter in each of the same rows from passages that neither has read; and both write: four letters
are given, twelve are `[MASK]`, and these are drawn one after the other. The race is run over
several distances, each from the start and with the learning rate falling to zero at its end.

    python -m minibert.course.experiments.ch07_cloze

It takes five minutes a seed on one free core.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from minibert import BertForMaskedLM
from minibert.course.experiments.harness import run
from minibert.course.experiments.letters import letter_config, letter_rows, letter_tokenizer
from minibert.training.optimization import learning_rate_factor, parameter_groups

MASK = letter_tokenizer().mask_token_id
KINDS = {"left only": True, "two-sided": False}
GIVEN, PIECE = 4, 4  # letters given to a writer; letters of the pieces that are looked up


def train(model: BertForMaskedLM, rows: Tensor, *, steps: int, rate: float, seed: int) -> float:
    """Hide a fifth of the letters of each batch and learn them; the mean loss at the end."""
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=rate)
    losses: list[float] = []
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * learning_rate_factor("linear", step, steps, steps // 20)
        ids = rows[torch.randint(len(rows), (64,), generator=draw)]  # (B, T)
        hidden = torch.rand(ids.shape, generator=draw) < 0.2
        asked = hidden.flatten().nonzero()[:, 0]
        loss = model(ids.masked_fill(hidden, MASK), labels=ids, masked_positions=asked).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return sum(losses[-20:]) / 20


@torch.no_grad()
def cloze(model: BertForMaskedLM, rows: Tensor) -> list[float]:
    """Accuracy by place: row i has its one hole at place i modulo T."""
    count, length = rows.shape
    places = torch.arange(count) % length
    asked = torch.arange(count) * length + places
    ids = rows.flatten().index_fill(0, asked, MASK).view_as(rows)
    right = model(ids, masked_positions=asked).logits.argmax(-1) == rows.flatten()[asked]
    return [round(right[places == p].float().mean().item(), 4) for p in range(length)]


@torch.no_grad()
def write(model: BertForMaskedLM, starts: Tensor, order: list[int], seed: int) -> Tensor:
    """Fill the masks behind (N, GIVEN) letters in the order given, drawing each; (N, T)."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.full((len(starts), GIVEN + len(order)), MASK)
    ids[:, :GIVEN] = starts
    for place in order:
        chances = model(ids).logits[:, place].softmax(-1)
        ids[:, place] = torch.multinomial(chances, 1, generator=draw)[:, 0]
    return ids


def pieces(rows: Tensor) -> list[tuple[int, ...]]:
    """All runs of PIECE letters that were written, row by row."""
    return [tuple(run) for row in rows[:, 1:].unfold(1, PIECE, 1).tolist() for run in row]


def measure(
    seed: int, *, length: int, rows: int, asked: int, steps: Sequence[int], rate: float
) -> Any:
    """By kind of model and number of steps: accuracy by place, loss, and what it writes."""
    learn, unseen = letter_rows("train", length, rows), letter_rows("test", length, asked)
    known = set(pieces(learn))
    starts = unseen[:200, :GIVEN]
    forward = list(range(GIVEN, length))
    shuffled = torch.tensor(forward)[
        torch.randperm(len(forward), generator=torch.Generator().manual_seed(seed))
    ].tolist()
    tokenizer = letter_tokenizer()
    found: dict[str, Any] = {
        "majority": round(unseen.flatten().bincount().max().item() / unseen.numel(), 4)
    }
    real = pieces(unseen[:200])
    found["real"] = round(sum(piece in known for piece in real) / len(real), 4)
    for (kind, is_causal), count in itertools.product(KINDS.items(), steps):
        torch.manual_seed(seed)
        model = BertForMaskedLM(
            letter_config(
                max_position_embeddings=length,
                is_causal=is_causal,
                norm_position="pre",
                initializer_range=0.1,
            )
        )
        loss = train(model, learn, steps=count, rate=rate, seed=seed)
        written = {"left to right": write(model, starts, forward, seed)}
        if not is_causal:
            written["in any order"] = write(model, starts, shuffled, seed)
        found.setdefault(kind, {})[str(count)] = {
            "loss": round(loss, 4),
            "accuracy": cloze(model, unseen),
            "known pieces": {
                order: round(sum(p in known for p in pieces(ids)) / len(pieces(ids)), 4)
                for order, ids in written.items()
            },
            "written": [tokenizer.decode(row) for row in written["left to right"][:8]],
        }
        last = found[kind][str(count)]
        mean = sum(last["accuracy"]) / length
        print(f"  {kind}, {count} steps: {mean:.3f} {last['known pieces']}", flush=True)
    return found


if __name__ == "__main__":
    run(
        "ch07_cloze",
        {"length": 16, "rows": 20_000, "asked": 3200, "steps": [600, 3000, 12000], "rate": 5e-3},
        seeds=[0, 1, 2, 3],
        measure=measure,
        quick={"rows": 2000, "asked": 320, "steps": [5, 6]},
    )
