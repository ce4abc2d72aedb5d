"""Reading JSON lines, CSV and TSV: a text, or a pair of texts, with a label on every line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from minibert.data.examples import LARGEST, Example, Label, numbered_lines
from minibert.data.strict_json import dump_json, parse_json

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]


def read_examples(
    path: str | Path,
    *,
    text_column: str = "text",
    pair_column: str = "text_pair",
    label_column: str = "label",
    columns: Sequence[str] | None = None,
    problem_type: ProblemType | None = None,
    labelled: bool = True,
) -> list[Example]:
    """Read a `.jsonl`, `.csv` or `.tsv` file of texts, or pairs of texts, with labels.

    Args:
        path: the ending decides the form. CSV follows the usual quoting; in TSV a double quote
            is an ordinary character.
        text_column: what the column (or JSON key) of the text is called.
        pair_column: that of the second text; the default one may be missing: then the examples
            are single texts.
        label_column: that of the label.
        columns: names for the columns of a CSV or TSV file that has no header line; CoLA's own
            files are `columns=["source", "label", "mark", "text"]`.
        problem_type: how to read the labels. None tells by their form in JSON (a list: several
            labels; a number with a decimal point: regression), and takes CSV and TSV as one
            class a line. Several labels in a CSV or TSV cell are separated by "|".
        labelled: whether a missing label is an error.

    Raises:
        ValueError: of the wrong form; the message names file and line.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    form = path.suffix.lower()
    if form not in (".jsonl", ".csv", ".tsv"):
        raise ValueError(f"{path}: not a .jsonl, .csv or .tsv file")
    required = [text_column, *([pair_column] if pair_column != "text_pair" else [])]
    if labelled:
        required.append(label_column)
    options = {
        text_column: "text_column=...",
        pair_column: "pair_column=...",
        label_column: "label_column=...",
    }

    def missing(name: str, there: Iterable[str]) -> str:
        return (
            f"no column {name!r} (there are: {', '.join(there)}): "
            f"say which one is meant with {options[name]}"
        )

    if form == ".jsonl":
        rows = _json_rows(path, required, missing)
    else:
        rows = _table_rows(path, "\t" if form == ".tsv" else ",", columns, required, missing)
    examples: list[Example] = []
    numbers: list[int] = []  # line of each example, for the check at the end
    for number, row in tqdm(rows, desc=path.name, unit=" lines", delay=2):
        where = f"{path}, line {number}"
        text = _text(row.get(text_column), text_column, where)
        pair = row.get(pair_column)
        if pair is not None:
            pair = _text(pair, pair_column, where)
        label = _label(row.get(label_column), problem_type, where, form == ".jsonl")
        if labelled and label is None:
            raise ValueError(f"{where}: no label (column {label_column!r} is empty)")
        examples.append(Example(text, pair, label))
        numbers.append(number)
    if not examples:
        raise ValueError(f"{path} has a header line and nothing below it")
    return _one_kind(examples, numbers, path)


def _text(value: Any, column: str, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where}: {column!r} is no text but {dump_json(value)}")
    if not value.strip():
        raise ValueError(f"{where}: empty text in column {column!r}")
    return value.strip()


def _label(value: Any, problem_type: ProblemType | None, where: str, is_json: bool) -> Label:
    """One label in the form that `Example` has it; JSON's whole numbers stay numbers here."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if problem_type == "regression":
        return _number(value, where)
    if problem_type == "multi_label_classification" and isinstance(value, str):
        value = [value] if is_json else value.split("|")
    if isinstance(value, list) and problem_type != "single_label_classification":
        if not all(isinstance(item, str | int) for item in value):
            raise ValueError(f"{where}: the labels {dump_json(value)} are not all names")
        return [str(item).strip() for item in value]
    if isinstance(value, float) and problem_type is None:
        return _number(value, where)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value).strip()
    raise ValueError(f"{where}: the label {dump_json(value)} is no name and no number")


def _number(value: Any, where: str) -> float:
    """A label of regression: a number that float32, in which models compute, can hold."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{where}: the label {value!r} is not a number") from None
    if not abs(number) <= LARGEST:
        raise ValueError(f"{where}: the label {value!r} is no number to train on: correct it")
    return number


def _one_kind(examples: list[Example], numbers: list[int], path: Path) -> list[Example]:
    """The same examples, or an error where class names, lists and numbers are mixed."""
    kinds = {type(example.label) for example in examples} - {type(None)}
    if kinds == {str, float}:
        # JSON writes the score 2 without a point: with 2.5 in another line it is a number too.
        mixed = []
        for example, number in zip(examples, numbers, strict=True):
            try:
                label = float(example.label) if isinstance(example.label, str) else example.label
            except ValueError:
                raise ValueError(
                    f"{path}, line {number}: the label {example.label!r} is a name, "
                    "but other lines have numbers"
                ) from None
            label = _number(label, f"{path}, line {number}")
            mixed.append(Example(example.text, example.text_pair, label))
        return mixed
    if len(kinds) > 1:
        first = type(examples[0].label)
        number = next(
            number
            for example, number in zip(examples, numbers, strict=True)
            if type(example.label) is not first
        )
        raise ValueError(
            f"{path}, line {number}: this label is of another kind than those before "
            "(one name, a list of names, or a number: the same in the whole file)"
        )
    pairs = {example.text_pair is not None for example in examples}
    if len(pairs) > 1:
        alone = next(n for e, n in zip(examples, numbers, strict=True) if e.text_pair is None)
        raise ValueError(f"{path}, line {alone}: no second text, but other lines have one")
    return examples


Missing = Callable[[str, Iterable[str]], str]


def _json_rows(
    path: Path, required: list[str], missing: Missing
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path}, line {number}: not JSON ({error.msg} at place {error.colno})"
            ) from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: not a JSON object ({{...}})")
        for name in required:
            if name not in row:
                raise ValueError(f"{path}, line {number}: {missing(name, row)}")
        yield number, row


def _table_rows(
    path: Path,
    delimiter: str,
    columns: Sequence[str] | None,
    required: list[str],
    missing: Missing,
) -> Iterator[tuple[int, dict[str, Any]]]:
    tabs = delimiter == "\t"
    reader = csv.reader(
        (line + "\n" for _, line in numbered_lines(path)),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
        strict=not tabs,
    )
    header = list(columns) if columns is not None else None
    while True:
        number = reader.line_num + 1  # a quoted cell may run over several lines
        try:
            cells = next(reader, None)
        except csv.Error as error:
            reason = "a double quote is opened and not closed" if not tabs else str(error)
            raise ValueError(f"{path}, line {number}: {reason}") from None
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            for name in required:
                if name not in header:
                    raise ValueError(f"{path}, line {number}: {missing(name, header)}")
            continue
        if len(cells) != len(header):
            absent = required[-1] in header[len(cells) :]
            what = "no label" if absent and len(required) > 1 else "wrong number of columns"
            by = "a tab" if tabs else "a comma"
            raise ValueError(
                f"{path}, line {number}: {what} (expected {len(header)} columns separated by "
                f"{by}, found {len(cells)})"
            )
        yield number, dict(zip(header, cells, strict=True))
