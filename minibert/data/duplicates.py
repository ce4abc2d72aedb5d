"""Rows that repeat one another: within a split, with another label, from one split to the next.

What is found is told, and nothing is done about it unless that is asked for: whoever has the same
complaint a hundred times may want it to count a hundred times.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from minibert.data.examples import Example, TaggedExample
from minibert.data.sentences import clean
from minibert.data.splits import AnyExample, E, Splits, label_of

_NAMES = {"train": "training", "dev": "dev", "test": "test"}


def repeated_rows(splits: Splits[Any]) -> list[str]:
    """What repeats in these splits, a line for each kind and split; nothing where nothing does."""
    told: list[str] = []
    seen: dict[Hashable, set[str]] = {}  # labels of the texts of the splits before
    for name, known_as in _NAMES.items():
        examples: list[AnyExample] = getattr(splits, name)
        own = _labels_by_text(examples)
        if len(own) < len(examples):
            again = f"{len(examples) - len(own):,} of {len(examples):,} rows"
            told.append(f"{known_as} examples: {again} repeat the text of another row")
        differing = [text for text, labels in own.items() if len(labels) > 1]
        if differing:
            told.append(
                f"{known_as} examples: {_count(differing)} with more than one label, such as "
                f"{_shown(differing[0])}"
            )
        leaked = [text for text in own if text in seen]
        if leaked:
            other = sum(own[text] != seen[text] for text in leaked)
            differs = f" ({other:,} with another label)" if other else ""
            told.append(
                f"{known_as} examples: {_count(leaked)} of {len(own):,}{differs} already among "
                f"those before, such as {_shown(leaked[0])}: metrics on {known_as} say too much"
            )
        for text, those in own.items():
            seen.setdefault(text, set()).update(those)
    return told


def without_repeated_rows(splits: Splits[E]) -> Splits[E]:
    """Each text once, and none that has different labels anywhere.

    A text of several splits stays in the last of them: what is tested on is not trained on.
    """
    labels = _labels_by_text([*splits.train, *splits.dev, *splits.test])
    kept: Splits[E] = Splits([], [], [])
    for name in reversed(_NAMES):
        for example in getattr(splits, name):
            if len(labels.pop(_text(example), ())) == 1:
                getattr(kept, name).append(example)
    return kept


def _labels_by_text(examples: Iterable[AnyExample]) -> dict[Hashable, set[str]]:
    found: dict[Hashable, set[str]] = {}
    for example in examples:
        label = label_of(example)
        if isinstance(example, Example) and isinstance(label, list):
            label = sorted(label)
        found.setdefault(_text(example), set()).add(repr(label))
    return found


def _text(example: AnyExample) -> tuple[str, ...]:
    """All that the model is to read of an example; white space apart."""
    if isinstance(example, TaggedExample):
        return tuple(example.words)
    if isinstance(example, Example):
        return tuple(map(clean, filter(None, (example.text, example.text_pair))))
    return clean(example.question), clean(example.context)


def _count(texts: list[Hashable]) -> str:
    return f"{len(texts):,} text{'s' * (len(texts) > 1)}"


def _shown(text: Any) -> str:
    whole = " ".join(text)
    return repr(whole if len(whole) <= 40 else whole[:40] + "...")
