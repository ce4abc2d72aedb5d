"""Which split an example of a named data set is in: decided by a hash, never by chance.

`int(sha256(text).hexdigest(), 16) % 10`: 0 to 7 for training, 8 for validation, 9 for testing,
after duplicates and texts that carry two different labels are dropped. A user's own rows are
divided in `minibert.data.stratified`, where none is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from tqdm import tqdm

from minibert.data.examples import AnswerExample, Example, TaggedExample

E = TypeVar("E", Example, TaggedExample, AnswerExample)
AnyExample = Example | TaggedExample | AnswerExample
SplitName = Literal["train", "dev", "test"]


@dataclass(frozen=True)
class Splits(Generic[E]):
    """Examples for training, validation and testing; no text is in two splits."""

    train: list[E]
    dev: list[E]
    test: list[E]


def split_of(key: str) -> SplitName:
    """The split a text belongs to, from the SHA-256 of it: 80 % train, 10 % dev, 10 % test."""
    bucket = text_hash(key) % 10
    return "train" if bucket < 8 else "dev" if bucket == 8 else "test"


def text_hash(text: str) -> int:
    """The SHA-256 of a text as a number."""
    return int(hashlib.sha256(text.encode("utf-8")).hexdigest(), 16)


def divide(keyed: Iterable[tuple[str, E]]) -> Splits[E]:
    """Examples to the splits that their keys belong to, duplicates and contradictions dropped."""
    first: dict[Hashable, tuple[str, E]] = {}
    contradicted: set[Hashable] = set()
    for key, example in tqdm(keyed, desc="reading", unit=" examples", delay=2):
        content = _content(example)
        if content not in first:
            first[content] = (key, example)
        elif label_of(first[content][1]) != label_of(example):
            contradicted.add(content)
    splits: Splits[E] = Splits([], [], [])
    for content, (key, example) in first.items():
        if content not in contradicted:
            getattr(splits, split_of(key)).append(example)
    return splits


def _content(example: AnyExample) -> Hashable:
    """What makes two examples the same one."""
    if isinstance(example, Example):
        return example.text, example.text_pair
    if isinstance(example, TaggedExample):
        return tuple(example.words)
    return example.question, example.context


def label_of(example: AnyExample) -> Any:
    """The label, the tags or the answers of an example: what two of the same text can differ in."""
    if isinstance(example, Example):
        return example.label
    return example.tags if isinstance(example, TaggedExample) else example.answers
