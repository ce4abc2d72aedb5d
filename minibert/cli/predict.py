"""`minibert predict`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from minibert.cli import models
from minibert.cli.computing import Computing, computing
from minibert.cli.input_rows import Answered, answered, given_rows, in_chunks, readable, reported
from minibert.cli.lines import as_json, as_text
from minibert.cli.options import changed_by, read_options
from minibert.cli.output import check_new_file, lines_to
from minibert.data.lines import numbered_lines
from minibert.data.unlabelled import Row
from minibert.finetuning.predict import predict, why_unreadable
from minibert.finetuning.settings import ReadingSettings, TaskSettings
from minibert.model.config import REGRESSION
from minibert.model.pretrained import PretrainedModel
from minibert.tokenization.covering import Dropped
from minibert.tokenization.tokenizer import Tokenizer


def run(options: Namespace) -> None:
    """Print what a fine-tuned model predicts for each text, in the order in which they come."""
    settings = changed_by(TaskSettings.read(options.model), options)
    _check_second(options, settings.task)
    check_new_file(options.out)
    computed = computing(options)
    rows = _rows(options, settings.task)
    chunks = in_chunks(rows, computed.batch_size, options.file)
    first = next(chunks, [])  # what is wrong with the file is told before the model is opened
    answer, columns = _opened(options, settings, computed)
    line: Callable[[Row, Any], str] = partial(as_json, task=settings.task)
    if not options.json:
        named = any(row.id is not None for row in first)
        line = partial(as_text, named=named, alone=options.text is not None, columns=columns)
    with lines_to(options.out) as write:
        for found in reported(chain([first], chunks), answer, options, "predicting", "answer"):
            write([line(row, said) for row, said in found])


def _opened(
    options: Namespace, settings: TaskSettings, computed: Computing
) -> tuple[Callable[[list[Row]], Answered], int]:
    """The model as a function from rows to what it says of them; the columns of that."""
    tokenizer = Tokenizer.from_pretrained(options.model)
    model = models.load(options.model).to(computed.device)
    dropped = Dropped(tokenizer)
    fit = settings.fit

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

    def why_not(row: Row) -> str | None:
        return why_unreadable(model, tokenizer, row.text, row.text_pair, **fit)

    def answer(rows: list[Row]) -> Answered:
        return answered([readable(row, dropped) for row in rows], found, why_not)

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
    given = read_options(ReadingSettings, options).options
    for row in given_rows(options.text, options.file, task, given):
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
