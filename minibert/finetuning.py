"""Fine-tuning from examples to model folder: what `minibert finetune` does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from minibert import checkpoint, distributed
from minibert.adapters import add_adapter
from minibert.answering import AnsweringDataset
from minibert.auto import architecture
from minibert.datasets import DATASETS, load_dataset, read_file
from minibert.encoding import (
    MULTI_LABEL,
    REGRESSION,
    ClassificationDataset,
    balanced_weights,
)
from minibert.evaluation import Dataset, evaluate, metrics_for
from minibert.heads import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.model import PretrainedModel
from minibert.splits import Splits
from minibert.tagging import TaggingDataset, is_bio
from minibert.tokenizer import Tokenizer
from minibert.training import Trainer, TrainingConfig, check_output

TASK_FILE = "task.json"
HEADS: dict[str, type[PretrainedModel]] = {
    "classify": BertForSequenceClassification,
    "tag": BertForTokenClassification,
    "answer": BertForQuestionAnswering,
}


@dataclass(frozen=True)
class TaskSettings:
    """How texts were brought to the model in training: kept beside it for later use.

    task: "classify", "tag" or "answer". max_length, truncation, stride: see
    `minibert.encoding.encode_rows`. threshold, null_threshold: see `minibert.evaluation.report`.
    """

    task: str
    max_length: int | None = None
    truncation: str | None = None
    stride: int | None = None
    threshold: float = 0.5
    null_threshold: float | None = None

    def __post_init__(self) -> None:
        if self.task not in HEADS:
            raise ValueError(f"unknown task {self.task!r}: choose from {', '.join(HEADS)}")
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold must be between 0 and 1, not {self.threshold}")

    @property
    def fit(self) -> dict[str, Any]:
        """The arguments with which a text is brought into rows."""
        fit = {"max_length": self.max_length, "stride": self.stride}
        return fit if self.task == "answer" else {**fit, "truncation": self.truncation}

    @property
    def thresholds(self) -> dict[str, Any]:
        """The arguments with which scores become decisions."""
        return {"threshold": self.threshold, "null_threshold": self.null_threshold}

    @classmethod
    def read(cls, name_or_path: str | os.PathLike[str]) -> TaskSettings:
        """Those of a model folder; defaults for a model that was fine-tuned elsewhere.

        Raises:
            ValueError: if the model has no head for any of the tasks.
        """
        head = architecture(name_or_path)
        task = next((name for name, kind in HEADS.items() if kind is head), None)
        if task is None:
            raise ValueError(
                f"{name_or_path} is a {head.architecture}, not fine-tuned for a task: "
                "run `minibert finetune classify`, `tag` or `answer` first"
            )
        path = checkpoint.resolve(name_or_path) / TASK_FILE
        values = checkpoint.read_json(path) if path.is_file() else {}
        known = {field.name for field in fields(cls)}
        return cls(**{**{k: v for k, v in values.items() if k in known}, "task": task})


def read_splits(
    train: str, dev: str | None = None, test: str | None = None, **options: Any
) -> Splits[Any]:
    """Examples for training, development and testing.

    Args:
        train: a file, a folder, a name or a hub id. Where neither of the other two is given, it
            brings them along, or a file is divided by the hash of its texts.
        dev, test: files.
        options: for tables, as `read_examples` takes them.
    """
    if dev is None and test is None:
        return load_dataset(train, **options_for(train, options))
    if Path(train).is_file() and dev is not None:
        splits = Splits(read_file(train, **options_for(train, options)), [], [])
    else:
        splits = load_dataset(train, **options_for(train, options))
    # What stood in for a side that is given now is not thrown away.
    own = Path(train).is_file() and test is not None
    first = splits.train + splits.test if own else splits.train
    return Splits(
        first,
        read_file(dev, **options_for(dev, options)) if dev else splits.dev,
        read_file(test, **options_for(test, options)) if test else splits.test,
    )


def options_for(source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Column names mean something to tables, and to the hub, but to no other form."""
    if source in DATASETS or Path(source).suffix.lower() in (".conll", ".bio", ".iob", ".json"):
        return {}
    if Path(source).exists():
        return options
    return {name: value for name, value in options.items() if name.endswith("_column")}


@contextmanager
def naming(source: str | None) -> Iterator[None]:
    """Put the name of a file in front of what is wrong with its examples."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{source}: {error}" if source else str(error)) from None


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
    adapter: int | None = None,
    class_weights: str | None = None,
    dropout: float = 0.1,
) -> dict[str, dict[str, float]]:
    """Fine-tune a model and write it, with its figures, to `training.output_dir`.

    Args:
        splits: without a `dev` side there is no choice of the best weights, only the last.
        base: name or folder of the pre-trained model.
        settings: the task, and how texts are brought to the model.
        adapter: train an adapter of this rank beside the frozen encoder, and the head.
        class_weights: "balanced", or "name=factor,..."; see `parse_class_weights`.
        dropout: of hidden states and attention weights while training, whatever the base had: a
            small set of examples needs it where a large corpus did not.

    Returns:
        what `metrics.json` gets: figures of "dev" and "test" where they are, and of "train" the
        number of examples and the seconds it took.

    Raises:
        ValueError, FileNotFoundError: for anything that does not fit; nothing is written then.
    """
    out = Path(training.output_dir)
    check_output(out, training.resume)
    if adapter is not None and (checkpoint.resolve(base) / checkpoint.ADAPTER_CONFIG_FILE).exists():
        raise ValueError(
            f"{base} is an adapter itself: run `minibert export {base} --merge --out FOLDER` and "
            "take that folder as --base"
        )
    tokenizer = Tokenizer.from_pretrained(base)
    with naming("training examples"):
        train = dataset_maker(settings, tokenizer, None, None)(splits.train)
    labels = None if isinstance(train, AnsweringDataset) else train.label_names
    problem = train.problem_type if isinstance(train, ClassificationDataset) else None
    make = dataset_maker(settings, tokenizer, labels, problem)
    held_out: dict[str, Dataset] = {}
    for side in ("dev", "test"):
        if getattr(splits, side):
            with naming(f"{side} examples"):
                held_out[side] = make(getattr(splits, side))
    torch.manual_seed(training.seed)  # the new head is drawn at random
    model = _model_for(train, base, adapter, out, class_weights, dropout)
    dev = held_out.get("dev")
    if isinstance(train, AnsweringDataset) and train.has_impossible:
        # Having seen questions without an answer, it may say so.
        settings = replace(settings, null_threshold=settings.null_threshold or 0.0)
    metrics = metrics_for(dev, **settings.thresholds) if dev is not None else None
    if dev is not None:
        name = best_metric(train, class_weights is not None)
        training = replace(training, best_metric=name)
    trainer = Trainer(model, training, train, dev, metrics)
    if distributed.is_main():
        tokenizer.save_pretrained(out)
        checkpoint.write_json(out / TASK_FILE, asdict(settings))
    since = time.perf_counter()
    trainer.fit()
    seconds = round(time.perf_counter() - since, 1)
    figures = {"train": {"examples": float(train.size), "seconds": seconds}}
    for side, dataset in held_out.items():
        figures[side] = evaluate(model, dataset, training.batch_size, **settings.thresholds).figures
    if distributed.is_main():
        checkpoint.write_json(out / "metrics.json", figures)
    return figures


def best_metric(dataset: Dataset, weighted: bool) -> str | None:
    """The figure by which the best weights are told; `None` for the loss."""
    if isinstance(dataset, AnsweringDataset):
        return "f1"
    if isinstance(dataset, TaggingDataset):
        return "entity_f1" if is_bio(dataset.label_names) else "accuracy"
    if dataset.problem_type == REGRESSION:
        return None
    if dataset.problem_type == MULTI_LABEL:
        return "f1_micro"
    return "f1_macro" if weighted else "accuracy"


def _model_for(
    train: Dataset,
    base: str,
    adapter: int | None,
    out: Path,
    class_weights: str | None,
    dropout: float,
) -> PretrainedModel:
    """The base with a new head for what the training set has."""
    changes: dict[str, Any] = {
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
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
    if class_weights is not None:
        if not isinstance(train, ClassificationDataset):
            raise ValueError("class weights are for `classify`: leave them out")
        model.class_weights = torch.tensor(parse_class_weights(class_weights, train))
    if adapter is None:
        return model
    # A local base is noted relative to the adapter, so that both can move together.
    noted = os.path.relpath(base, out) if Path(base).is_dir() else base
    return add_adapter(model, noted, adapter)


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
