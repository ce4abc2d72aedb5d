"""Which characters of a text belong to a token: also those that the tokenizer drops.

BERT's cleaning drops accents (of an uncased model), control characters and what joins emoji. Where
an accent is a character of its own (`e` and U+0301), a vowel sign of Devanagari or a diacritic of
Arabic, the library's offsets end before it, and a word that is cut out of the text by them has lost
it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from minibert.tokenization.tokenizer import Tokenizer

# They separate as a space does, or are nothing to anybody.
_SEPARATORS = "\u200b\ufeff"


class Dropped(dict[str, bool]):
    """Whether a tokenizer makes nothing of a character that is no white space; looked up once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self._normalizer = tokenizer.backend.normalizer

    def __missing__(self, character: str) -> bool:
        can_be = not character.isspace() and self._normalizer is not None
        self[character] = can_be and not self._normalizer.normalize_str(character)
        return self[character]


def covering(
    text: str, offsets: Sequence[tuple[int, int]], dropped: Dropped
) -> list[tuple[int, int]]:
    """Offsets that leave out no character but those that separate.

    A dropped character belongs to the token that it follows, or, where it follows none, to the one
    before which it stands. White space, a space of no width and control characters belong to none.

    Args:
        text: that the offsets are of.
        offsets: first and one-past-last character of each token; an empty span is left as it is.
        dropped: of the tokenizer.
    """
    if not any(dropped[character] for character in set(text)):
        return list(offsets)
    wider = []
    for start, end in offsets:
        if start < end:
            while end < len(text) and dropped[text[end]] and not _separates(text[end]):
                end += 1
            first = start
            while first > 0 and dropped[text[first - 1]] and not _separates(text[first - 1]):
                first -= 1
            if first == 0 or _separates(text[first - 1]):
                start = first
        wider.append((start, end))
    return wider


def _separates(letter: str) -> bool:
    return letter.isspace() or letter in _SEPARATORS or unicodedata.category(letter) == "Cc"


def is_nothing(text: str | Sequence[str], dropped: Dropped) -> bool:
    """Whether a text, or a list of words, has no character that the tokenizer reads."""
    return all(
        letter.isspace() or dropped[letter]
        for part in ([text] if isinstance(text, str) else text)
        for letter in part
    )
