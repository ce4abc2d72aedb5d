"""Many texts as rows of tokens: each in one row that fits, or in several windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding
from tqdm import tqdm

from minibert.tokenization.checks import Text, checked_texts
from minibert.tokenization.covering import Dropped, covering
from minibert.tokenization.tokenizer import Tokenizer

_CHUNK = 1000  # texts tokenised between two moves of the progress bar


def encode_rows(
    tokenizer: Tokenizer,
    texts: Sequence[Text],
    pairs: Sequence[Text] | None = None,
    *,
    max_length: int | None = None,
    truncation: str | None = None,
    stride: int | None = None,
    is_split_into_words: bool = False,
    special_tokens: bool = False,
) -> tuple[list[Encoding], NDArray[np.int64]]:
    """Tokenise texts, or pairs of texts, into rows that the model can read.

    Args:
        tokenizer: also knows how much its model reads.
        texts: each a string, or with `is_split_into_words` a list of words.
        pairs: as many second texts.
        max_length: tokens in a row, special tokens included; what is longer is cut.
        truncation: "longest_first", "only_first" or "only_second": cut what is too long.
        stride: split what is too long into windows that share so many tokens.
        special_tokens: read `[SEP]` or `[MASK]` in a text as the special token that it names, and
            not as somebody's text.

    Returns:
        the rows; the number of the text that each comes from (rows,).

    Raises:
        ValueError: if a text is empty; or too long, and neither of the three was given.
    """
    how: dict[str, Any] = {"max_length": max_length, "truncation": truncation, "stride": stride}
    how |= {"is_split_into_words": is_split_into_words, "special_tokens": special_tokens}
    rows: list[Encoding] = []
    samples: list[int] = []
    for some, numbers in encoded_chunks(tokenizer, texts, pairs, **how):
        rows += some
        samples += numbers
    return rows, np.array(samples, dtype=np.int64)


def encoded_chunks(
    tokenizer: Tokenizer,
    texts: Sequence[Text],
    pairs: Sequence[Text] | None = None,
    *,
    max_length: int | None = None,
    truncation: str | None = None,
    stride: int | None = None,
    is_split_into_words: bool = False,
    special_tokens: bool = False,
) -> Iterator[tuple[list[Encoding], list[int]]]:
    """The same, some texts at a time: an `Encoding` takes kilobytes.

    Arguments and errors are those of `encode_rows`.

    Yields:
        rows, and for each the number of its text.
    """
    texts = checked_texts(texts, is_split_into_words)
    may_cut = max_length is not None or truncation is not None or stride is not None
    if pairs is not None and truncation is None:
        # Windows slide over the second text, as over the passage behind a question.
        truncation = "longest_first" if stride is None else "only_second"
    with tqdm(total=len(texts), desc="tokenising", unit=" texts", delay=2, leave=False) as bar:
        for first in range(0, len(texts), _CHUNK):
            chunk = texts[first : first + _CHUNK]
            encodings = tokenizer.encode_batch(
                chunk,
                None if pairs is None else pairs[first : first + _CHUNK],
                truncation=truncation or "longest_first",
                max_length=max_length,
                stride=stride,
                is_split_into_words=is_split_into_words,
                special_tokens=special_tokens,
            )
            rows: list[Encoding] = []
            samples: list[int] = []
            for number, encoding in enumerate(encodings, first):
                windows = [encoding, *(encoding.overflowing if stride is not None else ())]
                if encoding.overflowing and not may_cut:
                    pair = None if pairs is None else pairs[number]
                    parts = [texts[number]] if pair is None else [texts[number], pair]
                    length = _length(tokenizer, parts, is_split_into_words, special_tokens)
                    raise _too_long(tokenizer, texts[number], number, len(texts), length)
                rows += windows
                samples += [number] * len(windows)
            yield rows, samples
            bar.update(len(chunk))


def _length(tokenizer: Tokenizer, parts: list[Text], split: bool, special_tokens: bool) -> int:
    """Tokens of a text or a pair, special tokens included."""
    encodings = tokenizer.encode_batch(
        parts,
        is_split_into_words=split,
        add_special_tokens=False,
        special_tokens=special_tokens,
    )
    return sum(map(len, encodings)) + 1 + len(parts)


def _too_long(tokenizer: Tokenizer, text: Text, number: int, count: int, length: int) -> ValueError:
    limit = tokenizer.model_max_length
    return ValueError(
        f"{named_text(text, number, count)}{length} tokens, but {tokenizer.name} reads at most "
        f"{limit}: pass truncation='longest_first' to cut, "
        f"or stride={max(1, limit // 4)} to split"
    )


def named_text(text: Text, number: int, count: int) -> str:
    """How a message points at one of many texts; nothing where there is only one."""
    if count == 1:
        return ""
    start = text if isinstance(text, str) else " ".join(text)
    return f"text {number + 1} of {count} ({start[:40]!r}{'...' if len(start) > 40 else ''}): "


def split_words(tokenizer: Tokenizer, text: str) -> list[str]:
    """A plain text as the words that BERT's own pre-tokenizer makes of it, letter for letter.

    White space and punctuation separate, and a Chinese character stands alone. An accent that the
    tokenizer drops stays with its word, and `[SEP]` in a text is an ordinary text.
    """
    (encoding,) = tokenizer.encode_batch([text], add_special_tokens=False, special_tokens=False)
    offsets = covering(text, encoding.offsets, Dropped(tokenizer))
    words: dict[int, tuple[int, int]] = {}
    for word, (start, end) in zip(encoding.word_ids, offsets, strict=True):
        if word is not None:
            first, last = words.get(word, (start, end))
            words[word] = (min(first, start), max(last, end))
    return [text[start:end] for start, end in words.values()]
