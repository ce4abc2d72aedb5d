"""A user's own rows divided into training, development and test: each row once, none left out.

Rows of the same text go together. Every label keeps its share of each split, and is in training
whatever happens. Within a label the order is that of the texts' hashes, so that the same file is
always divided in the same way, and a file to which rows are added nearly so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from minibert.data.examples import Example, TaggedExample
from minibert.data.sentences import clean
from minibert.data.splits import AnyExample, E, SplitName, Splits, text_hash


def divide_rows(examples: Sequence[E]) -> Splits[E]:
    """About eight tenths of the texts for training, one for development and one for testing.

    A text with several labels, or a tagged sentence, counts for the rarest it has.

    Returns:
        all of `examples`, each split in their order. Fewer than about ten may leave the splits
        besides training empty.
    """
    labels: dict[str, set[str]] = {}  # of each text
    for example in examples:
        labels.setdefault(grouping_text(example), set()).update(_labels(example))
    counts = Counter(label for those in labels.values() for label in those)
    strata: dict[str, list[str]] = {}
    for text, those in labels.items():
        rarest = min(those, key=lambda label: (counts[label], label), default="")
        strata.setdefault(rarest, []).append(text)
    sides = _sides([strata[label] for label in sorted(strata)])
    trained = {label for text, side in sides.items() if side == "train" for label in labels[text]}
    for text in labels:
        if not labels[text] <= trained:
            sides[text] = "train"
            trained |= labels[text]
    splits: Splits[E] = Splits([], [], [])
    for example in examples:
        getattr(splits, sides[grouping_text(example)]).append(example)
    return splits


def grouping_text(example: AnyExample) -> str:
    """The text of an example that must not be in two splits."""
    if isinstance(example, TaggedExample):
        return " ".join(example.words)
    return clean(example.text if isinstance(example, Example) else example.context)


def _labels(example: AnyExample) -> set[str]:
    if isinstance(example, TaggedExample):
        return set(example.tags)
    if not isinstance(example, Example) or isinstance(example.label, float | None):
        return set()
    return {example.label} if isinstance(example.label, str) else set(example.label)


def _sides(strata: list[list[str]]) -> dict[str, SplitName]:
    """The split of every text, where each stratum is to have its share in each."""
    sizes = [len(texts) for texts in strata]
    test = _seats(sizes, [0] * len(sizes), tenths=1)
    dev = _seats(sizes, test, tenths=2)
    sides: dict[str, SplitName] = {}
    for texts, tests, devs in zip(strata, test, dev, strict=True):
        # As in a named data set the last digit decides first: 9 tends to test, 8 to dev.
        last_first = sorted(texts, key=lambda t: (text_hash(t) % 10, text_hash(t)), reverse=True)
        for place, text in enumerate(last_first):
            sides[text] = "test" if place < tests else "dev" if place < tests + devs else "train"
    return sides


def _seats(sizes: list[int], taken: list[int], tenths: int) -> list[int]:
    """How many of each stratum to hold out, for so many tenths of it with those already taken.

    By the largest remainder, as seats of a parliament are given to parties; but one text of every
    stratum stays in training.
    """
    due = [tenths * size - 10 * gone for size, gone in zip(sizes, taken, strict=True)]  # in tenths
    seats = [max(0, share // 10) for share in due]
    left = round(tenths * sum(sizes) / 10) - sum(taken) - sum(seats)
    for k in sorted(range(len(sizes)), key=lambda k: 10 * seats[k] - due[k]):
        if left > 0 and taken[k] + seats[k] + 1 < sizes[k]:
            seats[k] += 1
            left -= 1
    return seats
