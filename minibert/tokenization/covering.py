"""Which characters of a text belong to a token: also those that the tokenizer drops.

BERT's cleaning drops accents (of an uncased model), control characters and what joins emoji. Where
an accent is a character of its own (`e` and U+0301), a vowel sign of Devanagari or a diacritic of
Arabic, the library's offsets end before it, and a word that is cut out of the text by them has lost
it.
"""

from __future__ import annotations

from collections.abc import Sequence

from minibert.tokenization.tokenizer import Tokenizer


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
    """Offsets that leave out no character but white space.

    A dropped character belongs to the token that it follows, or, where it follows none, to the one
    before which it stands.

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
            while end < len(text) and dropped[text[end]]:
                end += 1
            first = start
            while first > 0 and dropped[text[first - 1]]:
                first -= 1
            if first == 0 or text[first - 1].isspace():
                start = first
        wider.append((start, end))
    return wider


def is_nothing(text: str | Sequence[str], dropped: Dropped) -> bool:
    """Whether a text, or a list of words, has no character that the tokenizer reads."""
    return all(
        letter.isspace() or dropped[letter]
        for part in ([text] if isinstance(text, str) else text)
        for letter in part
    )
