"""Readers of a user's own files: tables, CoNLL columns, SQuAD, plain text.

Every reader checks what it reads and says where a mistake is: file and line (or, in SQuAD's
nested JSON, the place). Files are UTF-8, with or without a byte order mark.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minibert.examples import (
    AnswerExample,
    Example,
    TaggedExample,
    label_names,
    numbered_lines,
)
from minibert.sentences import split_sentences
from minibert.tables import ProblemType, read_examples

__all__ = [
    "AnswerExample",
    "Example",
    "ProblemType",
    "TaggedExample",
    "label_names",
    "read_conll",
    "read_documents",
    "read_examples",
    "read_squad",
]


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
    for _, line in numbered_lines(path):
        if line.strip():
            sentence_lines = sentence_lines or blank_seen
            text_seen = True
        else:
            blank_seen = text_seen  # blank lines before the first text separate nothing
        if sentence_lines:
            break
    document: list[str] = []
    for _, line in numbered_lines(path):
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
    for number, line in numbered_lines(path):
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
    text = "\n".join(line for _, line in numbered_lines(path))
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
