"""Questions about a context in SQuAD's JSON, v1.1 and v2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minibert.data.examples import AnswerExample
from minibert.data.lines import half_character, numbered_lines
from minibert.data.strict_json import RepeatedName, parse_json

_KINDS = {list: "a list", str: "a text", int: "a whole number"}


def read_squad(path: str | Path) -> list[AnswerExample]:
    """Read SQuAD v1.1 or v2 JSON (Rajpurkar et al. 2016, 2018).

    A question has no answer where `is_impossible` is true (or the text "true"), and only there.
    With no `answers`, or an empty list of them, and `is_impossible` not true its answer is not
    known: it can be predicted, but nothing learned or measured. An `id` may be a text or a whole
    number; a question without one is called by its place in the file, such as "0.2.1".

    Raises:
        ValueError: not JSON, a field of the wrong type, an empty question or context, or an answer
            that does not stand where `answer_start` says; the message names file and place.
        FileNotFoundError: no such file.
    """
    examples = []
    for _, example in squad_questions(path):
        if isinstance(example, ValueError):
            raise example
        examples.append(example)
    return examples


def squad_questions(
    path: str | Path, labelled: bool = True
) -> Iterator[tuple[Any, AnswerExample | ValueError]]:
    """Every question, one after the other, with its id, which is None where it has none.

    Args:
        path, and errors of the whole file: as in `read_squad`.
        labelled: whether answers are looked at.

    Yields:
        the example, or an error that says why this question cannot be read.
    """
    path = Path(path)
    text = "\n".join(line for _, line in numbered_lines(path))
    try:
        content = parse_json(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}, line {error.lineno}: not JSON ({error.msg} at place {error.colno})"
        ) from None
    except RepeatedName as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not SQuAD (expected an object with 'data')")
    is_empty = True
    for a, article in enumerate(_field(content, "data", list, str(path))):
        for p, paragraph in enumerate(_field(article, "paragraphs", list, f"{path}, data[{a}]")):
            place = f"{path}, data[{a}].paragraphs[{p}]"
            for q, qa in enumerate(_field(paragraph, "qas", list, place)):
                is_empty = False
                name = qa.get("id") if isinstance(qa, dict) else None
                where = f"{place}.qas[{q}]"
                example: AnswerExample | ValueError
                try:
                    context = _field(paragraph, "context", str, place)
                    example = _answer_example(qa, context, where, f"{a}.{p}.{q}", labelled)
                except ValueError as error:
                    example = error
                yield name, example
    if is_empty:
        raise ValueError(f"{path} has no question in it")


def _field(holder: Any, name: str, kind: type, place: str) -> Any:
    value: Any = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{place}: expected {name!r} to be {_KINDS[kind]}")
    if isinstance(value, str):
        if not value.strip():
            raise ValueError(f"{place}: {name!r} is empty")
        if (half := half_character(value)) is not None:
            raise ValueError(f"{place}: {name!r} holds half a character ({half}): take it out")
    return value


def _answer_example(
    qa: Any, context: str, place: str, number: str, labelled: bool
) -> AnswerExample:
    question = _field(qa, "question", str, place)
    name = number if qa.get("id") is None else qa["id"]
    name = str(name) if type(name) is int else _field({"id": name}, "id", str, place)
    if not labelled:
        return AnswerExample(name, question, context, [])
    place = f"{place} (id {name})"
    impossible = _flag(qa.get("is_impossible"), place)
    answers: list[tuple[str, int]] = []
    for answer in [] if qa.get("answers") is None else _field(qa, "answers", list, place):
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


def _flag(value: Any, place: str) -> bool:
    """Whether `is_impossible` says yes; not there, it says no."""
    written = str(value).strip().lower() if isinstance(value, str | bool) else value
    known = {"true": True, "false": False, None: False}
    if isinstance(written, list | dict) or written not in known:
        raise ValueError(
            f"{place}: expected 'is_impossible' to be true or false, not {value!r:.80}"
        )
    return known[written]
