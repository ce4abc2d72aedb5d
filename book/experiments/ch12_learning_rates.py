"""Chapter 12: how large a learning rate, and how many epochs, does fine-tuning need?

    python book/experiments/ch12_learning_rates.py          three seeds, about 10 minutes

Claim D10. `course-zh` with a fresh classifier learns from a few hundred Chinese reviews at
learning rates from far too small to far too large; accuracy on unseen reviews after each epoch.
The seed draws the training reviews, the classifier's first weights, the order and the dropout.
The rate falls in a straight line to zero at the end of the last epoch, without a warm-up.
"""

from __future__ import annotations

import random
from tempfile import TemporaryDirectory

import numpy as np
import torch

from book.experiments.harness import run
from minibert import BertForSequenceClassification, Tokenizer, Trainer, TrainingConfig
from minibert.datasets import load_dataset
from minibert.encoding import ClassificationDataset
from minibert.evaluation import metrics_for

LABELS = ["negative", "positive"]


def accuracies(
    rate: float, seed: int, train: ClassificationDataset, test: ClassificationDataset, epochs: int
) -> list[float]:
    """Accuracy on the test reviews after each epoch of fine-tuning at one learning rate."""
    torch.manual_seed(seed)
    model = BertForSequenceClassification.from_pretrained(
        "course-zh", id2label=dict(enumerate(LABELS))
    )
    batch = 16
    with TemporaryDirectory() as folder:
        settings = TrainingConfig(
            folder,
            epochs=epochs,
            batch_size=batch,
            learning_rate=rate,
            warmup_ratio=0.0,
            eval_every=-(-len(train) // batch),
            seed=seed,
            precision="float32",
            device="cpu",
        )
        log = Trainer(model, settings, train, test, metrics_for(test)).fit()
    return [round(entry["eval_accuracy"], 4) for entry in log if "eval_accuracy" in entry]


def measure(
    seed: int, *, rates: list[float], epochs: int, examples: int, unseen: int, max_length: int
) -> dict[str, list[float]]:
    """Learning rate → accuracy after each epoch; and the share of the commoner label."""
    reviews = load_dataset("reviews-zh")
    tokenizer = Tokenizer.from_pretrained("course-zh")
    drawn = random.Random(seed).sample(reviews.train, examples)
    train, test = (
        ClassificationDataset(part, tokenizer, labels=LABELS, max_length=max_length)
        for part in (drawn, reviews.test[:: len(reviews.test) // unseen][:unseen])
    )
    found = {f"{rate:g}": accuracies(rate, seed, train, test, epochs) for rate in rates}
    return found | {"majority": [float(np.mean(test.targets).round(4))]}


if __name__ == "__main__":
    run(
        "ch12_learning_rates",
        {
            "rates": [1e-6, 1e-5, 1e-4, 1e-3, 1e-2],
            "epochs": 3,
            "examples": 320,
            "unseen": 200,
            "max_length": 32,
        },
        seeds=[0, 1, 2],
        measure=measure,
        quick={"rates": [1e-3], "epochs": 1, "examples": 64, "unseen": 50},
    )
