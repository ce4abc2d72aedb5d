"""Readers of a user's own files: JSON lines, CSV, TSV, CoNLL columns, SQuAD, plain text.

Every reader checks what it reads and says where a mistake is: file and line (or, in SQuAD's
nested JSON, the place). Files are UTF-8, with or without a byte order mark.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from minibert.sentences import split_sentences

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
Label = str | list[str] | float | None


@dataclass(frozen=True)
class Example:
    """A text or a pair of texts with its label.

    `label` is a string (one class), a list of strings (several at once), a float (regression)
    or None (not known).
    """

    text: str
    text_pair: str | None = None
    label: Label = None


@dataclass(frozen=True)
class TaggedExample:
    """A sentence as words, and one tag for each ("B-PER", "I-PER", "O")."""

    words: list[str]
    tags: list[str]


@dataclass(frozen=True)
class AnswerExample:
    """A question about a context.

    `answers` holds (text, start) with `context[start : start + len(text)] == text`; it is empty
    where the answers are not given, and where `is_impossible` says that there is none (v2).
    """

    id: str
    question: str
    context: str
    answers: list[tuple[str, int]]
    is_impossible: bool = False


def label_names(examples: Iterable[Example | TaggedExample]) -> list[str]:
    """The labels or tags that occur, sorted (as numbers where all are); empty for regression."""
    names: set[str] = set()
    for example in examples:
        if isinstance(example, TaggedExample):
            names.update(example.tags)
        elif isinstance(example.label, str):
            names.add(example.label)
        elif isinstance(example.label, list):
            names.update(example.label)
    if all(re.fullmatch(r"-?\d+", name) for name in names):
        return sorted(names, key=int)
    return sorted(names)


# ---------------------------------------------------------------- lines


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and line without its end; an error where it is not UTF-8."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a file")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    empty = True
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                # A byte order mark is no part of the first word.
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}, line {number}: not UTF-8 (byte 0x{raw[error.start]:02x} at place "
                    f"{error.start + 1}): save the file as UTF-8"
                ) from None
            line = line.rstrip("\r\n")
            empty = empty and not line.strip()
            yield number, line
    if empty:
        raise ValueError(f"{path} is empty")


# ---------------------------------------------------------------- plain text


def read_documents(path: str | Path) -> Iterator[list[str]]:
    """Documents of a plain text file, one after the other, as lists of sentences.

    With blank lines in it, a line is a sentence and a blank line ends a document; without any,
    a line is a whole document, cut into sentences by `split_sentences`. The file is read as a
    stream, twice, so that its size does not matter.

    Raises:
        ValueError: empty, or not UTF-8; the message names file and line.
    """
    path = Path(path)
    sentence_lines = False
    text_seen = blank_seen = False
    for _, line in _lines(path):
        if line.strip():
            sentence_lines = sentence_lines or blank_seen
            text_seen = True
        else:
            blank_seen = text_seen  # blank lines before the first text separate nothing
        if sentence_lines:
            break
    document: list[str] = []
    for _, line in _lines(path):
        if not sentence_lines:
            document = split_sentences(line)
        elif line.strip():
            document.append(" ".join(line.split()))
            continue
        if document:
            yield document
            document = []
    if document:
        yield document


# ---------------------------------------------------------------- JSON lines, CSV, TSV


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
        text_column: "text_column / --text-column",
        pair_column: "pair_column / --pair-column",
        label_column: "label_column / --label-column",
    }

    def missing(name: str, there: Iterable[str]) -> str:
        return (
            f"no column {name!r} (there are: {', '.join(there)}): "
            f"say which one is meant with {options[name]}"
        )

    if form == ".jsonl":
        rows: Iterable[tuple[int, dict[str, Any]]] = _json_rows(path, required, missing)
    else:
        delimiter = "\t" if form == ".tsv" else ","
        rows = _table_rows(path, delimiter, columns, required, missing)
    examples: list[Example] = []
    numbers: list[int] = []  # line of each example, for the check at the end
    for number, row in rows:
        where = f"{path}, line {number}"
        texts = []
        for name in (text_column, pair_column):
            value = row.get(name)
            if value is None and name == pair_column:
                continue
            if not isinstance(value, str):
                raise ValueError(f"{where}: {name!r} is no text but {json.dumps(value)}")
            if not value.strip():
                raise ValueError(f"{where}: empty text in column {name!r}")
            texts.append(value.strip())
        label = _label(row.get(label_column), problem_type, where, form == ".jsonl")
        if labelled and label is None:
            raise ValueError(f"{where}: no label (column {label_column!r} is empty)")
        examples.append(Example(texts[0], texts[1] if len(texts) > 1 else None, label))
        numbers.append(number)
    if not examples:
        raise ValueError(f"{path} has a header line and nothing below it")
    return _one_kind(examples, numbers, path)


def _label(value: Any, problem_type: ProblemType | None, where: str, is_json: bool) -> Label:
    """One label in the form that `Example` has it; JSON's whole numbers stay numbers here."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if problem_type == "regression":
        try:
            return float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{where}: the label {value!r} is not a number") from None
    if problem_type == "multi_label_classification" and isinstance(value, str):
        value = [value] if is_json else value.split("|")
    if isinstance(value, list) and problem_type != "single_label_classification":
        if not all(isinstance(item, str | int) for item in value):
            raise ValueError(f"{where}: the labels {json.dumps(value)} are not all names")
        return [str(item).strip() for item in value]
    if isinstance(value, float) and problem_type is None:
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value).strip()
    raise ValueError(f"{where}: the label {json.dumps(value)} is no name and no number")


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
    for number, line in _lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
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
        (line + "\n" for _, line in _lines(path)),
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


# ---------------------------------------------------------------- CoNLL columns


def read_conll(
    path: str | Path, *, word_column: int = 0, tag_column: int = -1
) -> list[TaggedExample]:
    """Read a file of columns: a word and its tag a line, a blank line between sentences.

    Columns are separated by tabs or spaces; `-DOCSTART-` lines are left out.

    Args:
        path: the file.
        word_column: place of the word, counted from 0, or from the end with -1.
        tag_column: place of the tag, likewise.

    Raises:
        ValueError: empty, not UTF-8 or a column too few; the message names file and line.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    sentences: list[TaggedExample] = []
    words: list[str] = []
    tags: list[str] = []
    width = 0
    for number, line in _lines(path):
        # Only tabs and spaces separate: a wide or unbreakable space can be part of a word.
        cells = re.split(r"\t" if "\t" in line else r" +", line.strip(" \t"))
        if cells[0] == "-DOCSTART-":
            continue
        if cells != [""]:
            width = width or len(cells)
            if len(cells) != width or len(cells) < 2:
                raise ValueError(
                    f"{path}, line {number}: expected {max(width, 2)} columns separated by "
                    f"spaces or tabs, found {len(cells)}"
                )
            try:
                word, tag = cells[word_column], cells[tag_column]
            except IndexError:
                raise ValueError(
                    f"{path}, line {number}: {len(cells)} columns, but column "
                    f"{max(word_column, tag_column)} (counted from 0) is asked for"
                ) from None
            if not word or not tag:
                raise ValueError(f"{path}, line {number}: empty {'tag' if word else 'word'}")
            words.append(word)
            tags.append(tag)
        elif words:
            sentences.append(TaggedExample(words, tags))
            words, tags = [], []
    if words:
        sentences.append(TaggedExample(words, tags))
    if not sentences:
        raise ValueError(f"{path} has no tagged word in it")
    return sentences


# ---------------------------------------------------------------- SQuAD


def read_squad(path: str | Path) -> list[AnswerExample]:
    """Read SQuAD v1.1 or v2 JSON (Rajpurkar et al. 2016, 2018).

    Raises:
        ValueError: not JSON, a field missing, an empty question or context, or an answer that
            does not stand where `answer_start` says; the message names file and place.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    text = "\n".join(line for _, line in _lines(path))
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}, line {error.lineno}: not JSON ({error.msg} at place {error.colno})"
        ) from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not SQuAD (expected an object with 'data')")
    examples = []
    for a, article in enumerate(_field(content, "data", list, str(path))):
        for p, paragraph in enumerate(_field(article, "paragraphs", list, f"{path}, data[{a}]")):
            place = f"{path}, data[{a}].paragraphs[{p}]"
            context = _field(paragraph, "context", str, place)
            for q, qa in enumerate(_field(paragraph, "qas", list, place)):
                examples.append(_answer_example(qa, context, f"{place}.qas[{q}]"))
    if not examples:
        raise ValueError(f"{path} has no question in it")
    return examples


def _field(holder: Any, name: str, kind: type, place: str) -> Any:
    value: Any = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, kind):
        expected = {list: "a list", str: "a text", int: "a whole number"}[kind]
        raise ValueError(f"{place}: expected {name!r} to be {expected}")
    if isinstance(value, str) and not value.strip():
        raise ValueError(f"{place}: {name!r} is empty")
    return value


def _answer_example(qa: Any, context: str, place: str) -> AnswerExample:
    question = _field(qa, "question", str, place)
    name = str(_field(qa, "id", str, place))
    place = f"{place} (id {name})"
    impossible = bool(qa.get("is_impossible", False))
    answers: list[tuple[str, int]] = []
    for answer in qa.get("answers") or []:
        text = _field(answer, "text", str, place)
        start = _field(answer, "answer_start", int, place)
        there = context[start : start + len(text)] if start >= 0 else ""
        if there != text:
            raise ValueError(
                f"{place}: the answer {text!r} is not at answer_start {start} of the context "
                f"(there: {there!r})"
            )
        answers.append((text, start))
    if impossible and answers:
        raise ValueError(f"{place}: is_impossible is true, but there is an answer")
    return AnswerExample(name, question, context, answers, impossible)
