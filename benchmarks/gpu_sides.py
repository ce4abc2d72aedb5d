"""The two sides that `gpu.py` compares, and the texts that both of them read."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from itertools import islice
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor

from minibert import BertConfig, TrainingConfig
from minibert.model import heads
from minibert.model.pretrained import PretrainedModel
from minibert.pretraining.corpus import TokenCorpus
from minibert.pretraining.dataset import PretrainingDataset
from minibert.pretraining.masking import mask_tokens
from minibert.training.devices import autocast
from minibert.training.optimization import parameter_groups
from minibert.training.packing import packed_batches
from minibert.training.steps import Steps, on_device, pinned

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
VOCABULARY = 30522
BUDGET = 65536  # tokens of a step
QUICK = "--quick" in sys.argv  # a rehearsal
# Twentieths of the distribution of tokens: sentences and, in sentences, passages.
SENTENCES = [1, 11, 14, 16, 17, 19, 20, 22, 23, 25, 27, 28, 30, 32, 35, 37, 40, 44, 50, 59, 120]
PASSAGES = [8, 36, 48, 58, 66, 74, 80, 87, 94, 101, 109, 116, 123, 132, 141, 152, 167, 185, 207]
PASSAGES += [250, 420]


class Words:
    """A tokenizer, as far as a data set of ids asks for one."""

    pad_token_id, cls_token_id, sep_token_id, mask_token_id = 0, 2, 3, 4
    special_ids = frozenset(range(5))

    def __init__(self) -> None:
        self.vocab_size = 1000 if QUICK else VOCABULARY


def corpus(documents: int = 12_000) -> TokenCorpus:
    """Passages of random ids, as long and in as long sentences as the BoolQ passages."""
    rng = np.random.default_rng(0)
    twentieths = np.linspace(0, 1, 21)
    sizes = np.interp(rng.random(20 * documents), twentieths, SENTENCES).astype(np.int64)
    wanted = np.interp(rng.random(documents), twentieths, PASSAGES)
    ends, starts, first = np.cumsum(sizes), [0], 0
    for tokens in wanted:
        first = int(np.searchsorted(ends, starts[-1] + tokens)) + 1
        starts.append(int(ends[first - 1]))
    tokens = rng.integers(5, 1000 if QUICK else VOCABULARY, starts[-1]).astype(np.uint16)
    return TokenCorpus(tokens, np.append(0, ends[: first - 1]), np.array(starts[:-1]))


def texts(length: int, objective: str = "mlm+nsp") -> PretrainingDataset:
    """Rows of at most so many tokens out of such passages."""
    return PretrainingDataset(corpus(), Words(), length, objective)  # type: ignore[arg-type]


# ---------------------------------------------------------------- the two sides


def pair(
    config: BertConfig, ours: type[PretrainedModel], theirs: str
) -> tuple[PretrainedModel, torch.nn.Module]:
    """A model of each side on the GPU, with the same weights."""
    torch.manual_seed(0)
    with DEVICE:
        mine = ours(config)
    with tempfile.TemporaryDirectory() as folder:
        mine.save_pretrained(folder)
        kind = getattr(transformers, theirs)
        other: torch.nn.Module = kind.from_pretrained(
            folder, attn_implementation="sdpa", dtype=torch.float32
        )
    return mine.to(DEVICE), other.to(DEVICE)


class Side:
    """One side of a comparison: steps of forward, backward, clip and fused AdamW, on batches.

    Args:
        model: in training from here on.
        batches: lists of parts, a step each.
        precision: of autocast.
        compiling: for `torch.compile`, which is not used where `None`.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        batches: list[list[dict[str, Any]]],
        precision: str = "bf16",
        compiling: dict[str, Any] | None = None,
    ) -> None:
        self.model, self.batches, self.precision = model.train(), batches, precision
        self.optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=1e-4, fused=True)
        self.run: Any = model if compiling is None else torch.compile(model, **compiling)

    def step(self, parts: list[dict[str, Any]]) -> None:
        """One step."""
        for part in parts:
            with autocast(self.precision, DEVICE):
                loss = self.run(**on_device(part, DEVICE)).loss
            (loss / len(parts)).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def seconds(self) -> float:
        """Of a step, on average over the batches."""
        wait()
        started = time.perf_counter()
        for parts in self.batches:
            self.step(parts)
        wait()
        return (time.perf_counter() - started) / len(self.batches)


def wait() -> None:
    """Until the GPU has done what it was given."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def in_turns(ours: Side, theirs: Side, rounds: int) -> tuple[float, float, list[float]]:
    """Median seconds of a step of each side, and theirs over ours, round by round."""
    for side in (ours, theirs):
        side.seconds()  # what compiles, and what is slow at first
    pairs = [(ours.seconds(), theirs.seconds()) for _ in range(rounds)]
    ratios = [b / a for a, b in pairs]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratios


def plain(batch: dict[str, Tensor], *without: str) -> dict[str, Tensor]:
    """A batch on the GPU, without what a side does not know."""
    names = set(batch) - {"masked_positions", *without}
    return {name: batch[name].to(DEVICE) for name in sorted(names)}


def preset(name: str, **changes: Any) -> BertConfig:
    """A configuration; in a rehearsal the smallest."""
    size = "tiny" if QUICK else name
    vocabulary = {"vocab_size": 1000 if QUICK else VOCABULARY}
    return BertConfig.preset(size, **{**vocabulary, **changes})


def varied(
    config: BertConfig, data: PretrainingDataset, count: int
) -> tuple[list[Any], list[list[dict[str, Any]]], tuple[float, float]]:
    """The same rows for both sides: ours packed, theirs 64 at a time, padded to their longest.

    Returns:
        our steps; theirs, of as many rows in parts; real tokens of a step of each.
    """
    budget = 2048 if QUICK else BUDGET
    settings = TrainingConfig("unused", batch_tokens=budget)
    with torch.device("meta"):
        model = heads.BertForPreTraining(config)
    ours = list(islice(Steps(model, settings, data).since(0), count))
    ours = [
        step._replace(parts=[part._replace(batch=pinned(part.batch)) for part in step.parts])
        for step in ours
    ]
    indices = np.concatenate(list(islice(packed_batches(data.token_counts, budget, 0), count)))
    rows = 4 if QUICK else 64
    parts = []
    for first in range(0, len(indices) - rows + 1, rows):
        chosen = indices[first : first + rows]
        batch = data.collate(chosen, torch.Generator().manual_seed(first))
        batch.pop("masked_positions")
        parts.append(batch)
    a_step = max(1, round(len(parts) / count))
    parts = parts[: len(parts) // a_step * a_step]
    theirs = [
        [pinned(part) for part in parts[first : first + a_step]]
        for first in range(0, len(parts), a_step)
    ]
    real = sum(int(part["attention_mask"].sum()) for part in parts) / len(theirs)
    return ours, theirs, (statistics.mean(step.work.tokens for step in ours), real)


def full_rows(rows: int, length: int) -> dict[str, Tensor]:
    """Random ids without padding, 15 % of them masked."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = 1000 if QUICK else VOCABULARY
    ids = torch.randint(5, vocabulary, (rows, length), generator=generator)
    special = torch.zeros(rows, length, dtype=torch.bool)
    special[:, [0, length // 2, -1]] = True
    ids, labels, positions = mask_tokens(
        ids, special, 4, vocabulary, special_ids=torch.arange(5), generator=generator
    )
    return {
        "input_ids": ids,
        "token_type_ids": (torch.arange(length) > length // 2).long().repeat(rows, 1),
        "labels": labels,
        "masked_positions": positions,
        "next_sentence_label": torch.randint(0, 2, (rows,), generator=generator),
    }
