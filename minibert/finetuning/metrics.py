"""Scores for everything the course trains: classes, tags, answers, and how sure a model is.

NumPy arrays (or lists) in, floats between 0 and 1 out. The order of arguments is always
`(labels, predictions)`, truth first, as in scikit-learn; the tests hold every function against
scikit-learn, seqeval, or worked examples of the official SQuAD script.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from minibert.finetuning.calibration import (
    Reliability,
    brier_score,
    expected_calibration_error,
    mean_interval,
    reliability_curve,
    wilson_interval,
)

__all__ = [
    "Reliability",
    "Scores",
    "accuracy",
    "brier_score",
    "class_scores",
    "classification_report",
    "confusion_matrix",
    "entity_f1",
    "entity_report",
    "entity_scores",
    "entity_spans",
    "expected_calibration_error",
    "f1",
    "matthews_corrcoef",
    "mean_interval",
    "normalize_answer",
    "reliability_curve",
    "squad_exact_match",
    "squad_f1",
    "wilson_interval",
]


class Scores(NamedTuple):
    """Precision, recall, their harmonic mean, and how many true cases they rest on."""

    precision: float
    recall: float
    f1: float
    support: int


def _pair(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    truth, guess = np.asarray(labels), np.asarray(predictions)
    if truth.shape != guess.shape:
        raise ValueError(
            f"{len(truth)} labels {truth.shape} but {len(guess)} predictions {guess.shape}: "
            "give one prediction for each label"
        )
    if truth.size == 0:
        raise ValueError("nothing to score: the list of labels is empty")
    return truth, guess


# ---------------------------------------------------------------------------------- classes


def accuracy(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """Fraction of predictions that equal their label.

    For multi-label arrays (N, C) a row counts only if all of it is right (subset accuracy).
    """
    truth, guess = _pair(labels, predictions)
    right = truth == guess
    return float(right.all(axis=1).mean() if right.ndim == 2 else right.mean())


def confusion_matrix(
    labels: npt.ArrayLike, predictions: npt.ArrayLike, num_labels: int | None = None
) -> np.ndarray:
    """Count of each (true class, predicted class): (C, C) int64, a row for each true class.

    Args:
        labels: (N,) class numbers from 0.
        predictions: (N,) class numbers from 0.
        num_labels: C; by default one more than the largest number seen.
    """
    truth, guess = _pair(labels, predictions)
    seen = int(max(truth.max(), guess.max())) + 1
    size = seen if num_labels is None else num_labels
    if size < seen or min(truth.min(), guess.min()) < 0:
        raise ValueError(f"class numbers must be between 0 and {size - 1}")
    return np.bincount(truth * size + guess, minlength=size * size).reshape(size, size)


def class_scores(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> dict[Any, Scores]:
    """Precision, recall and F1 of each class, keyed by class in sorted order.

    Accepts class numbers or names (N,), or a multi-label array of 0 and 1 (N, C), whose
    classes are its columns. A ratio with nothing below the line is 0.
    """
    truth, guess = _pair(labels, predictions)
    if truth.ndim == 2:
        columns = {c: (truth[:, c] == 1, guess[:, c] == 1) for c in range(truth.shape[1])}
    else:
        classes = np.unique(np.concatenate([truth, guess])).tolist()
        columns = {c: (truth == c, guess == c) for c in classes}
    return {
        name: _scores(int((t & g).sum()), int(g.sum()), int(t.sum()))
        for name, (t, g) in columns.items()
    }


def f1(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    average: Literal["binary", "macro", "micro"] = "macro",
    positive: Any = 1,
) -> float:
    """F1, the harmonic mean of precision and recall.

    Args:
        labels: (N,) classes, or (N, C) zeros and ones for a multi-label task.
        predictions: the same shape.
        average: "macro" means over the classes, "micro" pools all decisions, "binary" takes
            the class `positive` alone.
        positive: the class that "binary" takes.
    """
    if average == "micro":
        truth, guess = _pair(labels, predictions)
        if truth.ndim == 1:  # every mistake is one false positive and one false negative
            return accuracy(truth, guess)
        hit = (truth == 1) & (guess == 1)
        return _scores(int(hit.sum()), int((guess == 1).sum()), int((truth == 1).sum())).f1
    by_class = class_scores(labels, predictions)
    if average == "binary":
        return by_class[positive].f1 if positive in by_class else 0.0
    if average != "macro":
        raise ValueError(f"average must be binary, macro or micro, not {average!r}")
    return float(np.mean([scores.f1 for scores in by_class.values()]))


def matthews_corrcoef(labels: npt.ArrayLike, predictions: npt.ArrayLike) -> float:
    """Correlation of prediction and truth, -1 to 1; 0 for any constant answer (C9).

    Matthews (1975) for two classes, Gorodkin (2004) for more. Unlike accuracy it cannot be
    raised by always saying the commoner class.
    """
    truth, guess = _pair(labels, predictions)
    classes = np.unique(np.concatenate([truth, guess]))
    t = (truth[:, None] == classes).astype(np.float64)  # (N, C) one-hot
    g = (guess[:, None] == classes).astype(np.float64)
    t -= t.mean(0)
    g -= g.mean(0)
    spread = (t * t).sum() * (g * g).sum()
    return float((t * g).sum() / np.sqrt(spread)) if spread > 0 else 0.0


def classification_report(
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    names: Sequence[str] | Mapping[int, str] | None = None,
) -> str:
    """A table as text: precision, recall, F1 and support by class, then the macro average.

    Args:
        labels: (N,) classes or (N, C) zeros and ones.
        predictions: the same shape.
        names: what to call the classes, by number; by default the class itself.
    """
    by_class = class_scores(labels, predictions)
    rows = {str(c) if names is None else names[c]: scores for c, scores in by_class.items()}
    return _table(rows, accuracy(labels, predictions))


def _scores(correct: int, predicted: int, true: int) -> Scores:
    precision = correct / predicted if predicted else 0.0
    recall = correct / true if true else 0.0
    both = predicted + true
    return Scores(precision, recall, 2 * correct / both if both else 0.0, true)


def _table(rows: Mapping[str, Scores], overall: float | None) -> str:
    width = max(len("macro average"), *(_columns(name) for name in rows))
    lines = [f"{'':{width}}  precision  recall      F1  support"]
    total = sum(scores.support for scores in rows.values())
    precision, recall, mean_f1 = np.mean([scores[:3] for scores in rows.values()], axis=0)
    average = Scores(precision, recall, mean_f1, total)
    for name, s in {**rows, "macro average": average}.items():
        padded = name + " " * (width - _columns(name))
        lines.append(f"{padded}  {s.precision:9.3f}  {s.recall:6.3f}  {s.f1:6.3f}  {s.support:7d}")
    if overall is not None:
        lines.append(f"{'accuracy':{width}}  {'':9}  {'':6}  {overall:6.3f}  {total:7d}")
    return "\n".join(lines)


def _columns(text: str) -> int:
    # A Chinese character fills two columns of a terminal.
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)


# ---------------------------------------------------------------------------------- entities


def entity_spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The entities that a sentence of tags marks: (type, first word, last word).

    B begins one and I goes on (IOB1, IOB2); E ends one and S is one by itself (IOBES). Other
    spellings are read by `minibert.data.tags.entity_tags`.

    Follows the CoNLL-2000 evaluation script: an `I-` with no entity of its type before it
    opens one, so that a model is not failed for a missing `B-` alone.
    """
    spans: set[tuple[str, int, int]] = set()
    kind, start = "", 0  # the open entity; "" when outside
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, this = tag.partition("-")
        if prefix not in ("B", "I", "E", "S", "O"):
            raise ValueError(f"tag {tag!r} at word {i}: expected O, or B-, I-, E- or S-TYPE")
        this = this or "_"
        goes_on = prefix in ("I", "E") and this == kind
        if kind and not goes_on:
            spans.add((kind, start, i - 1))
            kind = ""
        if prefix != "O" and not goes_on:
            kind, start = this, i
        if prefix in ("E", "S"):
            spans.add((kind, start, i))
            kind = ""
    return spans


def entity_scores(
    labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]
) -> dict[str, Scores]:
    """Precision, recall and F1 of each entity type, counting only exact spans of that type.

    Args:
        labels: one list of tags a sentence, as `entity_spans` reads them.
        predictions: the same lengths.
    """
    correct, predicted, true = _entity_counts(labels, predictions)
    return {k: _scores(correct[k], predicted[k], true[k]) for k in sorted(true | predicted)}


def entity_f1(labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> float:
    """F1 over all entities of all types pooled (micro), as `conlleval` and seqeval report it."""
    counts = _entity_counts(labels, predictions)
    return _scores(*(sum(c.values()) for c in counts)).f1


def entity_report(labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> str:
    """The table of `classification_report` for entity types."""
    rows = entity_scores(labels, predictions)
    return _table(rows, None) if rows else "no entity in the labels or in the predictions"


def _entity_counts(
    labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]
) -> tuple[Counter[str], Counter[str], Counter[str]]:
    if len(labels) != len(predictions) or not len(labels):
        raise ValueError(f"{len(labels)} tagged sentences but {len(predictions)} predictions")
    correct, predicted, true = Counter[str](), Counter[str](), Counter[str]()
    for i, (truth, guess) in enumerate(zip(labels, predictions, strict=True)):
        if len(truth) != len(guess):
            raise ValueError(f"sentence {i}: {len(truth)} tags but {len(guess)} predicted")
        t, g = entity_spans(truth), entity_spans(guess)
        for counter, spans in ((correct, t & g), (predicted, g), (true, t)):
            counter.update(kind for kind, _, _ in spans)
    return correct, predicted, true


# ----------------------------------------------------------------------------------- answers


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation, English articles and spare spaces (Rajpurkar 2016)."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def squad_exact_match(answers: Sequence[str], prediction: str) -> float:
    """1 if the prediction equals one of the accepted answers after normalisation, else 0.

    Args:
        answers: accepted answers of one question; none of them means that it has no answer
            (SQuAD v2), and then only an empty prediction is right.
        prediction: the text predicted; "" for no answer.
    """
    guess = normalize_answer(prediction)
    return float(any(normalize_answer(answer) == guess for answer in answers or [""]))


def squad_f1(answers: Sequence[str], prediction: str) -> float:
    """Overlap of words with the best accepted answer, as the official SQuAD script counts it."""
    return max(_word_f1(answer, prediction) for answer in answers or [""])


def _word_f1(answer: str, prediction: str) -> float:
    truth, guess = normalize_answer(answer).split(), normalize_answer(prediction).split()
    if not truth or not guess:  # no answer: right only if both say so
        return float(truth == guess)
    shared = sum((Counter(truth) & Counter(guess)).values())
    return 2 * shared / (len(truth) + len(guess))
