"""The baseline that every text classifier has to beat: counted words and a linear model.

TF-IDF weights with logistic regression (a ridge regression for numbers), from scikit-learn where it
is installed. It reads no order and knows no meaning, and takes about a second; of very many texts
it reads a part.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minibert.finetuning import metrics
from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.settings import THRESHOLD
from minibert.model.config import MULTI_LABEL, REGRESSION

# Scripts that put no space between words: Chinese, Japanese, Thai, Lao, Khmer, Burmese.
_UNSPACED = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
)
_MANY = 5000  # texts; what occurs in only one of so many is left out
_FEATURES = 100_000
_MOST = 50_000  # texts that are counted: the pairs of words of a million would take gigabytes
_PENALTIES = (1.0, 10.0)  # inverse strengths of regularisation; the development split chooses
LOSS = "mean_squared_error"


def is_available() -> bool:
    """Whether scikit-learn is installed."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return False
    return True


def score_word_counts(
    train: ClassificationDataset, held_out: Mapping[str, ClassificationDataset], metric: str
) -> dict[str, float]:
    """What counted words reach on the splits that a model is measured on.

    Args:
        train: what the linear model is fitted to, or 50,000 texts drawn from it.
        held_out: "dev" and "test", where there are such. "dev" decides on the regularisation.
        metric: "accuracy", "f1_macro", "f1_micro" or "mean_squared_error".

    Returns:
        by split, the value of `metric`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of iterations, and of labels that every text has
        return _score(train, held_out, metric)


def _score(
    train: ClassificationDataset, held_out: Mapping[str, ClassificationDataset], metric: str
) -> dict[str, float]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts, targets = _texts(train), train.targets
    assert targets is not None
    if len(texts) > _MOST:
        drawn = np.sort(np.random.default_rng(0).choice(len(texts), _MOST, replace=False))
        texts, targets = [texts[number] for number in drawn], targets[drawn]
    counter = TfidfVectorizer(
        **_form(texts),
        sublinear_tf=True,
        min_df=2 if len(texts) > _MANY else 1,
        max_features=_FEATURES,
    )
    seen = counter.fit_transform(texts)
    counted = {split: counter.transform(_texts(dataset)) for split, dataset in held_out.items()}
    sign = -1 if metric == LOSS else 1
    candidates = []
    for penalty in _PENALTIES:
        model = _model(train, penalty).fit(seen, targets)
        candidates.append(
            {
                split: _measured(dataset, model, counted[split], metric)
                for split, dataset in held_out.items()
            }
        )
    return max(candidates, key=lambda scores: sign * scores.get("dev", 0.0))


def _texts(dataset: ClassificationDataset) -> list[str]:
    if dataset.pairs is None:
        return dataset.texts
    return [f"{text}\n{pair}" for text, pair in zip(dataset.texts, dataset.pairs, strict=True)]


def _form(texts: Sequence[str]) -> dict[str, Any]:
    """Words and pairs of them; characters, up to three, where a script has no spaces."""
    sample = "".join(texts[:: max(1, len(texts) // 200)])
    if 10 * len(_UNSPACED.findall(sample)) > len(sample) or not re.search(r"\w", sample):
        return {"analyzer": "char", "ngram_range": (1, 3)}
    return {"token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2)}


def _model(train: ClassificationDataset, penalty: float) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multiclass import OneVsRestClassifier

    if train.problem_type == REGRESSION:
        return Ridge(alpha=1 / penalty)
    classifier = LogisticRegression(C=penalty, max_iter=200)
    return OneVsRestClassifier(classifier) if train.problem_type == MULTI_LABEL else classifier


def _measured(dataset: ClassificationDataset, model: Any, counted: Any, metric: str) -> float:
    assert dataset.targets is not None
    if metric == LOSS:
        return float(((model.predict(counted) - dataset.targets) ** 2).mean())
    truth = dataset.targets.astype(np.int64)
    if dataset.problem_type == MULTI_LABEL:
        predicted = (model.predict_proba(counted) > THRESHOLD).astype(np.int64)
    else:
        predicted = model.predict(counted).astype(np.int64)
    if metric == "accuracy":
        return metrics.accuracy(truth, predicted)
    return metrics.f1(truth, predicted, "micro" if metric == "f1_micro" else "macro")
