"""Chapter 12: which learning rate, and how many epochs, does fine-tuning want? Claim D10.

    python -m minibert.course.experiments.ch12_learning_rate

It takes three seeds, about ten minutes on one core.

`minilm` is fine-tuned on a part of the film reviews, with one learning rate after the other, and
asked about the same unseen reviews (of the dev split) after every epoch. The rate warms up over a
tenth of the steps and falls to zero at the end of the last epoch. The seed draws the part, the new
head, the order and the dropout.
"""

from __future__ import annotations

import random
from tempfile import TemporaryDirectory
from typing import Any

import torch

from minibert import BertForSequenceClassification, Tokenizer, Trainer, TrainingConfig, load_dataset
from minibert.course.experiments.harness import run
from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.metrics import accuracy

LABELS = ["negative", "positive"]


def measure(
    seed: int, *, rates: list[float], epochs: int, learn: int, unseen: int
) -> dict[str, Any]:
    """For each rate the accuracy on unseen reviews after each epoch, and the training loss."""
    movies = load_dataset("movies")
    tokenizer = Tokenizer.from_pretrained("minilm")
    part = random.Random(seed).sample(movies.train, learn)
    data, held_out = (
        ClassificationDataset(examples, tokenizer, labels=LABELS, max_length=64)
        for examples in (part, random.Random(0).sample(movies.dev, unseen))
    )
    found: dict[str, Any] = {}
    for rate in rates:
        by_epoch: list[float] = []

        def score(results: Any, by_epoch: list[float] = by_epoch) -> dict[str, float]:
            truth, said = [], []
            for _, batch, output in results:
                truth += batch["labels"].tolist()
                said += output.logits.argmax(-1).tolist()
            by_epoch.append(accuracy(truth, said))
            return {"accuracy": by_epoch[-1]}

        torch.manual_seed(seed)
        net = BertForSequenceClassification.from_pretrained(
            "minilm", id2label=dict(enumerate(LABELS)),
            hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
        )  # fmt: skip
        with TemporaryDirectory() as folder:
            training = TrainingConfig(
                folder, epochs=epochs, batch_size=16, learning_rate=rate, seed=seed,
                precision="float32", device="cpu",
            )  # fmt: skip
            history = Trainer(net, training, data, held_out, score).fit()
        losses = [entry["loss"] for entry in history if "loss" in entry]
        found[f"{rate:g}"] = {"accuracy": by_epoch, "last_loss": losses[-1]}
    return found


if __name__ == "__main__":
    run(
        "ch12_learning_rate",
        {"rates": [2e-6, 2e-5, 1e-4, 5e-4, 2e-3], "epochs": 4, "learn": 480, "unseen": 400},
        seeds=[0, 1, 2],
        measure=measure,
        quick={"rates": [1e-4], "epochs": 2, "learn": 64, "unseen": 64},
    )
