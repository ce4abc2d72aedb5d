"""The texts that a command is given, and what it says of each: a row for every row."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from minibert.cli.options import in_options
from minibert.data.datasets import refuse_unread
from minibert.data.lines import lines_of
from minibert.data.unlabelled import Row, read_rows, rows_of_lines
from minibert.tokenization.covering import Dropped, is_nothing

Answered = list[tuple[Row, Any | None]]  # a row, and what is said of it
NO_TEXT = "no text: give a TEXT, --file, or lines on standard input"
_BATCHES = 8  # whose rows are read together, brought in the order of their length, and printed
_TOLD = 5  # rows without an answer that the message at the end names


def given_rows(
    text: str | None,
    file: str | None,
    task: str,
    given: Mapping[str, Any],
    *,
    no_text: str = NO_TEXT,
    **fixed: Any,
) -> Iterator[Row]:
    """The one text, those of a file, or the lines of standard input.

    Args:
        text: an argument of the command line.
        file: see `read_rows`, as for `task`.
        given: how a table is to be read, as the user says; refused where nothing heeds it.
        no_text: what to say where there is none.
        fixed: as `given`, but by the command.
    """
    if file is not None:
        if text is not None:
            raise ValueError("a TEXT and --file: give one of them")
        is_text = Path(file).suffix.lower() == ".txt"
        refuse_unread(dict(given), None if is_text else file)
        yield from read_rows(file, task, **given, **fixed)
        return
    refuse_unread(dict(given))
    if text is not None:
        if not text.strip():
            raise ValueError("the text is empty: give at least one word")
        yield Row("", text)
    else:
        bad: dict[int, str] = {}
        name, remedy = "standard input", "pass it as UTF-8"
        lines = lines_of(sys.stdin.buffer, name, remedy, bad)
        is_blank = True
        for row in rows_of_lines(lines, name, bad):
            is_blank = is_blank and not row.text
            yield row
        if is_blank:
            raise ValueError(no_text)


def in_chunks(rows: Iterator[Row], batch_size: int, file: str | None) -> Iterator[list[Row]]:
    """The rows that are read together: of standard input as few as a batch has.

    Whoever types gets each answer at once.
    """
    size = _BATCHES * batch_size
    if file is None:
        size = 1 if sys.stdin.isatty() else batch_size
    while chunk := list(islice(rows, size)):
        yield chunk


def readable(row: Row, dropped: Dropped) -> Row:
    """The row, with a problem where the tokenizer makes nothing of one of its texts."""
    for text in (row.text, row.text_pair):
        if row.problem is None and text is not None and is_nothing(text, dropped):
            reason = "there is nothing in it that the tokenizer reads"
            row = replace(row, problem=row.where + reason)
    return row


def answered(
    rows: list[Row],
    found: Callable[[list[Row]], Iterable[Any]],
    why_not: Callable[[Row], str | None],
) -> Answered:
    """What `found` says of the rows that can be read, and `None` for the others.

    Args:
        rows: of which some may have a problem.
        found: refuses all if one of them cannot be read.
        why_not: it would refuse this row.
    """
    fine = [row for row in rows if row.problem is None]
    try:
        said = iter(found(fine) if fine else [])
    except ValueError:
        reasons = [why_not(row) for row in fine]
        if not any(reasons):
            raise
        each = iter([r and row.where + r for row, r in zip(fine, reasons, strict=True)])
        rows = [row if row.problem else replace(row, problem=next(each)) for row in rows]
        return answered(rows, found, why_not)
    return [(row, None if row.problem else next(said)) for row in rows]


def reported(
    chunks: Iterable[list[Row]],
    answer: Callable[[list[Row]], Answered],
    options: Namespace,
    doing: str,
    noun: str,
) -> Iterator[Answered]:
    """What is answered, chunk by chunk; progress; and at the end a line for what is not.

    Nothing comes before one row is answered: it may be that not one can be read.

    Args:
        chunks: of rows.
        answer: see `answered`.
        options: `strict`: stop at a row that cannot be read; `out`: see `lines_to`.
        doing: what the bar says.
        noun: what a row that cannot be read does not get.

    Raises:
        ValueError: if no row can be read.
    """
    total, told, held = 0, list[str](), Answered()
    with _bar(options, doing) as bar:
        for chunk in chunks:
            found = answer(chunk)
            told += [row.problem or "" for row, said in found if said is None]
            if told and getattr(options, "strict", False):
                raise ValueError(told[0])
            total += len(chunk)
            held += found
            if len(told) < total:
                yield held
                held = []
            bar.update(len(chunk))
        if len(told) == total:
            raise ValueError(told[0] if told else NO_TEXT)
    if told:
        more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
        message = f"{len(told)} of {total} rows have no {noun}: {'; '.join(told[:_TOLD])}{more}"
        print(f"minibert: {in_options(message, vars(options))}", file=sys.stderr)


def _bar(options: Namespace, doing: str) -> Any:
    """Progress, unless the lines themselves appear on the screen."""
    is_seen = getattr(options, "out", None) is None and sys.stdout.isatty()
    return tqdm(
        desc=doing,
        unit=" rows",
        delay=2,
        leave=False,
        **({"disable": True} if is_seen else {}),
    )
