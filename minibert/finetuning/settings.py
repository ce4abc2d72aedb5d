"""How a task is fine-tuned and how scores become decisions: settings alone, quick to import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from minibert.training.options import check_at_least, check_fractions, check_numbers, option

TASK_FILE = "task.json"
THRESHOLD = 0.5
# What a task is called on the command line, and the class that is saved for it.
TASKS = {
    "classify": "BertForSequenceClassification",
    "tag": "BertForTokenClassification",
    "answer": "BertForQuestionAnswering",
}
PROBLEMS = {
    "single": "single_label_classification",
    "multi": "multi_label_classification",
    "regression": "regression",
}
TRUNCATIONS = ("longest_first", "only_first", "only_second")
Pooling = Literal["mean", "cls"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


@dataclass(frozen=True)
class TaskSettings:
    """How texts are brought to the model, and scores to decisions: kept beside a trained model.

    task: a key of `TASKS`. max_length, truncation, stride, special_tokens: see
    `minibert.tokenization.rows`.
    threshold: of several labels, those more probable count as predicted. null_threshold: see
    `minibert.finetuning.answering.answers`. temperature: of one label a text, what its logits are
    divided by; fitted on the dev split after training (`minibert.finetuning.calibration`).
    """

    task: str
    max_length: int | None = option(None, "cut what is longer", metavar="TOKENS")
    truncation: str | None = option(
        None,
        "cut what the model cannot read; of a pair the longer text, or the one named",
        choices=TRUNCATIONS,
        const="longest_first",
    )
    stride: int | None = option(
        None,
        "split into windows that share so many tokens; what they predict is averaged, and of "
        "answers the best is taken",
        metavar="TOKENS",
    )
    special_tokens: bool = option(
        False, "read [SEP] or [MASK] in a text as that token, not as somebody's text"
    )
    threshold: float = option(THRESHOLD, "several labels: predict those more probable than this")
    null_threshold: float | None = option(
        None, "answer: say 'no answer' where its score is higher by more than this"
    )
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"unknown task {self.task!r}: choose from {', '.join(TASKS)}")
        check_numbers(self)
        check_at_least(self, 1, "max_length")
        check_at_least(self, 0, "stride")
        if not 0 < self.threshold < 1:
            raise ValueError(f"threshold must be between 0 and 1, not {self.threshold}")
        if not 0.01 <= self.temperature <= 100:
            raise ValueError(f"temperature must be between 0.01 and 100, not {self.temperature}")

    @property
    def fit(self) -> dict[str, Any]:
        """The arguments with which a text is brought into rows."""
        fit = {name: getattr(self, name) for name in ("max_length", "stride", "special_tokens")}
        return fit if self.task == "answer" else {**fit, "truncation": self.truncation}

    @property
    def thresholds(self) -> dict[str, Any]:
        """The arguments with which scores become decisions."""
        names = ("threshold", "null_threshold", "temperature")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def read(cls, name_or_path: str | os.PathLike[str]) -> Self:
        """Those of a model folder; defaults for a model that was fine-tuned elsewhere.

        Raises:
            ValueError: if the model has no head for any of the tasks.
        """
        from minibert import weights  # with PyTorch behind it, which `--help` does without
        from minibert.weights.typed_json import named_file, read_typed

        folder = weights.resolve(name_or_path)
        kind = weights.read_architecture(folder)
        task = next((name for name, head in TASKS.items() if head == kind), None)
        if task is None:
            raise ValueError(
                f"{name_or_path} is a {kind}, not fine-tuned for a task: "
                "run `minibert finetune classify`, `tag` or `answer` first"
            )
        path = folder / TASK_FILE
        values = read_typed(path, cls) if path.is_file() else {}
        config: dict[str, Any] = weights.read_config(folder, dict)
        most = config.get("max_position_embeddings", 512)
        with named_file(path):
            for name in ("max_length", "stride"):
                if (value := values.get(name) or 0) > most:
                    raise ValueError(
                        f"{name} is {value}, but the model reads {most} tokens at most"
                    )
            return cls(**{**values, "task": task})


@dataclass(frozen=True)
class FinetuningSettings:
    """What is trained of the base, and how its classes count.

    adapter: the rank of an adapter beside the frozen encoder. class_weights: "balanced", or
    "name=factor,..."; see `parse_class_weights`. dropout: of hidden states and attention weights
    while training, whatever the base had: a small set of examples needs it where a large corpus did
    not.
    """

    adapter: int | None = option(None, "train only an adapter", metavar="RANK")
    class_weights: str | None = option(
        None,
        "classify: how much each label counts in the loss, where some are rare; balanced: each "
        "label as much as any other",
        metavar="balanced|A=1,B=2",
    )
    dropout: float = option(0.1)

    def __post_init__(self) -> None:
        check_at_least(self, 1, "adapter")
        check_fractions(self, "dropout")


@dataclass(frozen=True)
class ReadingSettings:
    """How a user's own file is to be read: see `read_examples` and `read_conll` in `data`."""

    text_column: str | None = option(None, "default: text", metavar="NAME")
    pair_column: str | None = option(None, "second text; default: text_pair", metavar="NAME")
    label_column: str | None = option(None, "default: label", metavar="NAME")
    columns: str | None = option(
        None,
        "names for a table without a header (text,label); for tagged words by place (word,_,tag)",
        metavar="A,B,...",
    )
    problem: str | None = option(
        None,
        "one label, several, or a number; default: told by all labels together",
        choices=tuple(PROBLEMS),
    )

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `read_examples` that were given."""
        names = ("text_column", "pair_column", "label_column")
        given: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.columns is not None:
            given["columns"] = [name.strip() for name in self.columns.split(",")]
        given["problem_type"] = PROBLEMS[self.problem] if self.problem is not None else None
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class EmbeddingSettings:
    """How one vector is made of a text's states: see `minibert.finetuning.embedding`."""

    pooling: Pooling = option(
        "mean", "of the states of all tokens their mean, or that of [CLS] (cls)", choices=POOLINGS
    )
