"""What an example is: a text or a pair with a label, tagged words, a question about a context."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Label = str | list[str] | float | None
LARGEST = 3.4028234e38  # of float32, in which a label that is a number has to be held


@dataclass(frozen=True, slots=True)  # of a million rows there are a million
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
