"""Texts or pairs of texts with a class, several classes or a number each (claims A8, A16, C5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minibert.data.examples import LARGEST, Example, label_names
from minibert.finetuning.calibration import scaled
from minibert.finetuning.rows import TokenRows, check_kind, unseen_label
from minibert.finetuning.settings import THRESHOLD
from minibert.model.config import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from minibert.model.task_heads import BertForSequenceClassification
from minibert.tokenization.rows import encoded_chunks, named_text
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training.inference import Inference, run_inference


class ClassificationDataset(TokenRows):
    """Texts or pairs of texts with one label, several labels, or a number each.

    Args:
        examples: with labels, or all without (then there is nothing to train on, only to predict).
        tokenizer: of the model.
        labels: the names of the classes in the model's order; those that occur, sorted, where not
            given. Give the training set's to every other set.
        problem_type: one of the model's three; told by the labels' form where not given.
        max_length, truncation, stride, special_tokens: see `encode_rows`.

    Attributes:
        texts: and `pairs`, the second texts, where there are such.
        label_names: the classes, in the order of the logits; empty for regression.
        targets: (examples,) int64 classes, (examples, classes) zeros and ones, or (examples,)
            float32 numbers; `None` without labels.

    Raises:
        ValueError: if an example has no label while others have one, if a label is not among
            `labels` (the message names it), or a text does not fit.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        tokenizer: Tokenizer,
        labels: Sequence[str] | None = None,
        problem_type: str | None = None,
        *,
        max_length: int | None = None,
        truncation: str | None = None,
        stride: int | None = None,
        special_tokens: bool = False,
    ) -> None:
        check_kind(examples, Example, "texts with a label", "classify")
        self.problem_type = problem_type or _problem_type(examples)
        self.label_names = list(label_names(examples) if labels is None else labels)
        if self.problem_type == REGRESSION:
            self.label_names = []
        self.texts = [example.text for example in examples]
        self.targets = _targets(examples, self.label_names, self.problem_type)
        pairs = [example.text_pair for example in examples if example.text_pair is not None]
        if pairs and len(pairs) < len(examples):
            raise ValueError("some examples are pairs of texts and some are not: make them alike")
        self.pairs = pairs or None
        chunks = encoded_chunks(
            tokenizer,
            self.texts,
            self.pairs,
            max_length=max_length,
            truncation=truncation,
            stride=stride,
            special_tokens=special_tokens,
        )
        super().__init__(chunks, len(examples), tokenizer.pad_token_id)

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """`TokenRows.collate`, with `labels` as `BertForSequenceClassification` takes them."""
        batch = super().collate(indices, generator)
        if self.targets is not None:
            batch["labels"] = torch.from_numpy(self.targets[self.samples[indices]])
        return batch


def _problem_type(examples: Iterable[Example]) -> str:
    for example in examples:
        if isinstance(example.label, list):
            return MULTI_LABEL
        if isinstance(example.label, float):
            return REGRESSION
        if example.label is not None:
            return SINGLE_LABEL
    return SINGLE_LABEL


def _targets(
    examples: Sequence[Example], names: Sequence[str], problem_type: str
) -> NDArray[Any] | None:
    """The labels as the loss takes them; see `ClassificationDataset.targets`."""
    if all(example.label is None for example in examples):
        return None
    number = {name: i for i, name in enumerate(names)}
    shape = (len(examples), len(names)) if problem_type == MULTI_LABEL else (len(examples),)
    kind: type = np.int64 if problem_type == SINGLE_LABEL else np.float32
    targets: NDArray[Any] = np.zeros(shape, dtype=kind)
    wanted = {SINGLE_LABEL: str, MULTI_LABEL: list, REGRESSION: float}[problem_type]
    for i, example in enumerate(examples):
        if not isinstance(example.label, wanted):
            has = "no label" if example.label is None else f"the label {example.label!r}"
            told = {str: "one name", list: "a list of names", float: "a number"}[wanted]
            where = named_text(example.text, i, len(examples))
            raise ValueError(f"{where}has {has}, but expected is {told}, as in training")
        if isinstance(example.label, float):
            if not abs(example.label) <= LARGEST:
                where = named_text(example.text, i, len(examples))
                raise ValueError(f"{where}the label {example.label} is no number to train on")
            targets[i] = example.label
            continue
        for name in [example.label] if isinstance(example.label, str) else example.label or ():
            if name not in number:
                raise unseen_label(name, example.text, i, len(examples), names)
            if problem_type == MULTI_LABEL:
                targets[i, number[name]] = 1
            else:
                targets[i] = number[name]
    return targets


# ---------------------------------------------------------------------- predictions


def predicted_scores(
    results: Iterable[Inference], dataset: ClassificationDataset
) -> NDArray[np.float64]:
    """The score of every class for every example.

    Args:
        results: of `run_inference` over all of `dataset`.

    Returns:
        (examples, classes) probabilities, by softmax, or for several labels by sigmoid; (examples,)
        numbers for regression. For a text in several windows, their mean.
    """
    sums = np.zeros((dataset.size, 0))
    for indices, _, output in results:
        if not sums.size:
            sums = np.zeros((dataset.size, output.logits.shape[1]))
        scores = output.logits.float().cpu()  # (B, C)
        if dataset.problem_type == SINGLE_LABEL:
            scores = scores.softmax(-1)
        elif dataset.problem_type == MULTI_LABEL:
            scores = scores.sigmoid()
        np.add.at(sums, dataset.samples[indices], scores.double().numpy())
    means = sums / np.bincount(dataset.samples, minlength=dataset.size)[:, None]
    return means[:, 0] if dataset.problem_type == REGRESSION else means


@dataclass(frozen=True)
class ClassPrediction:
    """What a classifier predicts for one text.

    label: the most probable name; every name above the threshold for several labels; the number
    for regression. probabilities: of every name; empty for regression.
    """

    label: str | list[str] | float
    probabilities: dict[str, float]


def classify(
    model: BertForSequenceClassification,
    dataset: ClassificationDataset,
    threshold: float = THRESHOLD,
    batch_size: int = 32,
    precision: str | None = None,
    temperature: float = 1.0,
) -> list[ClassPrediction]:
    """The label of every example; `threshold` is for several labels a text.

    `temperature` is for one label a text: how sure the model is, not of what (see `scaled`).
    """
    scores = predicted_scores(run_inference(model, dataset, batch_size, precision), dataset)
    if dataset.problem_type == SINGLE_LABEL and temperature != 1:
        scores = scaled(scores, temperature)
    names = dataset.label_names
    predictions = []
    for row in scores:
        if dataset.problem_type == REGRESSION:
            predictions.append(ClassPrediction(float(row), {}))
            continue
        probabilities = dict(zip(names, row.tolist(), strict=True))
        if dataset.problem_type == MULTI_LABEL:
            chosen = [name for name, chance in probabilities.items() if chance > threshold]
            predictions.append(ClassPrediction(chosen, probabilities))
        else:
            predictions.append(ClassPrediction(names[int(row.argmax())], probabilities))
    return predictions


# ---------------------------------------------------------------------- class weights


def balanced_weights(dataset: ClassificationDataset) -> list[float]:
    """A factor for each class that makes rare ones count as much as frequent ones.

    n / (C * n_c): an example of the average class keeps the weight 1.

    Raises:
        ValueError: for regression, or where a class does not occur.
    """
    if dataset.targets is None or dataset.problem_type == REGRESSION:
        raise ValueError("class weights need classes: leave them out for numbers")
    if dataset.problem_type == SINGLE_LABEL:
        counts = np.bincount(dataset.targets.astype(np.int64), minlength=len(dataset.label_names))
    else:
        counts = dataset.targets.sum(0)
    if not counts.all():
        absent = dataset.label_names[int(np.argmin(counts))]
        raise ValueError(f"no example has the label {absent!r}: it cannot be given a weight")
    factors: list[float] = (counts.sum() / (len(counts) * counts)).tolist()
    return factors


def parse_class_weights(text: str, dataset: ClassificationDataset) -> list[float]:
    """One factor a class, in the model's order, from what a user writes.

    Args:
        text: "balanced", or "name=factor" separated by commas; classes not named keep 1.

    Raises:
        ValueError: for an unknown class, or a factor that is no number above 0.
    """
    if text == "balanced":
        return balanced_weights(dataset)
    if dataset.problem_type == REGRESSION:
        raise ValueError("class weights need classes: leave them out for numbers")
    weights = dict.fromkeys(dataset.label_names, 1.0)
    for part in text.split(","):
        name, _, factor = part.rpartition("=")
        if name.strip() not in weights:
            raise ValueError(
                f"class weights {text!r}: write 'balanced' or name=factor,... with names among "
                f"{', '.join(weights)}"
            )
        try:
            weights[name.strip()] = float(factor)
        except ValueError:
            raise ValueError(f"class weights: {factor!r} is not a number") from None
        if not 0 < weights[name.strip()] < float("inf"):
            raise ValueError(f"class weights: {part!r} must be a number above 0")
    return list(weights.values())
