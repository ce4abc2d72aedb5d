"""Acceptable sentences and spoilt ones, built by rule where CoLA's file is not at hand (claim C8).

From each passage one sentence is taken, as it was written. Three in ten are spoilt, by one of two
rules in turn: a verb that no longer agrees with its subject, or two neighbouring words that have
changed places. Only sentences to which both rules apply are taken at all, and what is chosen is
chosen by a hash of the sentence. One trace of the rules is left: most sentences are in the
singular, so that plural verbs are commoner among the spoilt ones, and a mere count of words does
better than nothing. Such sentences are easier than CoLA's, whose mistakes linguists have thought
out, and the labels rest on the rule alone: now and then a spoilt sentence can still be read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from minibert.data.sentences import split_sentences

_PAIRS = (("is", "are"), ("was", "were"), ("has", "have"), ("does", "do"))
_OTHER_NUMBER = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
# Words that stand before what they belong to: behind it, they belong to nothing.
_LEADING = {"a", "an", "the", "of", "in", "on", "at", "by", "for", "from", "with", "into"}
_SHORTEST, _LONGEST = 7, 18  # words
_PLAIN = re.compile(r"[A-Z][A-Za-z0-9 ,'-]*\.")
_WORD = re.compile(r"[a-z]+")


class LabelledSentence(NamedTuple):
    """A sentence, what it was before, and the rule that spoilt it ("" if none did)."""

    text: str
    original: str
    rule: str

    @property
    def label(self) -> str:
        """The right label: "acceptable" or "unacceptable"."""
        return "unacceptable" if self.rule else "acceptable"


def spoil_agreement(sentence: str) -> str | None:
    """The first of is, was, has, does (or are …) in the other number; None if there is none."""
    words = sentence.split(" ")
    for place, word in enumerate(words[1:], 1):
        if word in _OTHER_NUMBER:
            return " ".join([*words[:place], _OTHER_NUMBER[word], *words[place + 1 :]])
    return None


def spoil_order(sentence: str) -> str | None:
    """An article or a preposition moved behind the word that follows it; None if none can be.

    Of several the one in the middle is taken; the first word of the sentence stays.
    """
    words = sentence.split(" ")
    places = [
        place
        for place in range(1, len(words) - 1)
        if words[place] in _LEADING
        and _WORD.fullmatch(words[place + 1])
        and words[place + 1] not in _LEADING
    ]
    if not places:
        return None
    place = places[len(places) // 2]
    return " ".join([*words[:place], words[place + 1], words[place], *words[place + 2 :]])


RULES: dict[str, Callable[[str], str | None]] = {
    "agreement": spoil_agreement,
    "order": spoil_order,
}


def labelled_sentences(passages: Iterable[str]) -> list[LabelledSentence]:
    """A sentence of every passage that has one to which both rules apply; three in ten spoilt.

    Args:
        passages: texts of one split of a data set.

    Returns:
        the sentences in the order of their hash.
    """
    chosen: dict[str, str] = {}  # by digest: a sentence that stands in two passages counts once
    for passage in passages:
        found = [(_digest(s), s) for s in split_sentences(passage) if _is_fit(s)]
        if found:
            digest, sentence = min(found)
            chosen[digest] = sentence
    labelled, spoilt = [], 0
    for place, digest in enumerate(sorted(chosen)):
        sentence, text, rule = chosen[digest], chosen[digest], ""
        if place % 10 in (2, 5, 8):
            rule = list(RULES)[spoilt % len(RULES)]
            text = RULES[rule](sentence) or sentence
            spoilt += 1
        labelled.append(LabelledSentence(text, sentence, rule))
    return labelled


def _digest(sentence: str) -> str:
    return hashlib.sha256(sentence.encode("utf-8")).hexdigest()


def _is_fit(sentence: str) -> bool:
    """Plain, of middling length, and open to both rules."""
    return (
        _SHORTEST <= len(sentence.split(" ")) <= _LONGEST
        and _PLAIN.fullmatch(sentence) is not None
        and all(spoil(sentence) is not None for spoil in RULES.values())
    )
