"""How good a fine-tuned model is: the metrics that the trainer logs and `minibert evaluate` prints.

Both come from the same loop over the same batches, in the same precision, so that a number in the
log of a training and the one in the report are the same number; but for how sure a model is (brier,
calibration_error), once a temperature has been fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minibert.data.tags import entity_tags
from minibert.finetuning import metrics
from minibert.finetuning.answering import AnsweringDataset, answers
from minibert.finetuning.calibration import Reliability, brier_score, reliability_curve, scaled
from minibert.finetuning.calibration import expected_calibration_error as calibration_error
from minibert.finetuning.classification import ClassificationDataset, predicted_scores
from minibert.finetuning.comparison import Outcomes
from minibert.finetuning.settings import THRESHOLD
from minibert.finetuning.tagging import TaggingDataset, tagged_sentences
from minibert.model.config import MULTI_LABEL, REGRESSION
from minibert.model.pretrained import PretrainedModel
from minibert.training.inference import Inference, run_inference

Results = Iterable[Inference]
Dataset = ClassificationDataset | TaggingDataset | AnsweringDataset
_ALL_THE_SAME = 0.01  # of the standard deviation of the truth: numbers closer together are one


@dataclass
class Report:
    """What came out of an evaluation.

    metrics: named numbers. table: precision, recall and F1 by class, as text. names, truth,
    probabilities: for one label a text, what a confusion matrix and calibration are made from.
    constant: what was predicted for every example, in words, where that is the same for all and the
    truth is not. outcomes: the same row by row.
    """

    metrics: dict[str, float]
    table: str = ""
    names: list[str] = field(default_factory=list)
    truth: NDArray[Any] | None = None
    probabilities: NDArray[np.float64] | None = None
    constant: str | None = None
    outcomes: Outcomes | None = None

    @property
    def confusion(self) -> NDArray[np.int64] | None:
        """(C, C) counts, a row for each true class; `None` where a text has no single label."""
        if self.truth is None or self.probabilities is None:
            return None
        return metrics.confusion_matrix(self.truth, self.probabilities.argmax(1), len(self.names))

    @property
    def reliability(self) -> Reliability | None:
        """How often it is right by how sure it is; `None` where a text has no single label."""
        if self.truth is None or self.probabilities is None:
            return None
        return reliability_curve(self.probabilities, self.truth)


def report(
    results: Results,
    dataset: Dataset,
    threshold: float = THRESHOLD,
    null_threshold: float | None = None,
    temperature: float = 1.0,
) -> Report:
    """Score what a model predicted for a data set.

    Args:
        results: of `run_inference`, over all of `dataset`.
        threshold: of several labels, those above it count as predicted.
        null_threshold: see `answers`; where it is not given and some questions have no answer, 0.
        temperature: of one label a text; see `classify`.

    Returns:
        metrics. One label: accuracy, f1_macro, mcc, calibration_error, brier; with a
        temperature, also that and calibration_error_unscaled, what the error is without it. Several
        labels: accuracy (all of a text's labels right), f1_micro, f1_macro. Regression:
        mean_absolute_error, mean_squared_error, pearson. Tags: accuracy by word, and entity_f1
        where they mark entities (`minibert.data.tags`). Answers: exact_match, f1, and with
        unanswerable questions both for those that have an answer, and no_answer_accuracy.

    Raises:
        ValueError: if the data set has no labels to compare with.
    """
    if isinstance(dataset, ClassificationDataset):
        return _report_classes(results, dataset, threshold, temperature)
    if isinstance(dataset, TaggingDataset):
        return _report_tags(results, dataset)
    return _report_answers(results, dataset, null_threshold)


def metrics_for(
    dataset: Dataset,
    threshold: float = THRESHOLD,
    null_threshold: float | None = None,
    temperature: float = 1.0,
) -> Callable[[Results], dict[str, float]]:
    """The metrics of `report` as the trainer wants them: `Trainer(..., metrics=metrics_for(dev))`.

    Args:
        dataset: the very one that the trainer evaluates on.
    """
    return lambda results: report(results, dataset, threshold, null_threshold, temperature).metrics


def evaluate(
    model: PretrainedModel,
    dataset: Dataset,
    batch_size: int = 32,
    threshold: float = THRESHOLD,
    null_threshold: float | None = None,
    precision: str | None = None,
    temperature: float = 1.0,
) -> Report:
    """Run the model over a data set and score it.

    Thresholds and temperature are those of `report`, batch_size and precision those of
    `run_inference`.
    """
    results = run_inference(model, dataset, batch_size, precision)
    return report(results, dataset, threshold, null_threshold, temperature)


def with_temperature(report: Report, temperature: float) -> Report:
    """A report on one label a text, as it would be with a temperature where it had none."""
    assert report.truth is not None
    assert report.probabilities is not None
    return _report_one_label(report.probabilities, report.truth, report.names, temperature)


def _report_classes(
    results: Results, dataset: ClassificationDataset, threshold: float, temperature: float
) -> Report:
    if dataset.targets is None:
        raise ValueError("these examples have no labels to compare with")
    scores = predicted_scores(results, dataset)
    truth: NDArray[Any] = dataset.targets
    names = dataset.label_names
    if dataset.problem_type == REGRESSION:
        error = scores - truth
        # A constant has no correlation with anything.
        varies = scores.std() > 0 and truth.std() > 0
        found = {
            "mean_absolute_error": float(np.abs(error).mean()),
            "mean_squared_error": float((error**2).mean()),
            "pearson": float(np.corrcoef(scores, truth)[0, 1]) if varies else 0.0,
        }
        is_constant = scores.std() < _ALL_THE_SAME * truth.std()
        outcomes = Outcomes(
            "mean_absolute_error",
            np.abs(error).astype(np.float64),
            np.ones(len(error)),
            None,
            *([f"{number:.3g}" for number in part] for part in (scores, truth)),
        )
        told = f"about {scores.mean():.3g}" if is_constant else None
        return Report(found, constant=told, outcomes=outcomes)
    if dataset.problem_type == MULTI_LABEL:
        predicted, truth = (scores > threshold).astype(np.int64), truth.astype(np.int64)
        found = {
            "accuracy": metrics.accuracy(truth, predicted),
            "f1_micro": metrics.f1(truth, predicted, "micro"),
            "f1_macro": metrics.f1(truth, predicted, "macro"),
        }
        table = metrics.classification_report(truth, predicted, names)
        rows = [[" and ".join(compress(names, row)) for row in part] for part in (predicted, truth)]
        right = (predicted == truth).all(1)
        outcomes = Outcomes("accuracy", right * 1.0, np.ones(len(right)), right, *rows)
        return Report(found, table, names, constant=_constant(*rows), outcomes=outcomes)
    return _report_one_label(scores, truth, names, temperature)


def _report_one_label(
    unscaled: NDArray[np.float64], truth: NDArray[Any], names: list[str], temperature: float
) -> Report:
    scores = unscaled if temperature == 1 else scaled(unscaled, temperature)
    predicted = scores.argmax(1)
    found = {
        "accuracy": metrics.accuracy(truth, predicted),
        "f1_macro": metrics.f1(truth, predicted, "macro"),
        "mcc": metrics.matthews_corrcoef(truth, predicted),
        "calibration_error": calibration_error(scores, truth),
        "brier": brier_score(scores, truth),
    }
    if temperature != 1:
        found["calibration_error_unscaled"] = calibration_error(unscaled, truth)
        found["temperature"] = temperature
    table = metrics.classification_report(truth, predicted, names)
    rows = [[names[i] for i in part] for part in (predicted, truth)]
    right = predicted == truth
    outcomes = Outcomes("accuracy", right * 1.0, np.ones(len(right)), right, *rows)
    return Report(found, table, names, truth, scores, _constant(*rows), outcomes)


def _report_tags(results: Results, dataset: TaggingDataset) -> Report:
    predicted = [sentence.tags for sentence in tagged_sentences(results, dataset)]
    right = np.array([a == b for a, b in zip(dataset.tags, predicted, strict=True)])
    rows = [[" ".join(tags) for tags in part] for part in (predicted, dataset.tags)]
    flat = [[tag for tags in sentences for tag in tags] for sentences in (dataset.tags, predicted)]
    found = {"accuracy": metrics.accuracy(*flat)}
    constant = _constant(*reversed(flat))
    read = entity_tags(dataset.label_names)
    if read is not None:
        marked = [
            [[read[tag] for tag in tags] for tags in part] for part in (dataset.tags, predicted)
        ]
        found["entity_f1"] = metrics.entity_f1(*marked)
        table = metrics.entity_report(*marked)
        spans = [[metrics.entity_spans(tags) for tags in part] for part in marked]
        pairs = list(zip(*spans, strict=True))
        # F1 is twice the entities in common over those of both sides together.
        gained = np.array([2.0 * len(truth & guess) for truth, guess in pairs])
        possible = np.array([float(len(truth) + len(guess)) for truth, guess in pairs])
        outcomes = Outcomes("entity_f1", gained, possible, right, *rows)
    else:
        table = metrics.classification_report(*flat)
        hits = [
            [a == b for a, b in zip(*pair, strict=True)]
            for pair in zip(dataset.tags, predicted, strict=True)
        ]
        gained = np.array([float(sum(hit)) for hit in hits])
        possible = np.array([float(len(tags)) for tags in dataset.tags])
        outcomes = Outcomes("accuracy", gained, possible, right, *rows)
    return Report(found, table, dataset.label_names, constant=constant, outcomes=outcomes)


def _report_answers(
    results: Results, dataset: AnsweringDataset, null_threshold: float | None
) -> Report:
    dataset.require_answers()
    if null_threshold is None and dataset.has_impossible:
        null_threshold = 0.0
    predicted = [prediction.text for prediction in answers(results, dataset, null_threshold)]
    accepted = [[text for text, _ in example.answers] for example in dataset.examples]
    pairs = list(zip(accepted, predicted, strict=True))
    exact = np.array([metrics.squad_exact_match(*pair) for pair in pairs])
    overlap = np.array([metrics.squad_f1(*pair) for pair in pairs])
    found = {"exact_match": float(exact.mean()), "f1": float(overlap.mean())}
    answered = np.array([bool(texts) for texts in accepted])
    if not answered.all():
        if answered.any():
            found["has_answer_exact_match"] = float(exact[answered].mean())
            found["has_answer_f1"] = float(overlap[answered].mean())
        found["no_answer_accuracy"] = float(exact[~answered].mean())
    truth = [" or ".join(texts) for texts in accepted]
    outcomes = Outcomes("f1", overlap, np.ones(len(overlap)), exact > 0, predicted, truth)
    return Report(found, constant=_constant(predicted, truth), outcomes=outcomes)


def _constant(predicted: Sequence[str], truth: Sequence[str]) -> str | None:
    """The one thing that is predicted everywhere, where the truth is not the same everywhere."""
    if len(set(predicted)) > 1 or len(set(truth)) < 2:
        return None
    return repr(predicted[0]) if predicted[0] else "nothing"
