"""Fine-tuning from examples to model folder: what `minibert finetune` does."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from minibert import weights
from minibert.data.datasets import naming
from minibert.data.splits import Splits
from minibert.data.tags import entity_tags
from minibert.finetuning import word_counts
from minibert.finetuning.answering import AnsweringDataset
from minibert.finetuning.calibration import fit_temperature
from minibert.finetuning.classification import ClassificationDataset, parse_class_weights
from minibert.finetuning.doubts import doubts
from minibert.finetuning.evaluate import Dataset, Report, evaluate, metrics_for, with_temperature
from minibert.finetuning.settings import TASK_FILE, FinetuningSettings, TaskSettings
from minibert.finetuning.tagging import TaggingDataset
from minibert.model.config import MULTI_LABEL, REGRESSION
from minibert.model.lora import add_adapter
from minibert.model.pretrained import PretrainedModel
from minibert.model.task_heads import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training import distributed
from minibert.training.config import TrainingConfig
from minibert.training.lock import claimed
from minibert.training.resume import check_output, check_same_settings, is_wanted
from minibert.training.start import cleared_if_not_begun
from minibert.training.trainer import Trainer
from minibert.weights.files import write_json


def dataset_maker(
    settings: TaskSettings, tokenizer: Tokenizer, labels: list[str] | None, problem: str | None
) -> Callable[[list[Any]], Dataset]:
    """A function from examples to the data set of a task, in the form training had them."""

    def make(examples: list[Any]) -> Dataset:
        if settings.task == "classify":
            return ClassificationDataset(examples, tokenizer, labels, problem, **settings.fit)
        if settings.task == "tag":
            return TaggingDataset(examples, tokenizer, labels, **settings.fit)
        return AnsweringDataset(examples, tokenizer, **settings.fit)

    return make


def finetune(
    splits: Splits[Any],
    base: str,
    settings: TaskSettings,
    training: TrainingConfig,
    finetuning: FinetuningSettings | None = None,
    on_start: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, float]]:
    """Fine-tune a model and write it, with its metrics, to `training.output_dir`.

    Args:
        splits: without a `dev` split there is no choice of the best weights, only the last.
        base: name or folder of the pre-trained model.
        settings: the task, and how texts are brought to the model.
        training: of the loop.
        finetuning: what is trained of the base, and how its classes count.
        on_start: called once everything fits, before the first step.

    Returns:
        what `metrics.json` gets: metrics of "dev" and "test" where they are, and of "train" the
        number of examples and the seconds it took; for `classify`, where scikit-learn is installed,
        also what counted words reach ("dev, word counts"). Where texts have one label each, the
        temperature that suits "dev" is among its metrics and is kept with the model. What speaks
        against the model is warned of: see `minibert.finetuning.doubts`.

    Raises:
        ValueError, FileNotFoundError: for anything that does not fit; nothing is written then.
    """
    finetuning = finetuning or FinetuningSettings()
    out = Path(training.output_dir)
    check_output(out, training.resume)
    if (
        finetuning.adapter is not None
        and weights.read_adapter_config(weights.resolve(base)) is not None
    ):
        raise ValueError(
            f"{base} is an adapter itself: run `minibert export {base} --merge --out FOLDER` and "
            "pass base=FOLDER"
        )
    with claimed(out), cleared_if_not_begun(out):  # until the metrics are written
        return _finetune(splits, base, settings, training, finetuning, on_start)


def _finetune(
    splits: Splits[Any],
    base: str,
    settings: TaskSettings,
    training: TrainingConfig,
    finetuning: FinetuningSettings,
    on_start: Callable[[], None],
) -> dict[str, dict[str, float]]:
    out = Path(training.output_dir)
    tokenizer = Tokenizer.from_pretrained(base)
    settings, train, held_out = _fitting(splits, settings, tokenizer)
    torch.manual_seed(training.seed)  # the new head is drawn at random
    model = _model_for(train, base, out, finetuning)
    if isinstance(train, AnsweringDataset) and train.has_impossible:
        # Having seen questions without an answer, it may say so.
        settings = replace(settings, null_threshold=settings.null_threshold or 0.0)
    dev = held_out.get("dev")
    metrics = metrics_for(dev, **settings.thresholds) if dev is not None else None
    if dev is not None:
        training = replace(
            training, best_metric=best_metric(train, finetuning.class_weights is not None)
        )
    if is_wanted(training.resume):
        then = {name: v for name, v in asdict(settings).items() if name != "temperature"}
        check_same_settings(out, TASK_FILE, then)
    trainer = Trainer(model, training, train, dev, metrics)
    trainer.write_settings()
    if distributed.is_main():
        tokenizer.save_pretrained(out)
        write_json(out / TASK_FILE, asdict(settings))
    on_start()
    since = time.perf_counter()
    history = trainer.fit()
    seconds = round(time.perf_counter() - since, 1)
    del trainer  # and with it what the optimizer remembers, two numbers for each of the model's
    found = {"train": {"examples": float(train.size), "seconds": seconds}}
    reports = {
        split: evaluate(model, dataset, training.batch_size, **settings.thresholds)
        for split, dataset in held_out.items()
    }
    settings, reports = _calibrated(settings, reports)
    found |= {split: report.metrics for split, report in reports.items()}
    if distributed.is_main():
        write_json(out / TASK_FILE, asdict(settings))
        metric = best_metric(train, finetuning.class_weights is not None) or word_counts.LOSS
        baseline = _count_words(train, held_out, metric)
        found |= {f"{split}, word counts": {metric: score} for split, score in baseline.items()}
        write_json(out / "metrics.json", found)
        sizes = {split: dataset.size for split, dataset in held_out.items()}
        for line in doubts(history, reports, sizes, baseline, metric):
            warnings.warn(line, stacklevel=1)
    return found


def _calibrated(
    settings: TaskSettings, reports: dict[str, Report]
) -> tuple[TaskSettings, dict[str, Report]]:
    """With the temperature that suits the dev split, where texts have one label each."""
    dev = reports.get("dev")
    if dev is None or dev.probabilities is None or dev.truth is None:
        return settings, reports
    temperature = fit_temperature(dev.probabilities, dev.truth)
    reports = {split: with_temperature(report, temperature) for split, report in reports.items()}
    return replace(settings, temperature=temperature), reports


def _count_words(train: Dataset, held_out: dict[str, Dataset], metric: str) -> dict[str, float]:
    """The baseline on every split, for texts with a label and where scikit-learn is installed."""
    if not isinstance(train, ClassificationDataset) or not word_counts.is_available():
        return {}
    others = {
        split: dataset
        for split, dataset in held_out.items()
        if isinstance(dataset, ClassificationDataset)
    }
    return word_counts.score_word_counts(train, others, metric) if others else {}


def _fitting(
    splits: Splits[Any], settings: TaskSettings, tokenizer: Tokenizer
) -> tuple[TaskSettings, Dataset, dict[str, Dataset]]:
    """The data sets; where nothing is said of texts that are too long, they are split."""
    said = (settings.max_length, settings.truncation, settings.stride)
    if settings.task == "answer" or any(value is not None for value in said):
        return settings, *_datasets(splits, settings, tokenizer)
    stride = max(1, tokenizer.model_max_length // 8)
    windowed = replace(settings, stride=stride)
    train, held_out = _datasets(splits, windowed, tokenizer)
    every = [train, *held_out.values()]
    long = sum(int((np.bincount(dataset.samples) > 1).sum()) for dataset in every)
    if not long:
        return settings, train, held_out
    if distributed.is_main():
        warnings.warn(
            f"{long:,} of {sum(dataset.size for dataset in every):,} texts are longer than the "
            f"{tokenizer.model_max_length} tokens that {tokenizer.name} reads: they are split into "
            f"windows that share {stride} tokens, as with stride={stride}, and what the windows of "
            "a text predict is averaged; truncation=True cuts them instead, which is faster",
            stacklevel=1,
        )
    return windowed, train, held_out


def _datasets(
    splits: Splits[Any], settings: TaskSettings, tokenizer: Tokenizer
) -> tuple[Dataset, dict[str, Dataset]]:
    """The training examples, and those of "dev" and "test" read with the labels found in them."""
    with naming("training examples"):
        train = dataset_maker(settings, tokenizer, None, None)(splits.train)
        if isinstance(train, AnsweringDataset):
            train.require_answers()
    labels = None if isinstance(train, AnsweringDataset) else train.label_names
    problem = train.problem_type if isinstance(train, ClassificationDataset) else None
    make = dataset_maker(settings, tokenizer, labels, problem)
    held_out: dict[str, Dataset] = {}
    for split in ("dev", "test"):
        if getattr(splits, split):
            with naming(f"{split} examples"):
                held_out[split] = dataset = make(getattr(splits, split))
                if isinstance(dataset, AnsweringDataset):
                    dataset.require_answers()
    return train, held_out


def best_metric(dataset: Dataset, weighted: bool) -> str | None:
    """The metric by which the best weights are told; `None` for the loss."""
    if isinstance(dataset, AnsweringDataset):
        return "f1"
    if isinstance(dataset, TaggingDataset):
        return "entity_f1" if entity_tags(dataset.label_names) is not None else "accuracy"
    if dataset.problem_type == REGRESSION:
        return None
    if dataset.problem_type == MULTI_LABEL:
        return "f1_micro"
    return "f1_macro" if weighted else "accuracy"


def _model_for(
    train: Dataset, base: str, out: Path, finetuning: FinetuningSettings
) -> PretrainedModel:
    """The base with a new head for what the training set has."""
    changes: dict[str, Any] = {
        "hidden_dropout_prob": finetuning.dropout,
        "attention_probs_dropout_prob": finetuning.dropout,
    }
    if isinstance(train, AnsweringDataset):
        model: PretrainedModel = BertForQuestionAnswering.from_pretrained(base, **changes)
    else:
        if len(train.label_names) == 1:
            raise ValueError(
                f"every training example has the label {train.label_names[0]!r}: "
                "give examples of at least two"
            )
        changes |= {"num_labels": len(train.label_names) or 1, "id2label": None}
        if train.label_names:
            changes["id2label"] = dict(enumerate(train.label_names))
        if isinstance(train, TaggingDataset):
            model = BertForTokenClassification.from_pretrained(base, **changes)
        else:
            changes["problem_type"] = train.problem_type
            model = BertForSequenceClassification.from_pretrained(base, **changes)
    if finetuning.class_weights is not None:
        if not isinstance(train, ClassificationDataset):
            raise ValueError("class weights are for `classify`: leave them out")
        model.class_weights = torch.tensor(parse_class_weights(finetuning.class_weights, train))
    if finetuning.adapter is None:
        return model
    return add_adapter(model, noted_base(base, out), finetuning.adapter)


def noted_base(base: str, out: Path) -> str:
    """A local base relative to the adapter, so that both can move together; a name as it is."""
    if not Path(base).is_dir():
        return base
    try:
        return Path(os.path.relpath(base, out)).as_posix()
    except ValueError:  # on another drive
        return str(Path(base).resolve())
