"""Chapter 13: how many labelled requests does a classifier need? Claim B28.

    python -m minibert.course.experiments.ch13_labels

It takes three seeds, some five minutes on one core.

Three learners are given the same few labelled requests, chosen at random by the seed, as many of
each label as of the others, and asked about the same unseen ones
(the dev and the test split, 66 in all): `minilm` with a fresh head; the same network with all its
weights drawn at random; and a logistic regression on TF-IDF counts of words and pairs of words.
The two networks are trained alike, for `steps` steps whatever the number of requests.
"""

from __future__ import annotations

import os
import random
import sys
from tempfile import TemporaryDirectory
from typing import Any

import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from minibert import BertForSequenceClassification, Tokenizer, Trainer, TrainingConfig
from minibert.course.experiments.harness import run
from minibert.data.datasets import load_dataset
from minibert.data.examples import Example
from minibert.finetuning.classification import ClassificationDataset, classify
from minibert.finetuning.metrics import accuracy

LABELS = ["hardware", "software", "billing"]


def draw(examples: list[Example], count: int, seed: int) -> list[Example]:
    """`count` examples, a third of each label; all of them where there are no more."""
    if count >= len(examples):
        return examples
    chosen: list[Example] = []
    for label in LABELS:
        of_label = [e for e in examples if e.label == label]
        chosen += random.Random(f"{seed} {label}").sample(of_label, count // len(LABELS))
    return chosen


def fine_tune(
    learn: list[Example], unseen: list[Example], pretrained: bool, seed: int, **plan: Any
) -> float:
    """Accuracy on `unseen` after training on `learn`."""
    tokenizer = Tokenizer.from_pretrained("minilm")
    data, held_out = (
        ClassificationDataset(part, tokenizer, labels=LABELS, max_length=64)
        for part in (learn, unseen)
    )
    torch.manual_seed(seed)
    net = BertForSequenceClassification.from_pretrained(
        "minilm", id2label=dict(enumerate(LABELS)),
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
    )  # fmt: skip
    if not pretrained:
        net = BertForSequenceClassification(net.config)
    with TemporaryDirectory() as folder:
        training = TrainingConfig(
            folder, batch_size=min(16, len(data)), seed=seed, precision="float32", device="cpu",
            max_steps=plan["steps"], learning_rate=plan["learning_rate"],
        )  # fmt: skip
        Trainer(net, training, data).fit()
    said = [LABELS.index(str(p.label)) for p in classify(net, held_out)]
    assert held_out.targets is not None  # every request has its label
    return accuracy(held_out.targets, said)


def count_words(learn: list[Example], unseen: list[Example]) -> float:
    """Accuracy on `unseen` of a logistic regression on TF-IDF."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=10.0, max_iter=1000),
    )
    model.fit([e.text for e in learn], [e.label for e in learn])
    return float(model.score([e.text for e in unseen], [e.label for e in unseen]))


def measure(seed: int, *, sizes: list[int], steps: int, learning_rate: float) -> Any:
    """Accuracy of each learner at each number of labelled requests."""
    splits = load_dataset("requests")
    unseen = splits.dev + splits.test
    plan = {"steps": steps, "learning_rate": learning_rate}
    found: dict[str, dict[str, float]] = {"minilm": {}, "random start": {}, "TF-IDF": {}}
    for size in sizes:
        learn = draw(splits.train, size, seed)
        found["TF-IDF"][str(len(learn))] = count_words(learn, unseen)
        for name in ("minilm", "random start"):
            pretrained = name == "minilm"
            found[name][str(len(learn))] = fine_tune(learn, unseen, pretrained, seed, **plan)
        last = {name: round(by_size[str(len(learn))], 3) for name, by_size in found.items()}
        print(f"  {len(learn)} requests: {last}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    run(
        "ch13_labels",
        {"sizes": [6, 24, 96], "steps": 30, "learning_rate": 3e-4},
        seeds=[0, 1, 2],
        measure=measure,
        quick={"sizes": [6], "steps": 3},
    )
