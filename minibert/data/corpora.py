"""Documents for pre-training: corpora by name, a user's own text by path.

A corpus and a data set made from the same texts put each text into the same split, so that what
was held out from pre-training is held out from fine-tuning too.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from minibert.data.catalog import catalog, listed
from minibert.data.plain_text import read_documents
from minibert.data.splits import SplitName, split_of

SplitDocument = tuple[SplitName, list[str]]  # where a document belongs, and its sentences
_SMALLEST_SPLIT = 100  # documents; fewer of a user's own are not split


@dataclass(frozen=True)
class Corpus:
    """Documents for pre-training; a document is a list of sentences."""

    train: list[list[str]]
    dev: list[list[str]]
    test: list[list[str]]


def load_corpus(name_or_paths: str | Path | Sequence[str | Path]) -> Corpus:
    """Documents for pre-training, as lists of sentences, split by the hash of their text.

    All in memory: `stream_corpus` is for text that does not fit there.

    Args, errors and what is dropped: see `stream_corpus`.
    """
    corpus = Corpus([], [], [])
    for part, document in stream_corpus(name_or_paths):
        getattr(corpus, part).append(document)
    return corpus


def stream_corpus(name_or_paths: str | Path | Sequence[str | Path]) -> Iterator[SplitDocument]:
    """The documents one after the other, each with the split it belongs to.

    Of a document that went by only a hash is kept, to know it again.

    Args:
        name_or_paths: a name that `minibert data list` shows, or one or more text files: one
            sentence a line with a blank line between documents, or (a file without blank lines) one
            document a line.

    Yields:
        split and sentences; a repeated document comes once, and of a user's own files it is told
        how many there are. A user's own files with fewer than 100
        documents go to "train" whole: a tenth of them would measure nothing.

    Raises:
        ValueError: not UTF-8 or empty; the message names file and line.
        FileNotFoundError: neither a known name nor a file.
    """
    named = catalog().corpora
    if isinstance(name_or_paths, str) and name_or_paths in named:
        keyed = named[name_or_paths].read()
        own = False
    else:
        paths = [name_or_paths] if isinstance(name_or_paths, str | Path) else list(name_or_paths)
        for path in paths:
            if not Path(path).is_file():
                raise FileNotFoundError(
                    f"{path} is neither a text file nor a corpus: known are {listed(named)}"
                )
        keyed = ((" ".join(d), d) for path in paths for d in read_documents(path))
        own = True
    documents = _distinct(tqdm(keyed, desc="reading", unit=" documents", delay=2), own)
    first = list(islice(documents, _SMALLEST_SPLIT)) if own else []
    if own and len(first) < _SMALLEST_SPLIT:
        first = [("train", document) for _, document in first]
    yield from first
    yield from documents


def _distinct(keyed: Iterable[tuple[str, list[str]]], own: bool) -> Iterator[SplitDocument]:
    seen: set[bytes] = set()
    count = 0
    for key, document in keyed:
        count += bool(document)
        digest = hashlib.blake2b("\n".join(document).encode(), digest_size=16).digest()
        if document and digest not in seen:
            seen.add(digest)
            yield split_of(key), document
    if own and len(seen) < count:
        _tell_repeated(count - len(seen), count)


@cache  # a corpus is read several times, and this is to be said once
def _tell_repeated(repeated: int, count: int) -> None:
    warnings.warn(
        f"{repeated:,} of {count:,} documents repeat another one, and are read once", stacklevel=1
    )
