"""What a tokenizer is asked to do, checked before it starts, and its answer as padded arrays.

The `tokenizers` library crashes (a stride too large) or goes silently wrong (a length too small)
on some requests; here each gets one line that says what to do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Text = str | Sequence[str]  # a text, or (`is_split_into_words`) its words
STRATEGIES: dict[bool | str, str] = {
    True: "longest_first",
    "longest_first": "longest_first",
    "only_first": "only_first",
    "only_second": "only_second",
}


def checked_texts(texts: Any, split: bool = False, allow_empty: bool = False) -> list[Any]:
    """The texts as a list of strings, or with `split` of lists of words.

    Raises:
        ValueError: naming the first text that is empty or not of the right kind.
    """
    wanted = "a list of words" if split else "a string"
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise ValueError(f"expected a list, each {wanted}, but got {type(texts).__name__}")
    for i, text in enumerate(texts):
        if split:
            fits = isinstance(text, Sequence) and not isinstance(text, str)
            fits = fits and all(isinstance(word, str) for word in text)
        else:
            fits = isinstance(text, str)
        if not fits:
            hint = " (if these are words: pass is_split_into_words=True)"
            hint = hint if isinstance(text, list | tuple) and not split else ""
            raise ValueError(
                f"text {i} must be {wanted}, but is {type(text).__name__} {text!r:.40}{hint}"
            )
        if not allow_empty and not (any(map(str.strip, text)) if split else text.strip()):
            raise ValueError(f"text {i} is empty: leave it out, or give it at least one word")
    return list(texts)


def checked_batch(texts: Any, pairs: Any | None, split: bool) -> list[Any]:
    """What the library takes: texts, or tuples of two texts, each checked."""
    first = checked_texts(texts, split)
    if pairs is None:
        return first
    second = checked_texts(pairs, split)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} texts, but {len(second)} second texts: pass one for each")
    return list(zip(first, second, strict=True))


def checked_side(side: str) -> str:
    """The side itself, if it is "left" or "right"."""
    if side not in ("left", "right"):
        raise ValueError(f"side {side!r}: pass 'left' or 'right'")
    return side


def checked_strategy(truncation: bool | str, paired: bool, stride: int | None) -> str:
    """The library's name of a truncation strategy."""
    if truncation not in STRATEGIES:
        raise ValueError(f"truncation={truncation!r}: pass one of {[*STRATEGIES, False]}")
    strategy = STRATEGIES[truncation]
    if strategy == "only_second" and not paired:
        raise ValueError("truncation='only_second' needs second texts: pass pairs, or True")
    if paired and stride is not None and strategy == "longest_first":
        raise ValueError(
            "windows slide over one text of a pair: pass truncation='only_first' or 'only_second'"
        )
    return strategy


def checked_length(max_length: int | None, limit: int, frame: int, name: str) -> int:
    """The most tokens in a row: `max_length`, or the model's limit.

    `frame` is how many special tokens stand in it.
    """
    length = limit if max_length is None else max_length
    if length > limit:
        raise ValueError(
            f"max_length={length}, but {name} reads at most {limit}: pass {limit} or less"
        )
    if length <= frame:
        raise ValueError(
            f"max_length={length} has no room beside {frame} special tokens: "
            f"pass {frame + 1} or more"
        )
    return length


def check_rows_fit(lengths: list[int], limit: int, reader: str) -> None:
    """Refuse rows that are longer than their reader allows."""
    for i, length in enumerate(lengths):
        if length > limit:
            where = f"text {i}: " if len(lengths) > 1 else ""
            raise ValueError(
                f"{where}{length} tokens, but {reader} {limit}: "
                f"pass truncation=True to cut, or stride={max(1, limit // 4)} to split"
            )


def check_windows_move(rooms: list[int], stride: int, length: int) -> None:
    """Refuse windows that do not hold more tokens of their text than they share with the last."""
    for i, room in enumerate(rooms):
        if stride < 0 or room <= stride:
            where = f"text {i}: " if len(rooms) > 1 else ""
            raise ValueError(
                f"{where}a window of {length} tokens has {max(0, room)} for the text to be split, "
                f"too few to share stride={stride}: pass a smaller stride or a longer max_length"
            )


def padded_width(lengths: list[int], padding: bool | str, longest: int) -> int:
    """How many columns a batch gets; `longest` is what padding="max_length" pads to."""
    if padding == "max_length":
        return longest
    if padding is True or padding == "longest":
        return max(lengths)
    if padding is not False:
        raise ValueError(f"padding={padding!r}: pass True, False or 'max_length'")
    if min(lengths) != max(lengths):
        raise ValueError(
            f"rows of {min(lengths)} to {max(lengths)} tokens make no tensor: pass padding=True"
        )
    return lengths[0]


def pad_rows(rows: list[list[Any]], width: int, filler: int, side: str) -> np.ndarray:
    """Rows of numbers (or of pairs of numbers) as one int64 array, filled up on one side.

    Returns:
        (B, width), or (B, width, 2) of pairs.
    """
    depth = np.shape(rows[0])[1:]
    array = np.full((len(rows), width, *depth), filler, dtype=np.int64)
    for i, row in enumerate(rows):
        start = 0 if side == "right" else width - len(row)
        array[i, start : start + len(row)] = row
    return array


def why_unreadable(batch: list[Any]) -> str:
    """Why the library refused a checked batch: it holds what UTF-8 cannot.

    Python strings may hold half a surrogate pair (a cut escape in a JSON file), text may not.
    """
    for i, item in enumerate(batch):
        for character in _joined(item):
            if "\ud800" <= character <= "\udfff":
                code = ord(character)
                # How Python holds a byte of a command line that is not UTF-8.
                byte = f", or the byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else ""
                return (
                    f"text {i} holds half a character (U+{code:04X}{byte}), which is not UTF-8: "
                    "replace it, for instance text.encode('utf-8', 'replace').decode()"
                )
    return "the tokenizer cannot read these texts: pass plain strings"


def _joined(item: Any) -> str:
    return item if isinstance(item, str) else "".join(map(_joined, item))
