"""Does `[CLS]` hold the meaning before fine-tuning, or does fine-tuning put it there? Claim A17.

    python -m minibert.course.experiments.ch11_equal

It takes three seeds, some forty minutes on one core.

All learners get the same few labelled texts, drawn by the seed, and are asked about the same
unseen ones, the whole test split: linear probes on the frozen network (its `[CLS]`, its pooler, the
mean of its tokens, the mean of what went in), a logistic regression on TF-IDF counts, and the
network itself, fine-tuned on just these texts. A probe on the `[CLS]` of the fine-tuned network
tells what became of the place. Twice: `minilm` on sentences of film reviews, `course-zh` on Chinese
reviews. The learning rate of fine-tuning is the best of `rates` on the development split, for each
seed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from minibert import BertForSequenceClassification, Tokenizer, Trainer, TrainingConfig
from minibert.course.analysis.probing import text_vectors
from minibert.course.experiments.harness import run
from minibert.data.datasets import load_dataset
from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.evaluate import evaluate

SOURCES = {"minilm": ("movies", "word"), "course-zh": ("reviews-zh", "char")}


def probed(learn: Tensor, unseen: Tensor, y: np.ndarray, truth: np.ndarray) -> float:
    """Accuracy of a linear map from vectors (N, d), fitted to the end: the chapter's own probe."""
    map_ = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    return float(map_.fit(learn.numpy(), y).score(unseen.numpy(), truth))


def fine_tuned(
    base: str, learn: ClassificationDataset, seed: int, *, steps: int, learning_rate: float
) -> BertForSequenceClassification:
    """The network after `steps` steps on all of `learn`, every weight free to move."""
    torch.manual_seed(seed)
    net = BertForSequenceClassification.from_pretrained(
        base, id2label=dict(enumerate(learn.label_names)),
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        plan = TrainingConfig(
            folder, batch_size=16, seed=seed, precision="float32", device="cpu",
            max_steps=steps, learning_rate=learning_rate,
        )  # fmt: skip
        Trainer(net, plan, learn).fit()
    return net.eval()


def measure(seed: int, *, labels: int, steps: int, rates: Sequence[float], length: int) -> Any:
    """Accuracy on the test split of every learner, for both networks."""
    found: dict[str, Any] = {}
    for base, (name, unit) in SOURCES.items():
        splits, tokenizer = load_dataset(name), Tokenizer.from_pretrained(base)
        drawn = np.random.default_rng(seed).permutation(len(splits.train))[:labels]
        names = sorted({str(example.label) for example in splits.train})
        learn, dev, test = (
            ClassificationDataset(part, tokenizer, names, max_length=length)
            for part in ([splits.train[i] for i in drawn], splits.dev, splits.test)
        )
        assert learn.targets is not None
        assert test.targets is not None
        y, truth = learn.targets, test.targets
        counts = TfidfVectorizer(analyzer=unit, ngram_range=(1, 2))
        bag = make_pipeline(counts, LogisticRegression(C=10.0, max_iter=2000))
        scores = {"TF-IDF": float(bag.fit(learn.texts, y).score(test.texts, truth))}

        frozen = BertForSequenceClassification.from_pretrained(base, num_labels=2).bert
        x, new = text_vectors(frozen, learn), text_vectors(frozen, test)
        assert x.pooled is not None
        assert new.pooled is not None
        for way, old_vectors, new_vectors in (
            ("frozen [CLS]", x.cls[-1], new.cls[-1]),
            ("frozen pooler", x.pooled, new.pooled),
            ("frozen mean", x.mean[-1], new.mean[-1]),
            ("mean of what went in", x.mean[0], new.mean[0]),
        ):
            scores[way] = probed(old_vectors, new_vectors, y, truth)

        on_dev, nets = {}, {}
        for rate in rates:
            nets[rate] = fine_tuned(base, learn, seed, steps=steps, learning_rate=rate)
            on_dev[rate] = evaluate(nets[rate], dev).metrics["accuracy"]
        best = max(rates, key=lambda rate: on_dev[rate])
        scores["fine-tuned"] = evaluate(nets[best], test).metrics["accuracy"]
        x, new = text_vectors(nets[best].bert, learn), text_vectors(nets[best].bert, test)
        scores["[CLS] after fine-tuning"] = probed(x.cls[-1], new.cls[-1], y, truth)
        found[base] = {
            "unseen": len(test.texts),
            "accuracy": scores,
            "dev": {str(rate): score for rate, score in on_dev.items()},
            "chosen": str(best),
        }
        print(f"  seed {seed}, {base}: {found[base]}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    run(
        "ch11_equal",
        {"labels": 240, "steps": 150, "rates": [5e-5, 1e-4, 3e-4], "length": 64},
        seeds=[0, 1, 2],
        measure=measure,
        quick={"labels": 40, "steps": 4, "rates": [1e-4]},
    )
