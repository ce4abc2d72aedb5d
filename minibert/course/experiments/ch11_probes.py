"""Chapter 11: what linear probes read, by place and by layer, on whole test splits.

    python -m minibert.course.experiments.ch11_probes

Claims A17, A21, B31, C7. It takes some minutes on one core, all in one run, "seed" 0. The labelled
texts are drawn five times, and every probe is asked about the whole test split. An interval is a
bootstrap over both, the drawn labelled texts *and* the texts asked about: draws and texts are drawn
again with replacement, and the mean taken, a thousand times.

`word there?` is asked of `[CLS]` alone: does the text contain *the*, *not*, ...? Texts with and
without the word are as many, so that guessing gives one half; the score is the mean over the words.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from minibert import BertForSequenceClassification, BertModel, Tokenizer
from minibert.course.analysis.probing import TextVectors, text_vectors, token_vectors
from minibert.course.experiments.harness import run
from minibert.data.datasets import load_dataset
from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.tagging import TaggingDataset
from minibert.model.lora import merge_adapter

DRAWS, LABELLED, RESAMPLES = 5, 240, 1000
WORDS = ("not", "film", "with", "more", "you", "one", "all", "as")
Array = np.ndarray
Draw = Callable[[np.random.Generator, Array], Array]


def probe() -> Any:
    """The chapter's linear map, fitted to the end."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))


def interval(right: Array, seed: int = 0) -> list[float]:
    """Mean of `right` (draws, texts) and its 95 % interval over both."""
    rng = np.random.default_rng(seed)
    draws, texts = right.shape
    means = [
        right[rng.integers(0, draws, draws)][:, rng.integers(0, texts, texts)].mean()
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(means, (0.025, 0.975))
    return [round(float(x), 4) for x in (right.mean(), low, high)]


def some(rng: np.random.Generator, y: Array) -> Array:
    """Places of LABELLED examples."""
    return rng.permutation(len(y))[:LABELLED]


def balanced(rng: np.random.Generator, y: Array, size: int = 250) -> Array:
    """Places of as many examples of either class."""
    return np.concatenate([rng.permutation(np.flatnonzero(y == c))[:size] for c in (0, 1)])


def asked(x: Array, y: Array, new: Array, truth: Array, draw: Draw) -> Array:
    """(draws, texts) bool: which unseen ones a probe got right."""
    found = []
    for seed in range(DRAWS):
        pick = draw(np.random.default_rng(seed), y)
        found.append(probe().fit(x[pick], y[pick]).predict(new) == truth)
    return np.array(found)


def layers(x: Any, y: Array, new: Any, truth: Array, draw: Draw) -> list[list[float]]:
    """`interval` of every layer of (L + 1, N, d)."""
    return [
        interval(asked(a.numpy(), y, b.numpy(), truth, draw)) for a, b in zip(x, new, strict=True)
    ]


def counted(learn: ClassificationDataset, unseen: ClassificationDataset, unit: str) -> list[float]:
    """`interval` of a logistic regression on TF-IDF."""
    found = []
    y, truth = np.asarray(learn.targets), np.asarray(unseen.targets)
    for seed in range(DRAWS):
        pick = some(np.random.default_rng(seed), y)
        bag = make_pipeline(
            TfidfVectorizer(analyzer=unit, ngram_range=(1, 2)),
            LogisticRegression(C=10.0, max_iter=2000),
        )
        bag.fit([learn.texts[i] for i in pick], y[pick])
        found.append(bag.predict(unseen.texts) == truth)
    return interval(np.array(found))


def word_there(x: TextVectors, learn: list[str], new: TextVectors, unseen: list[str]) -> Any:
    """By layer of `[CLS]`: mean accuracy over `WORDS` of telling whether a text has the word."""
    scores = np.zeros((len(WORDS), len(x.cls)))
    for row, word in enumerate(WORDS):
        y, truth = (
            np.array([bool(re.search(rf"\b{word}\b", text.lower())) for text in texts])
            for texts in (learn, unseen)
        )
        rng = np.random.default_rng(0)
        pick = balanced(rng, y, min(250, int(y.sum())))
        even = balanced(rng, truth, int(truth.sum()))
        for layer, (a, b) in enumerate(zip(x.cls, new.cls, strict=True)):
            judge = probe().fit(a.numpy()[pick], y[pick])
            scores[row, layer] = judge.score(b.numpy()[even], truth[even])
    return scores.mean(0).round(4).tolist()


def measure(seed: int, *, every: int) -> Any:
    """All of it, with every `every`-th unseen text."""
    del seed
    found: dict[str, Any] = {"places": {}, "layers": {}, "unseen": {}}
    for base, name, unit, step, length in (
        ("minilm", "movies", "word", 6, 48),
        ("course-zh", "reviews-zh", "char", 42, 64),
    ):
        splits, tokenizer = load_dataset(name), Tokenizer.from_pretrained(base)
        learn, unseen = (
            ClassificationDataset(part, tokenizer, max_length=length, truncation="longest_first")
            for part in (splits.train[::step], splits.test[::every])
        )
        y, truth = np.asarray(learn.targets), np.asarray(unseen.targets)
        encoder = BertModel.from_pretrained(base)
        x, new = text_vectors(encoder, learn), text_vectors(encoder, unseen)
        print(f"  {base}: {len(unseen)} unseen texts", file=sys.stderr, flush=True)
        ways = {
            "mean of what went in": (x.mean[0], new.mean[0]),
            "pooler": (x.pooled, new.pooled),
            "[CLS]": (x.cls[-1], new.cls[-1]),
            "first token": (x.first[-1], new.first[-1]),
            "[SEP]": (x.sep[-1], new.sep[-1]),
            "mean of all tokens": (x.mean[-1], new.mean[-1]),
        }
        if base == "course-zh":
            net = BertForSequenceClassification.from_pretrained("course-zh-reviews")
            tuned = merge_adapter(net).bert
            tx, tnew = text_vectors(tuned, learn), text_vectors(tuned, unseen)
            ways |= {
                "fine-tuned [CLS]": (tx.cls[-1], tnew.cls[-1]),
                "fine-tuned first token": (tx.first[-1], tnew.first[-1]),
                "fine-tuned [SEP]": (tx.sep[-1], tnew.sep[-1]),
            }
        found["places"][base] = {
            way: interval(asked(a.numpy(), y, b.numpy(), truth, some))
            for way, (a, b) in ways.items()
            if a is not None and b is not None
        }
        found["places"][base]["TF-IDF"] = counted(learn, unseen, unit)
        found["unseen"][base] = [len(unseen), max(float((truth == c).mean()) for c in (0, 1))]
        found["layers"][f"{base}: friendly? (mean)"] = layers(x.mean, y, new.mean, truth, some)
        found["layers"][f"{base}: friendly? ([CLS])"] = layers(x.cls, y, new.cls, truth, some)
        if base == "minilm":
            found["word there?"] = word_there(x, learn.texts, new, unseen.texts)
    found |= names_and_places(every, found)
    return found


def names_and_places(every: int, found: dict[str, Any]) -> dict[str, Any]:
    """Two questions about single characters, for `course-zh`."""
    splits, tokenizer = load_dataset("people-zh"), Tokenizer.from_pretrained("course-zh")
    short = [[e for e in part if 10 <= len(e.words) <= 30] for part in (splits.train, splits.test)]
    tags = sorted({tag for e in short[0] for tag in e.tags})
    learn, unseen = (
        TaggingDataset(part, tokenizer, labels=tags)
        for part in (short[0][::60], short[1][:: 2 * every])
    )
    encoder = BertModel.from_pretrained("course-zh")
    old, new = token_vectors(encoder, learn), token_vectors(encoder, unseen)
    y, truth = ((one.labels != tags.index("O")).numpy() for one in (old, new))
    even = balanced(np.random.default_rng(99), truth, int(truth.sum()))
    found["layers"]["course-zh: in a name?"] = layers(
        old.states, y, new.states[:, even], truth[even], balanced
    )
    place = [one.position.numpy() for one in (old, new)]
    middle = np.flatnonzero(place[1] <= 20)
    middle = np.random.default_rng(98).permutation(middle)[:4000]
    found["layers"]["course-zh: late in the text?"] = layers(
        old.states, place[0] > 10, new.states[:, middle], place[1][middle] > 10, balanced
    )
    found["unseen"]["characters"] = [len(even), len(middle)]
    return found


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    run("ch11_probes", {"every": 1}, seeds=[0], measure=measure, quick={"every": 40})
