"""Rows that repeat one another: within a split, with another label, from one split to the next.

What is found is told, and nothing is done about it unless that is asked for: whoever has the same
complaint a hundred times may want it to count a hundred times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from minibert.data.examples import Example, TaggedExample
from minibert.data.sentences import clean
from minibert.data.splits import AnyExample, E, Splits, label_of

Labels = dict[bytes, frozenset[str]]  # those of each text, by the text's digest
_NAMES = {"train": "training", "dev": "dev", "test": "test"}


def repeated_rows(splits: Splits[Any]) -> list[str]:
    """What repeats in these splits, a line for each kind and split; nothing where nothing does."""
    told: list[str] = []
    seen: Labels = {}  # of the texts of the splits before
    for name, known_as in _NAMES.items():
        examples: list[AnyExample] = getattr(splits, name)
        own = _labels_by_text(examples)
        if len(own) < len(examples):
            again = f"{len(examples) - len(own):,} of {len(examples):,} rows"
            told.append(f"{known_as} examples: {again} repeat the text of another row")
        differing = {text for text, labels in own.items() if len(labels) > 1}
        if differing:
            told.append(
                f"{known_as} examples: {_count(differing)} with more than one label, such as "
                f"{_shown(examples, differing)}"
            )
        leaked = seen.keys() & own.keys()
        if leaked:
            other = sum(own[text] != seen[text] for text in leaked)
            differs = f" ({other:,} with another label)" if other else ""
            first = _shown(examples, leaked)
            told.append(
                f"{known_as} examples: {_count(leaked)} of {len(own):,}{differs} already among "
                f"those before, such as {first}: metrics on {known_as} say too much"
            )
        if not seen:
            seen = own
        else:
            for text, those in own.items():
                seen[text] = seen.get(text, those) | those
    return told


def without_repeated_rows(splits: Splits[E]) -> Splits[E]:
    """Each text once, and none that has different labels anywhere.

    A text of several splits stays in the last of them: what is tested on is not trained on.
    """
    labels = _labels_by_text([*splits.train, *splits.dev, *splits.test])
    kept: Splits[E] = Splits([], [], [])
    for name in reversed(_NAMES):
        for example in getattr(splits, name):
            if len(labels.pop(_digest(example), ())) == 1:
                getattr(kept, name).append(example)
    return kept


def _labels_by_text(examples: Sequence[AnyExample]) -> Labels:
    """Little for each text: of a million rows there may be a million."""
    found: Labels = {}
    alone: dict[str, frozenset[str]] = {}  # one set for all texts with the same label
    for example in examples:
        label = label_of(example)
        if isinstance(example, Example) and isinstance(label, list):
            label = sorted(label)
        told = repr(label)
        those = alone.setdefault(told, frozenset([told]))
        text = _digest(example)
        before = found.setdefault(text, those)
        if before is not those:
            found[text] = before | those
    return found


def _digest(example: AnyExample) -> bytes:
    """What tells one text from another: shorter than it, and never the same by chance."""
    parts = [part.encode("utf-8", "surrogatepass") for part in _text(example)]
    whole = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return hashlib.blake2b(whole, digest_size=16).digest()


def _text(example: AnyExample) -> tuple[str, ...]:
    """All that the model is to read of an example; white space apart."""
    if isinstance(example, TaggedExample):
        return tuple(example.words)
    if isinstance(example, Example):
        return tuple(map(clean, filter(None, (example.text, example.text_pair))))
    return clean(example.question), clean(example.context)


def _count(texts: AbstractSet[bytes]) -> str:
    return f"{len(texts):,} text{'s' * (len(texts) > 1)}"


def _shown(examples: Sequence[AnyExample], texts: AbstractSet[bytes]) -> str:
    """The first of these texts among the examples."""
    whole = " ".join(_text(next(e for e in examples if _digest(e) in texts)))
    return repr(whole if len(whole) <= 40 else whole[:40] + "...")
