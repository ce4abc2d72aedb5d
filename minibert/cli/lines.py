"""A prediction as it is printed: for people in columns, for programs as a JSON object a line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from minibert.data.strict_json import dump_json
from minibert.data.unlabelled import Row
from minibert.finetuning.answering import AnswerPrediction
from minibert.finetuning.classification import ClassPrediction
from minibert.finetuning.tagging import TagPrediction

# A text with a tab or a line's end in it would be read as two columns or two rows.
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_SHOWN = 5  # classes with their probabilities


def as_json(row: Row, prediction: Any | None, task: str) -> str:
    """One object: the row's `id` if it has one, its text (or question), and what was predicted.

    Where there is no prediction, `error` says why.
    """
    content: dict[str, Any] = {"id": row.id}
    if task == "answer":
        content["question"] = row.text
    elif isinstance(row.text, str):
        content |= {"text": row.text, "text_pair": row.text_pair}
    elif prediction is None:
        content["words"] = row.text
    content |= {"error": row.problem} if prediction is None else asdict(prediction)
    return dump_json({name: value for name, value in content.items() if value is not None})


def as_text(row: Row, prediction: Any | None, *, named: bool, alone: bool, columns: int) -> str:
    """One line: the id, the text, what was predicted; separated by tabs. Of tags, a word a line.

    Args:
        row: a text and where it comes from.
        prediction: `None` where there is none.
        named: whether rows have ids.
        alone: whether this is the one text that was given: then it is not repeated.
        columns: of a prediction, which stay empty where there is none; 0 for tags.
    """
    if isinstance(prediction, TagPrediction) or not columns:
        lines = [f"# id = {cell(row.id)}"] if named else []
        if prediction is not None:
            lines += map("\t".join, zip(prediction.words, prediction.tags, strict=True))
        return "\n".join([*lines, *([] if alone else [""])])  # a blank line ends a sentence
    text = row.text if isinstance(row.text, str) else " ".join(row.text)
    front = [] if alone else [*([cell(row.id)] if named else []), cell(text)]
    said = [""] * columns if prediction is None else _columns(prediction)
    return "\t".join([*front, *map(cell, said)])


def _columns(prediction: AnswerPrediction | ClassPrediction) -> list[str]:
    if isinstance(prediction, AnswerPrediction):
        return [prediction.text or "(no answer)"]
    if isinstance(prediction.label, float):
        return [f"{prediction.label:.3f}"]
    label = prediction.label
    ordered = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    return [
        (", ".join(label) or "(none)") if isinstance(label, list) else label,
        " ".join(f"{name} {chance:.3f}" for name, chance in ordered[:_SHOWN]),
    ]


def cell(value: Any) -> str:
    """A value as it stands in a column: no tab and no line end in it."""
    if value is None:
        return ""
    return (value if isinstance(value, str) else dump_json(value)).translate(_ESCAPES)
