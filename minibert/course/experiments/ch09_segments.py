"""Do segment embeddings tell BERT the first text from the second? Taken away, and never had (B20).

Two of the course's models are asked about held-out pairs as they are, and with one of the marks
taken away: the segment vectors zeroed, every token called A, the two names exchanged, the
separator between the texts replaced by a full stop. Then two small models learn both pre-training
tasks on a constructed world (`small_world.py`, with households), one with segments and one in
whose batches every token is called A, so that the separator is all it has.

    python -m minibert.course.experiments.ch09_segments

It takes two minutes on one free core.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from minibert import BertForPreTraining, Tokenizer
from minibert.course.experiments.ch09_nsp import descend
from minibert.course.experiments.harness import run
from minibert.course.experiments.small_world import documents, model_config, tokenizer
from minibert.data.corpora import load_corpus
from minibert.pretraining.corpus import TokenCorpus
from minibert.pretraining.dataset import PretrainingDataset
from minibert.training.batching import epoch_batches, seeded

SHIPPED = {"course-en": ("boolq", "."), "course-zh": ("people-zh", "。")}


def asked(dataset: PretrainingDataset, pairs: int, seed: int) -> dict[str, Tensor]:
    """So many pairs that nothing has been masked in, with their labels."""
    chosen = torch.randperm(len(dataset.points), generator=seeded(seed))[:pairs].numpy()
    batch = dataset.collate(chosen, seeded(seed, 1))
    labels = batch.pop("labels")
    batch["input_ids"] = torch.where(labels == -100, batch["input_ids"], labels)
    del batch["masked_positions"]
    return batch


def right_answers(model: Any, batch: dict[str, Tensor], words: Tokenizer, stop: str) -> Any:
    """Of how many pairs the answer is right: as they are, and with each mark taken away."""
    given = dict(batch)
    truth, ids, segments = (
        given.pop(name) for name in ("next_sentence_label", "input_ids", "token_type_ids")
    )
    zeroed = deepcopy(model)
    zeroed.bert.embeddings.segment.weight.data.zero_()
    middle = (ids == words.sep_token_id) & (segments == 0)
    full_stop = ids.masked_fill(middle, words.vocab[stop])
    tried = {
        "as trained": (model, ids, segments),
        "segment vectors zeroed": (zeroed, ids, segments),
        "everything called A": (model, ids, torch.zeros_like(segments)),
        "A and B exchanged": (model, ids, 1 - segments),
        "[SEP] between them replaced": (model, full_stop, segments),
    }
    found = {}
    for name, (net, tokens, types) in tried.items():
        with torch.no_grad():
            pooled = net.bert(tokens, token_type_ids=types, **given).pooler_output
            found[name] = int((net.nsp(pooled).argmax(-1) == truth).sum())
    return found


def measure(
    seed: int, *, pairs: int, width: int, length: int, read: int, steps: int, rate: float
) -> dict[str, Any]:
    """One seed: `pairs` questions to each shipped model, and one small model of either kind."""
    result: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        for name, (corpus, stop) in SHIPPED.items():
            words = Tokenizer.from_pretrained(name)
            held_out = TokenCorpus.build(load_corpus(corpus).test, words, Path(folder) / name)
            batch = asked(PretrainingDataset(held_out, words, 128, "mlm+nsp"), pairs, seed)
            model = BertForPreTraining.from_pretrained(name).eval()
            result[name] = right_answers(model, batch, words, stop)
        words = tokenizer()
        learn, new = (
            PretrainingDataset(
                TokenCorpus.build(
                    documents(size, number, households=True), words, Path(folder) / str(number)
                ),
                words,
                length,
                "mlm+nsp",
            )
            for number, size in enumerate((read, 300))
        )
        batch = asked(new, 10 * pairs, seed)
        for arm in ("with segments", "without segments"):
            torch.manual_seed(seed)
            model = BertForPreTraining(model_config(words, width, length))
            order = (b for e in count() for b in epoch_batches(learn.lengths, 32, seed, e))
            batches = (learn.collate(b, seeded(seed, i)) for i, b in enumerate(order))
            if arm == "without segments":
                batches = (
                    {**b, "token_type_ids": torch.zeros_like(b["token_type_ids"])} for b in batches
                )
            descend(model, batches, steps, rate, seed)
            result[arm] = right_answers(model, batch, words, ".")
            print(f"seed {seed}, {arm}: {result[arm]}", flush=True)
    return result


if __name__ == "__main__":
    run(
        "ch09_segments",
        {
            "pairs": 60,  # asked of each shipped model, ten times as many of each small one
            "width": 64,
            "length": 40,
            "read": 30000,  # documents
            "steps": 2500,
            "rate": 2e-3,
        },
        seeds=[0],
        measure=measure,
        quick={"pairs": 4, "read": 1000, "steps": 10},
    )
