"""Does next sentence prediction help with pairs of texts? MLM alone against both (claim B29).

Small models read the same constructed documents (`small_world.py`, with households) for the same
number of steps: plain text with the masked-language-model loss alone, pairs with that loss alone
(the rows of the next arm, whose label nobody asks for), or pairs with next sentence prediction
beside it. Then each is fine-tuned, alike, on two tasks with pairs of texts:

- match: two single sentences; are they about the same household? (much like NSP itself)
- truth: a story, and a sentence that says something that is so in the story, or the same with the
  other person or the other thing of that household (which NSP asks only where a random second
  half happens to come from the same household)

A fourth model starts from nothing.

    python -m minibert.course.experiments.ch09_nsp

It takes half an hour on one core.
"""

from __future__ import annotations

import random
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from minibert import BertForPreTraining, BertForSequenceClassification
from minibert.course.experiments.harness import run
from minibert.course.experiments.small_world import (
    PERSONS,
    SENTENCES,
    THINGS,
    documents,
    facts_of_a_household,
    model_config,
    tell,
    tokenizer,
)
from minibert.pretraining.corpus import TokenCorpus
from minibert.pretraining.dataset import PretrainingDataset, Subset
from minibert.pretraining.metrics import pretraining_metrics
from minibert.training.batching import epoch_batches, seeded
from minibert.training.inference import run_inference
from minibert.training.optimization import learning_rate_factor, parameter_groups

ARMS = {
    "MLM alone": "mlm",
    "MLM on pairs": "mlm+nsp",
    "MLM + NSP": "mlm+nsp",
    "from nothing": None,
}
Pairs = list[tuple[str, str, int]]


def match(size: int, seed: int) -> Pairs:
    """Two sentences, drawn apart, of one household (1) or of two (0)."""
    rng = random.Random(seed)
    pairs: Pairs = []
    while len(pairs) < size:
        one, two = facts_of_a_household(rng), facts_of_a_household(rng)
        same = len(pairs) % 2
        if (one["place"] == two["place"]) == bool(same):
            pairs.append((tell(one, rng, 1)[0], tell(two, rng, 1)[0], same))
    return pairs


def truth(size: int, seed: int) -> Pairs:
    """A story and a sentence on its person and thing (1), or with one of them exchanged (0)."""
    rng = random.Random(seed)
    pairs: Pairs = []
    about_both = [s for s in SENTENCES if "{person}" in s and "{thing}" in s]
    while len(pairs) < size:
        facts = facts_of_a_household(rng)
        story = tell(facts, rng, 3)
        if not any(facts["thing"] in sentence for sentence in story):
            continue
        told, true = dict(facts), len(pairs) % 2
        if not true:
            name, all_of_them = rng.choice((("person", PERSONS), ("thing", THINGS)))
            told[name] = all_of_them[all_of_them.index(told[name]) ^ 1]  # the neighbour
        pairs.append((" ".join(story), rng.choice(about_both).format(**told), true))
    return pairs


def without(batch: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """A batch with one entry left out."""
    return {key: value for key, value in batch.items() if key != name}


def descend(model: Any, batches: Any, steps: int, rate: float, seed: int) -> None:
    """The bare training loop."""
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=rate)
    model.train()
    for step, batch in zip(range(steps), batches, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = rate * learning_rate_factor("linear", step, steps, steps // 10)
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def measure(
    seed: int,
    *,
    width: int,
    length: int,
    read: int,
    steps: int,
    rate: float,
    labelled: int,
    tuning_steps: int,
    tuning_rate: float,
) -> dict[str, Any]:
    """One seed of all arms."""
    words = tokenizer()
    shape = model_config(words, width, length)
    result: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        parts = {
            name: TokenCorpus.build(
                documents(size, number, households=True), words, Path(folder) / name
            )
            for name, size, number in (("train", read, 0), ("new", 300, 1))
        }
        for arm, objective in ARMS.items():
            torch.manual_seed(seed)
            model = BertForPreTraining(shape)
            result[arm] = {}
            if objective is not None:
                dataset = PretrainingDataset(parts["train"], words, length, objective)
                order = (b for e in count() for b in epoch_batches(dataset.lengths, 32, seed, e))
                batches = (dataset.collate(b, seeded(seed, i)) for i, b in enumerate(order))
                if arm == "MLM on pairs":
                    batches = (without(batch, "next_sentence_label") for batch in batches)
                descend(model, batches, steps, rate, seed)
                new = PretrainingDataset(parts["new"], words, length, "mlm+nsp")
                held_out = pretraining_metrics(
                    run_inference(model, Subset(new, 300)), words.mask_token_id
                )
                result[arm] |= {k: round(held_out[k], 4) for k in ("masked_accuracy",)}
                if arm == "MLM + NSP":
                    result[arm]["nsp_accuracy"] = round(held_out["nsp_accuracy"], 4)
            for name, make in (("match", match), ("truth", truth)):
                result[arm][name] = tune(
                    model, make, words, seed, labelled, tuning_steps, tuning_rate
                )
            print(f"seed {seed}, {arm}: {result[arm]}", flush=True)
    return result


def tune(
    pretrained: BertForPreTraining,
    make: Any,
    words: Any,
    seed: int,
    labelled: int,
    steps: int,
    rate: float,
) -> float:
    """Fine-tune a copy on a task; its accuracy on pairs that were not trained on."""
    torch.manual_seed(seed)
    model = BertForSequenceClassification(pretrained.config)
    model.bert.load_state_dict(pretrained.bert.state_dict())

    def encode(pairs: Pairs) -> dict[str, torch.Tensor]:
        first, second, labels = zip(*pairs, strict=True)
        batch = words(list(first), list(second), padding=True)
        return {**batch, "labels": torch.tensor(labels)}

    learn = encode(make(labelled, seed=100 + seed))
    order = [torch.randperm(labelled, generator=seeded(seed, e))[:32] for e in range(steps)]
    descend(model, ({k: v[rows] for k, v in learn.items()} for rows in order), steps, rate, seed)
    new = encode(make(500, seed=99))
    with torch.no_grad():
        right: torch.Tensor = model(**new).logits.argmax(-1) == new["labels"]
    return round(right.float().mean().item(), 4)


if __name__ == "__main__":
    run(
        "ch09_nsp",
        {
            "width": 64,
            "length": 40,
            "read": 30000,  # documents
            "steps": 2500,
            "rate": 2e-3,
            "labelled": 4000,
            "tuning_steps": 600,
            "tuning_rate": 1e-3,
        },
        seeds=[0, 1, 2, 3],
        measure=measure,
        quick={"read": 1000, "steps": 10, "labelled": 200, "tuning_steps": 5},
    )
