"""A small job on real text: Wikipedia passages letter by letter, some letters hidden.

With some seventy different tokens a model of a few layers learns within a minute what tells one
arrangement from another; with thousands of word pieces it would only learn which are frequent.
"""

from __future__ import annotations

import string
from functools import cache
from typing import Any

import torch
from torch import Tensor

from minibert import BertConfig, BertForMaskedLM, Tokenizer
from minibert.course.texts.published import boolq_rows
from minibert.data.sentences import clean
from minibert.data.splits import split_of
from minibert.pretraining.masking import mask_tokens
from minibert.tokenization.files import SPECIAL_TOKENS
from minibert.training.optimization import parameter_groups

_SYMBOLS = string.ascii_lowercase + string.digits + ".,'-()"


@cache
def letter_tokenizer() -> Tokenizer:
    """WordPiece whose pieces are single letters: `be` becomes `b`, `##e`."""
    return Tokenizer.from_vocab(
        [*SPECIAL_TOKENS, *_SYMBOLS, *(f"##{s}" for s in _SYMBOLS if s.isalnum())],
        name="letters",
    )


@cache
def letter_rows(part: str, length: int, rows: int) -> Tensor:
    """The first so many stretches of BoolQ passages on one side of the split, (rows, length)."""
    tokenizer, found, seen = letter_tokenizer(), [], set()
    for row in boolq_rows():
        if split_of(row.title) != part or row.body in seen:
            continue
        seen.add(row.body)
        ids = tokenizer.encode(clean(row.body), add_special_tokens=False)["input_ids"]
        found += [ids[i : i + length] for i in range(0, len(ids) - length + 1, length)]
        if len(found) >= rows:
            return torch.tensor(found[:rows])
    raise ValueError(f"{rows} stretches of {length} letters asked for, {len(found)} found")


def hide(ids: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Corrupt letters as BERT's pre-training does: ids, labels, and where something is asked."""
    tokenizer = letter_tokenizer()
    special = torch.tensor(sorted(tokenizer.special_ids))
    return mask_tokens(
        ids,
        torch.isin(ids, special),
        tokenizer.mask_token_id,
        tokenizer.vocab_size,
        special_ids=special,
        generator=generator,
    )


def letter_config(**changes: Any) -> BertConfig:
    """One layer of 64 without dropout, which is for trainings that see a text more than once."""
    config = BertConfig(
        vocab_size=letter_tokenizer().vocab_size,
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=256,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return config.changed(**changes)


def train_letters(
    model: BertForMaskedLM,
    rows: Tensor,
    steps: int,
    batch: int,
    rate: float,
    seed: int,
) -> list[float]:
    """Fill in hidden letters, for so many steps; the loss at each.

    Args:
        rows: (N, T) ids; batches are drawn from them, the same ones for the same seed.
        rate: of AdamW, reached after a tenth of the steps and falling to zero from there.
    """
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.1, anneal_strategy="linear"
    )
    model.train()
    losses = []
    for _ in range(steps):
        picked = rows[torch.randint(len(rows), (batch,), generator=draw)]
        ids, labels, asked = hide(picked, draw)
        loss = model(ids, labels=labels, masked_positions=asked).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    model.eval()
    return losses


@torch.no_grad()
def letter_scores(model: BertForMaskedLM, rows: Tensor, seed: int = 999) -> tuple[Tensor, Tensor]:
    """Loss and whether the guess is right at each hidden letter of (N, T): two (N, T), else NaN."""
    ids, labels, _ = hide(rows, torch.Generator().manual_seed(seed))
    asked = labels >= 0
    loss = torch.full(rows.shape, torch.nan)
    right = loss.clone()
    for part in torch.arange(len(rows)).split(64):
        logits = model(ids[part]).logits
        where = asked[part]
        targets = labels[part][where]
        found = torch.nn.functional.cross_entropy(logits[where], targets, reduction="none")
        block = loss[part]
        block[where] = found
        loss[part] = block
        block = right[part]
        block[where] = (logits[where].argmax(-1) == targets).float()
        right[part] = block
    return loss, right
