"""Questions about a context in SQuAD's JSON, v1.1 and v2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minibert.data.examples import AnswerExample, numbered_lines
from minibert.data.strict_json import parse_json


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
        content = parse_json(text)
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
