"""Metrics on generated predictions, held against scikit-learn, seqeval and the rules of SQuAD."""

from __future__ import annotations

import collections
import math
import random
import re
import string
import warnings
from collections.abc import Callable, Iterator

from faults.tally import Tally


def measures(tries: int, seed: int = 0) -> Iterator[Tally]:
    """Each of the comparisons so many times."""
    compared: dict[str, Callable[[random.Random], None]] = {
        "classification metrics equal scikit-learn's": _classes,
        "multi-label metrics equal scikit-learn's": _several,
        "entity metrics equal seqeval's": _entities,
        "answer metrics equal the rules of SQuAD": _answers,
    }
    for name, compare in compared.items():
        rng, tally = random.Random(seed), Tally(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of both libraries, about classes that are not there
            for number in range(tries):
                with tally.case(f"draw {number}"):
                    compare(rng)
        yield tally


def _same(ours: float, theirs: float) -> None:
    assert math.isclose(ours, theirs, abs_tol=1e-9), f"{ours} instead of {theirs}"


def _classes(rng: random.Random) -> None:
    import sklearn.metrics as sk

    from minibert.finetuning import metrics

    kinds, size = rng.randint(1, 6), rng.randint(1, 60)
    truth, guess = ([rng.randrange(kinds) for _ in range(size)] for _ in range(2))
    _same(metrics.accuracy(truth, guess), sk.accuracy_score(truth, guess))
    macro = sk.f1_score(truth, guess, average="macro", zero_division=0)
    _same(metrics.f1(truth, guess, "macro"), macro)
    _same(metrics.f1(truth, guess, "micro"), sk.f1_score(truth, guess, average="micro"))
    if len({*truth, *guess}) > 1:
        _same(metrics.matthews_corrcoef(truth, guess), sk.matthews_corrcoef(truth, guess))
    columns = sk.precision_recall_fscore_support(truth, guess, zero_division=0)
    for number, scores in enumerate(metrics.class_scores(truth, guess).values()):
        for ours, column in zip(scores, columns, strict=True):
            _same(ours, column[number])


def _several(rng: random.Random) -> None:
    import numpy as np
    import sklearn.metrics as sk

    from minibert.finetuning import metrics

    draw = np.random.default_rng(rng.randrange(2**32))
    truth, guess = draw.integers(0, 2, (2, rng.randint(1, 40), rng.randint(2, 6)))
    for average in ("macro", "micro"):
        theirs = sk.f1_score(truth, guess, average=average, zero_division=0)
        _same(metrics.f1(truth, guess, average), theirs)
    _same(metrics.accuracy(truth, guess), sk.accuracy_score(truth, guess))


def _entities(rng: random.Random) -> None:
    import seqeval.metrics

    from minibert.finetuning import metrics

    tags = ("O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    sizes = [rng.randint(1, 15) for _ in range(rng.randint(1, 8))]
    truth, guess = ([[rng.choice(tags) for _ in range(n)] for n in sizes] for _ in range(2))
    _same(metrics.entity_f1(truth, guess), seqeval.metrics.f1_score(truth, guess, zero_division=0))


_WORDS = ("the", "a", "an", "The", "cat", "cats", "U.S.", "1,000", "(x)", "Köln", "上海", "—", "?!")


def _answers(rng: random.Random) -> None:
    from minibert.finetuning import metrics

    def text() -> str:
        words = [rng.choice(_WORDS) for _ in range(rng.randint(0, 6))]
        return rng.choice((" ", "  ", ", ", "\n")).join(words)

    truths, guess = [text() for _ in range(rng.randint(1, 4))], text()
    exact = max(float(_normal(truth) == _normal(guess)) for truth in truths)
    _same(metrics.squad_exact_match(truths, guess), exact)
    _same(metrics.squad_f1(truths, guess), max(_word_f1(truth, guess) for truth in truths))


def _normal(text: str) -> str:
    """`normalize_answer` of evaluate-v2.0.py."""
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def _word_f1(truth: str, guess: str) -> float:
    """`compute_f1` of evaluate-v2.0.py."""
    truths, guesses = _normal(truth).split(), _normal(guess).split()
    if not truths or not guesses:
        return float(truths == guesses)
    same = sum((collections.Counter(truths) & collections.Counter(guesses)).values())
    if not same:
        return 0.0
    precision, recall = same / len(guesses), same / len(truths)
    return 2 * precision * recall / (precision + recall)
