"""Chapter 17: a judge of sentences, chosen on the development split, asked once on the test split.

    python -m minibert.course.experiments.ch17_honest

It takes three seeds of a quarter of an hour each.

`minilm`, with the weights of `minilm-mlm` (the same network after more masked words), is trained to
tell acceptable sentences from those that a rule has spoilt (`boolq-acceptability`), with several
learning rates. Of each seed's judges the one with the highest coefficient of Matthews on the
development split is kept; it alone is asked on the test split, about sentences from elsewhere that
were spoilt by the same two rules, and about mistakes of other kinds.

Two earlier attempts with the largest of these rates and fewer sentences (600 and 1,200) ended, for
all of three seeds, in a judge that says "acceptable" to everything. That was seen on the test
split.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import torch

from minibert import (
    BertForMaskedLM,
    BertForSequenceClassification,
    Tokenizer,
    Trainer,
    TrainingConfig,
)
from minibert.course.experiments.harness import run
from minibert.course.texts.acceptability import labelled_sentences, spoil_agreement, spoil_order
from minibert.data.datasets import load_dataset
from minibert.data.examples import Example
from minibert.finetuning.classification import ClassificationDataset, classify
from minibert.finetuning.metrics import accuracy, confusion_matrix, matthews_corrcoef
from minibert.model.lora import merge_adapter

LABELS = ["unacceptable", "acceptable"]


def train_judge(
    learn: Sequence[Example], seed: int, *, epochs: int, learning_rate: float
) -> tuple[BertForSequenceClassification, Tokenizer]:
    """A classifier of sentences, trained on `learn`."""
    tokenizer = Tokenizer.from_pretrained("minilm")
    torch.manual_seed(seed)
    judge = BertForSequenceClassification.from_pretrained(
        "minilm", id2label=dict(enumerate(LABELS)),
        hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
    )  # fmt: skip
    masked = merge_adapter(BertForMaskedLM.from_pretrained("minilm-mlm"))
    judge.bert.load_state_dict(masked.bert.state_dict(), strict=False)  # all but the pooler
    data = ClassificationDataset(learn, tokenizer, labels=LABELS, max_length=64)
    with TemporaryDirectory() as folder:
        plan = TrainingConfig(
            folder, epochs=epochs, batch_size=16, learning_rate=learning_rate, seed=seed,
            precision="float32", device="cpu",
        )  # fmt: skip
        Trainer(judge, plan, data).fit()
    return judge.eval(), tokenizer


def acceptable(
    judge: BertForSequenceClassification, tokenizer: Tokenizer, texts: Sequence[str]
) -> list[float]:
    """The probability of "acceptable" for each text."""
    rows = [Example(text, label="acceptable") for text in texts]
    data = ClassificationDataset(rows, tokenizer, labels=LABELS, max_length=64)
    return [p.probabilities["acceptable"] for p in classify(judge, data)]


def truth(examples: Sequence[Example]) -> list[int]:
    """The numbers of the labels."""
    return [LABELS.index(str(e.label)) for e in examples]


def without_verb(sentence: str) -> str:
    """A mistake of another kind: the verb that could disagree is left out."""
    other = str(spoil_agreement(sentence)).split()
    return " ".join(w for w, o in zip(sentence.split(), other, strict=True) if w == o)


def doubled(sentence: str) -> str:
    """Another one: the word in the middle stands there twice."""
    words = sentence.split()
    middle = len(words) // 2
    return " ".join([*words[:middle], *words[middle - 1 :]])


def backwards(sentence: str) -> str:
    """And one that nobody would make."""
    return " ".join(sentence.rstrip(".").split()[::-1]) + "."


MISTAKES: dict[str, Callable[[str], str | None]] = {
    "agreement": spoil_agreement,
    "order": spoil_order,
    "verb left out": without_verb,
    "word doubled": doubled,
    "backwards": backwards,
}


def elsewhere(name: str) -> list[Example]:
    """Sentences of another source, three in ten spoilt by the same rules."""
    splits = load_dataset(name)
    texts = [e.text for e in splits.train + splits.dev + splits.test]
    return [Example(s.text, label=s.label) for s in labelled_sentences(texts)]


def scored(p: Sequence[float], examples: Sequence[Example]) -> dict[str, Any]:
    """The scores of answers with these probabilities of "acceptable"."""
    said, labels = [int(x > 0.5) for x in p], truth(examples)
    return {
        "sentences": len(examples),
        "accuracy": accuracy(labels, said),
        "mcc": matthews_corrcoef(labels, said),
        "confusion": confusion_matrix(labels, said, 2).tolist(),
    }


def measure(
    seed: int, *, sentences: int, epochs: int, rates: Sequence[float], asked_at_most: int
) -> Any:
    """What the best judge of this seed, by its score on the development split, says of the rest."""
    splits = load_dataset("boolq-acceptability")
    learn = splits.train[:sentences]
    found: dict[str, Any] = {"dev": {}, "score": {}, "caught": {}}
    best: BertForSequenceClassification | None = None
    for rate in rates:
        judge, tokenizer = train_judge(learn, seed, epochs=epochs, learning_rate=rate)
        p = acceptable(judge, tokenizer, [e.text for e in splits.dev])
        found["dev"][str(rate)] = scored(p, splits.dev)
        print(f"  seed {seed}, {rate}: {found['dev'][str(rate)]}", file=sys.stderr, flush=True)
        if best is None or found["dev"][str(rate)]["mcc"] > found["dev"][found["chosen"]]["mcc"]:
            best, found["chosen"] = judge, str(rate)
    assert best is not None
    asked = {"test": splits.test}
    for name in ("editorials", "movies"):
        asked[name] = elsewhere(name)[:asked_at_most]
    for name, part in asked.items():
        p = acceptable(best, tokenizer, [e.text for e in part])
        found["score"][name] = scored(p, part)
        if name == "test":
            found["probabilities"], found["labels"] = [round(x, 4) for x in p], truth(part)
    good = [e.text for e in splits.test if e.label == "acceptable"]
    spoilers: dict[str, Callable[[str], str | None]] = {"nothing wrong": str, **MISTAKES}
    for name, spoil in spoilers.items():
        p = acceptable(best, tokenizer, [str(spoil(text)) for text in good])
        found["caught"][name] = [sum(x <= 0.5 for x in p), len(p)]
    print(f"  seed {seed}: {found['score']['test']}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    os.environ.setdefault("TQDM_DISABLE", "1")
    run(
        "ch17_honest",
        {"sentences": 3349, "epochs": 3, "rates": [3e-4, 1e-4, 3e-5], "asked_at_most": 1000},
        seeds=[0, 1, 2],
        measure=measure,
        quick={"sentences": 64, "epochs": 1, "rates": [1e-4], "asked_at_most": 20},
    )
