"""Texts to predict, a row at a time: what cannot be read is a row too, so that none is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minibert.data.conll import untagged_sentences
from minibert.data.lines import numbered_lines
from minibert.data.squad import squad_questions
from minibert.data.tables import checked_text, open_table


@dataclass(frozen=True)
class Row:
    """One row of a user's texts.

    where: its file and line, as a message begins; "" where it has none. text: a text, a question or
    a list of words; "" where it cannot be read. text_pair: the second text, or the context of a
    question. id: what the user calls it. problem: why there can be no answer, as a whole message.
    """

    where: str
    text: str | list[str]
    text_pair: str | None = None
    id: Any = None
    problem: str | None = None


def read_rows(path: str, task: str, **options: Any) -> Iterator[Row]:
    """The rows of a file, told by its ending, one after the other.

    Of a `.txt` file every line is one, blank ones too; of a table every record, with what it has in
    a column `id`; of CoNLL columns every sentence, of SQuAD every question.

    Args:
        path: `.txt`; `.jsonl`, `.csv` or `.tsv`; `.conll`, `.conllu`, `.bio` or `.iob`; `.json`.
        task: "classify", "tag", "answer" or "embed".
        options: `text_column`, `pair_column`, `label_column` and `columns`, see `read_examples`. A
            `pair_column` or `label_column` of None is not looked at, whatever it is called.

    Raises:
        ValueError: of the wrong form as a whole, or not for this task.
        FileNotFoundError: no such file.
    """
    form = Path(path).suffix.lower()
    readers: dict[str, tuple[Callable[..., Iterator[Row]], str | None]] = {
        ".txt": (_lines, None),
        **dict.fromkeys((".jsonl", ".csv", ".tsv"), (_table, None)),
        **dict.fromkeys((".conll", ".conllu", ".bio", ".iob"), (_sentences, "tag")),
        ".json": (_questions, "answer"),
    }
    if form not in readers:
        raise ValueError(
            f"{path}: cannot tell its form by the ending {form!r}: {', '.join(readers)}"
        )
    reader, only = readers[form]
    if only not in (None, task):
        raise ValueError(f"{path}: not a file of what this model reads (task {task!r})")
    return reader(Path(path), options)


def rows_of_lines(
    lines: Iterable[tuple[int, str]], name: str, bad: dict[int, str]
) -> Iterator[Row]:
    """A text a line, the blank ones too.

    Args:
        lines: numbered from 1.
        name: of the file.
        bad: filled while the lines are read, see `minibert.data.lines`.
    """
    for number, line in lines:
        where = f"{name}, line {number}: "
        problem = bad.pop(number, None) or (None if line.strip() else f"{where}the line is empty")
        yield Row(where, line.strip(), problem=problem)


def _lines(path: Path, options: dict[str, Any]) -> Iterator[Row]:
    bad: dict[int, str] = {}
    return rows_of_lines(numbered_lines(path, bad), str(path), bad)


def _table(path: Path, options: dict[str, Any]) -> Iterator[Row]:
    text_column = options.get("text_column", "text")
    pair_column = options.get("pair_column", "text_pair")
    label_column = options.get("label_column", "label")
    columns, bad = options.get("columns"), dict[int, str]()
    rows, _ = open_table(path, text_column, pair_column, label_column, columns, None, bad)
    is_empty = True
    for number, cells in rows:
        is_empty = False
        place = f"{path}, line {number}"
        where = f"{place}: "
        if isinstance(cells, ValueError):
            yield Row(where, "", problem=str(cells))
            continue
        name, text = cells.get("id"), cells.get(text_column)
        pair = None if pair_column is None else cells.get(pair_column)
        try:
            text = checked_text(text, text_column, place)
            pair = None if pair is None else checked_text(pair, pair_column, place)
            yield Row(where, text, pair, name)
        except ValueError as error:
            yield Row(where, text if isinstance(text, str) else "", None, name, str(error))
    if is_empty:
        raise ValueError(f"{path} has a header line and nothing below it")


def _sentences(path: Path, options: dict[str, Any]) -> Iterator[Row]:
    for number, words in untagged_sentences(path, options.get("columns")):
        where = f"{path}, line {number}: "
        if isinstance(words, ValueError):
            yield Row(where, [], problem=str(words))
        else:
            yield Row(where, words)


def _questions(path: Path, options: dict[str, Any]) -> Iterator[Row]:
    for name, example in squad_questions(path, labelled=False):
        if isinstance(example, ValueError):
            yield Row(f"{path}: ", "", id=name, problem=str(example))
        else:
            where = f"{path}, question {example.id!r}: "
            yield Row(where, example.question, example.context, example.id)
