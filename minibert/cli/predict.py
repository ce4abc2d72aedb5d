"""`minibert predict`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from minibert.cli import models
from minibert.cli.computing import Computing, computing
from minibert.cli.lines import as_json, as_text
from minibert.cli.options import changed_by, in_options, read_options
from minibert.cli.output import check_new_file, lines_to
from minibert.data.datasets import refuse_unread
from minibert.data.lines import lines_of, numbered_lines
from minibert.data.unlabelled import Row, read_rows, rows_of_lines
from minibert.finetuning.predict import predict, why_unreadable
from minibert.finetuning.settings import ReadingSettings, TaskSettings
from minibert.model.config import REGRESSION
from minibert.model.pretrained import PretrainedModel
from minibert.tokenization.covering import Dropped, is_nothing
from minibert.tokenization.tokenizer import Tokenizer

_BATCHES = 8  # whose rows are read together, brought in the order of their length, and printed
_TOLD = 5  # rows without an answer that the message at the end names
_NO_TEXT = "no text: give a TEXT, --file, or lines on standard input"
Answered = list[tuple[Row, Any | None]]  # a row, and what is predicted for it


def run(options: Namespace) -> None:
    """Print what a fine-tuned model predicts for each text, in the order in which they come."""
    settings = changed_by(TaskSettings.read(options.model), options)
    _check_second(options, settings.task)
    check_new_file(options.out)
    computed = computing(options)
    chunks = _chunks(_rows(options, settings.task), _chunk_size(options, computed.batch_size))
    first = next(chunks, [])  # what is wrong with the file is told before the model is opened
    answer, columns = _opened(options, settings, computed)
    line: Callable[[Row, Any], str] = partial(as_json, task=settings.task)
    if not options.json:
        named = any(row.id is not None for row in first)
        line = partial(as_text, named=named, alone=options.text is not None, columns=columns)
    total, told, held = 0, list[str](), list[str]()
    with lines_to(options.out) as write, _bar(options) as bar:
        for chunk in chain([first], chunks):
            answered = answer(chunk)
            told += [row.problem or "" for row, found in answered if found is None]
            if told and options.strict:
                raise ValueError(told[0])
            total += len(chunk)
            held += [line(row, found) for row, found in answered]
            if len(told) < total:  # before, it may be that not one row can be read
                write(held)
                held = []
            bar.update(len(chunk))
        if len(told) == total:
            raise ValueError(told[0] if told else _NO_TEXT)
    if told:
        more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
        message = f"{len(told)} of {total} rows have no answer: {'; '.join(told[:_TOLD])}{more}"
        print(f"minibert: {in_options(message, vars(options))}", file=sys.stderr)


def _opened(
    options: Namespace, settings: TaskSettings, computed: Computing
) -> tuple[Callable[[list[Row]], Answered], int]:
    """The model as a function from rows to what it says of them; the columns of that."""
    tokenizer = Tokenizer.from_pretrained(options.model)
    model = models.load(options.model).to(computed.device)
    dropped = Dropped(tokenizer)
    fit = settings.fit

    def checked(row: Row) -> Row:
        for text in (row.text, row.text_pair):
            if row.problem is None and text is not None and is_nothing(text, dropped):
                reason = "there is nothing in it that the tokenizer reads"
                row = replace(row, problem=row.where + reason)
        return row

    def found(rows: list[Row]) -> list[Any]:
        return predict(
            model,
            tokenizer,
            [row.text for row in rows],
            [row.text_pair or "" for row in rows] if rows[0].text_pair is not None else None,
            batch_size=computed.batch_size,
            precision=computed.precision,
            **settings.thresholds,
            **fit,
        )

    def answer(rows: list[Row]) -> Answered:
        rows = [checked(row) for row in rows]
        fine = [row for row in rows if row.problem is None]
        try:
            said = iter(found(fine) if fine else [])
        except ValueError:
            reasons = [why_unreadable(model, tokenizer, r.text, r.text_pair, **fit) for r in fine]
            if not any(reasons):
                raise
            each = iter([r and row.where + r for row, r in zip(fine, reasons, strict=True)])
            rows = [row if row.problem else replace(row, problem=next(each)) for row in rows]
            return answer(rows)
        return [(row, None if row.problem else next(said)) for row in rows]

    if settings.task == "tag":
        return answer, 0
    return answer, 2 if settings.task == "classify" and not _is_regression(model) else 1


def _is_regression(model: PretrainedModel) -> bool:
    return model.config.problem_type == REGRESSION or model.config.num_labels == 1


# ---------------------------------------------------------------------- what is read


# The options that give a second text, by task.
_SECOND = {"classify": ("pair",), "tag": (), "answer": ("context", "context_file")}


def _check_second(options: Namespace, task: str) -> None:
    """Refuse a second text that the model does not read, and a context given twice."""
    names = ("pair", "context", "context_file")
    given = [name for name in names if getattr(options, name) is not None]
    for name in given:
        if name not in _SECOND[task]:
            reads = {"classify": "--pair", "tag": "none", "answer": "--context or --context-file"}
            raise ValueError(
                f"{name}=... is no text that {options.model} reads (its task is {task!r}, its "
                f"second text: {reads[task]}): leave it out"
            )
    if len(given) > 1:
        raise ValueError("--context and --context-file: give one of them")


def _rows(options: Namespace, task: str) -> Iterator[Row]:
    """The rows from wherever they are given, each with its context or its second text."""
    context = options.context
    if options.context_file is not None:
        lines = numbered_lines(Path(options.context_file))
        context = "\n".join(line for _, line in lines)
    second = context if task == "answer" else options.pair
    is_paired = None  # as the first row is that can be read
    for row in _single_rows(options, task):
        if row.problem is None:
            if second is not None and row.text_pair is not None:
                raise ValueError(f"{options.file} has second texts already: leave the option out")
            row = row if second is None else replace(row, text_pair=second)
            is_paired = row.text_pair is not None if is_paired is None else is_paired
            if task == "answer" and not is_paired:
                raise ValueError("a question needs a text to look in: --context or --context-file")
            if is_paired != (row.text_pair is not None):
                what = "no second text, but" if is_paired else "a second text, and no"
                row = replace(row, problem=f"{row.where}{what} other rows have one")
        yield row


def _single_rows(options: Namespace, task: str) -> Iterator[Row]:
    given = read_options(ReadingSettings, options).options
    if options.file is not None:
        if options.text is not None:
            raise ValueError("a TEXT and --file: give one of them")
        is_text = Path(options.file).suffix.lower() == ".txt"
        refuse_unread(given, None if is_text else options.file)
        yield from read_rows(options.file, task, **given)
        return
    refuse_unread(given)
    if options.text is not None:
        if not options.text.strip():
            raise ValueError("the text is empty: give at least one word")
        yield Row("", options.text)
    else:
        bad: dict[int, str] = {}
        name, remedy = "standard input", "pass it as UTF-8"
        lines = lines_of(sys.stdin.buffer, name, remedy, bad)
        is_blank = True
        for row in rows_of_lines(lines, name, bad):
            is_blank = is_blank and not row.text
            yield row
        if is_blank:
            raise ValueError(_NO_TEXT)


def _chunk_size(options: Namespace, batch_size: int) -> int:
    """Rows that are predicted together: of standard input as few as a batch has.

    Whoever types gets each answer at once.
    """
    if options.file is not None:
        return _BATCHES * batch_size
    return 1 if sys.stdin.isatty() else batch_size


def _chunks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, size)):
        yield chunk


def _bar(options: Namespace) -> Any:
    """Progress, unless the lines themselves appear on the screen."""
    is_seen = options.out is None and sys.stdout.isatty()
    return tqdm(
        desc="predicting",
        unit=" rows",
        delay=2,
        leave=False,
        **({"disable": True} if is_seen else {}),
    )
