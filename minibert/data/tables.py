"""Reading JSON lines, CSV and TSV: a text, or a pair of texts, with a label on every line."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from minibert.data.examples import Example
from minibert.data.labels import ProblemType, read_labels
from minibert.data.lines import half_character, numbered_lines
from minibert.data.strict_json import RepeatedName, dump_json, parse_json

# What separates the columns of a table, and what messages call it.
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_LOOKED_AT = 50  # lines by which the delimiter is told
Check = Callable[[Sequence[str], str], None]
Rows = Iterator[tuple[int, dict[str, Any] | ValueError]]


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
        path: the ending decides the form. CSV follows the usual quoting, and its columns may be
            separated by semicolons, tabs or bars as well, which its first lines tell; in TSV a
            double quote is an ordinary character.
        text_column: what the column (or JSON key) of the text is called.
        pair_column: that of the second text; the default one may be missing: then the examples
            are single texts.
        label_column: that of the label.
        columns: names for the columns of a CSV or TSV file that has no header line; CoLA's own
            files are `columns=["source", "label", "mark", "text"]`.
        problem_type: how to read the labels; where it is not given, the whole column tells, as
            `minibert.data.labels.read_labels` says. Several labels in a CSV or TSV cell are
            separated by "|", and an empty cell is none of them.
        labelled: whether labels are needed. If not, they are not looked at, and come out as None.

    Raises:
        ValueError: of the wrong form; the message names file and line.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    needed = label_column if labelled else None
    rows, delimiter = open_table(path, text_column, pair_column, label_column, columns, needed)
    texts: list[str] = []
    pairs: list[str | None] = []
    labels: list[Any] = []
    numbers: list[int] = []  # line of each example
    for number, row in tqdm(rows, desc=path.name, unit=" lines", delay=2):
        if isinstance(row, ValueError):
            raise row
        if delimiter and not any(cell.strip() for cell in row.values()):
            continue  # a spreadsheet ends in rows of nothing
        where = f"{path}, line {number}"
        texts.append(checked_text(row.get(text_column), text_column, where))
        pair = row.get(pair_column)
        pairs.append(None if pair is None else checked_text(pair, pair_column, where))
        labels.append(row.get(label_column) if labelled else None)
        numbers.append(number)
    if not texts:
        raise ValueError(f"{path} has a header line and nothing below it")
    if 0 < pairs.count(None) < len(pairs):
        alone = numbers[pairs.index(None)]
        raise ValueError(f"{path}, line {alone}: no second text, but other lines have one")
    read = read_labels(
        labels,
        lambda i: f"{path}, line {numbers[i]}",
        problem_type,
        separator="|" if delimiter else None,
        decimal_comma=delimiter == ";",
    )
    if labelled and None in read:
        number = numbers[read.index(None)]
        raise ValueError(f"{path}, line {number}: no label (column {label_column!r} is empty)")
    return [Example(*row) for row in zip(texts, pairs, read, strict=True)]


def open_table(
    path: Path,
    text_column: str,
    pair_column: str | None,
    label_column: str | None,
    columns: Sequence[str] | None,
    needed: str | None,
    bad: dict[int, str] | None = None,
) -> tuple[Rows, str]:
    """The rows of a table and what separates its columns, "" in JSON lines.

    Args:
        needed: the column of the labels, where there must be one.
        bad: see `numbered_lines`; with it, a row with such a line in it is one that cannot be read.
        path, text_column, pair_column, label_column, columns, and errors: as in `read_examples`;
            the second and third name may be None, for columns that are not looked at.

    Returns:
        for every row the number of its first line and its cells by the names of the columns, or an
        error that says why it cannot be read; and the delimiter.
    """
    form = path.suffix.lower()
    if form not in (".jsonl", ".csv", ".tsv"):
        raise ValueError(f"{path}: not a .jsonl, .csv or .tsv file")
    wanted = [
        (column, f"{name}=...")
        for name, column in (
            ("text_column", text_column),
            ("pair_column", pair_column),
            ("label_column", label_column),
        )
        if column is not None
    ]
    used = dict(wanted)
    if len(used) < len(wanted):
        raise ValueError(
            f"text_column={text_column!r}, pair_column={pair_column!r} and "
            f"label_column={label_column!r}: three different columns are needed"
        )
    required = [text_column]
    if pair_column is not None and pair_column != "text_pair":
        required.append(pair_column)
    if needed is not None:
        required.append(needed)

    def check(names: Sequence[str], where: str) -> None:
        for name in required:
            if name not in names:
                raise ValueError(
                    f"{where}: no column {name!r} (there are: {', '.join(names)}): "
                    f"say which one is meant with {used[name]}"
                )
        twice = [name for name in used if list(names).count(name) > 1]
        if twice:
            raise ValueError(f"{where}: two columns are called {twice[0]!r}: rename one of them")

    # Text may be long; by itself the module stops at 131,072 characters a cell.
    csv.field_size_limit(2**31 - 1)
    delimiter = ""
    if form == ".jsonl":
        rows = _json_rows(path, check, bad)
    else:
        delimiter = _delimiter(path, form, required, columns)
        quoted = _has_quotes(form, delimiter)
        rows = _table_rows(path, delimiter, quoted, columns, check, needed, bad)
    return rows, delimiter


def checked_text(value: Any, column: str, where: str) -> str:
    """The text of a cell, spaces around it left out; an error where it is none or empty."""
    if not isinstance(value, str):
        raise ValueError(f"{where}: {column!r} is no text but {dump_json(value)}")
    if not value.strip():
        raise ValueError(f"{where}: empty text in column {column!r}")
    if (half := half_character(value)) is not None:
        raise ValueError(
            f"{where}: {column!r} holds half a character ({half}), such as an emoji cut in two: "
            "take it out"
        )
    return value.strip()


def _json_rows(path: Path, check: Check, bad: dict[int, str] | None) -> Rows:
    for number, line in numbered_lines(path, bad):
        if not line.strip():
            continue
        row: dict[str, Any] | ValueError
        try:
            if bad and number in bad:
                raise ValueError(bad.pop(number))
            row = _json_row(line, f"{path}, line {number}", check)
        except ValueError as error:
            row = error
        yield number, row


def _json_row(line: str, where: str, check: Check) -> dict[str, Any]:
    try:
        row = parse_json(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where}: not JSON ({error.msg} at place {error.colno})") from None
    except RepeatedName as error:
        raise ValueError(f"{where}: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"{where}: not a JSON object ({{...}})")
    check(list(row), where)
    return row


def _delimiter(path: Path, form: str, required: list[str], columns: Sequence[str] | None) -> str:
    """What separates the columns: that of the ending, if the first lines do not say another."""
    lines = [line for _, line in itertools.islice(numbered_lines(path, {}), _LOOKED_AT)]
    candidates = list(_DELIMITERS)
    if form == ".tsv":
        candidates.sort(key=lambda candidate: candidate != "\t")

    def fitness(delimiter: str) -> tuple[int, int]:
        reader = csv.reader(
            lines,
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if _has_quotes(form, delimiter) else csv.QUOTE_NONE,
        )
        rows = [row for row in ([cell.strip() for cell in cells] for cells in reader) if any(row)]
        if columns is not None:
            return sum(len(row) == len(columns) for row in rows), 0
        header = rows[0] if rows else []
        return sum(name in header for name in required), len(header)

    return max(candidates, key=fitness)  # the first of those that fit equally well


def _has_quotes(form: str, delimiter: str) -> bool:
    """Whether a double quote holds a cell together; in TSV it is an ordinary character."""
    return form != ".tsv" or delimiter != "\t"


def _table_rows(
    path: Path,
    delimiter: str,
    quoted: bool,
    columns: Sequence[str] | None,
    check: Check,
    label: str | None,
    bad: dict[int, str] | None,
) -> Rows:
    reader = csv.reader(
        (line + "\n" for _, line in numbered_lines(path, bad)),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=quoted,
    )
    header: Sequence[str] | None = columns
    if header is not None:
        check(header, f"columns={','.join(header)}")
    while True:
        number = reader.line_num + 1  # a quoted cell may run over several lines
        try:
            cells = next(reader, None)
        except csv.Error as error:
            reason = ValueError(_broken(path, number, reader.line_num, error))
            if "unexpected end" in str(error):  # of the file: what rows there are, nobody knows
                raise reason from None
            yield number, reason
            continue
        if cells is None:
            return
        reasons = (
            [bad.pop(n) for n in range(number, reader.line_num + 1) if n in bad] if bad else []
        )
        if not any(cell.strip() for cell in cells) and (header is None or len(cells) < 2):
            # An empty line is no row, except where there is one column: there it is an empty cell.
            if header is None or len(header) != 1:
                continue
            cells = [""]
        if reasons and header is None:
            raise ValueError(reasons[0])
        if header is None:
            header = [cell.strip() for cell in cells]
            check(header, f"{path}, line {number}")
            continue
        if len(cells) != len(header):
            what = "no label" if label in header[len(cells) :] else "wrong number of columns"
            reasons.append(
                f"{path}, line {number}: {what} (expected {len(header)} columns separated by "
                f"{_DELIMITERS[delimiter]}, found {len(cells)})"
            )
        yield number, ValueError(reasons[0]) if reasons else dict(zip(header, cells, strict=True))


def _broken(path: Path, start: int, line: int, error: csv.Error) -> str:
    """What is wrong with the quotes of a record that begins and ends in these lines."""
    if "expected after" not in str(error):
        return f"{path}, line {start}: a double quote is opened and not closed"
    there = "" if line == start else f" in line {line}"
    return (
        f"{path}, line {start}: a quoted cell goes on behind its closing quote{there} "
        '(a quote inside a cell is written twice: "")'
    )
