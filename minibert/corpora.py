"""Documents for pre-training: the project's corpora by name, a user's own text by path.

A corpus and a data set made from the same texts put each text on the same side, so that what
was held out from pre-training is held out from fine-tuning too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from minibert.readers import read_documents
from minibert.sentences import clean, split_sentences
from minibert.splits import Side, side
from minibert.texts import (
    article_text,
    bbc_rows,
    boolq_rows,
    news_zh_articles,
    reviews_zh_rows,
    sanguo_chapters,
    sarcasm_rows,
)

SidedDocument = tuple[Side, list[str]]  # where a document belongs, and its sentences
_SMALLEST_SPLIT = 100  # documents; fewer of a user's own are not split


@dataclass(frozen=True)
class Corpus:
    """Documents for pre-training; a document is a list of sentences."""

    train: list[list[str]]
    dev: list[list[str]]
    test: list[list[str]]


def _documents(keyed: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for key, text in keyed:
        yield key, split_sentences(text)


def _news_documents() -> Iterator[tuple[str, list[str]]]:
    for article in news_zh_articles():
        lines = ("".join(t.rpartition("/")[0] for t in line.split()) for line in article)
        yield article_text(article), [s for line in lines for s in split_sentences(line)]


CORPORA: dict[str, tuple[Callable[[], Iterable[tuple[str, list[str]]]], str]] = {
    "boolq": (
        lambda: _documents((row.title, row.body) for row in boolq_rows()),
        "12,271 Wikipedia passages, their titles left off",
    ),
    "bbc": (
        lambda: _documents((clean(text), text) for text, _ in bbc_rows()),
        "2,125 news articles",
    ),
    "sarcasm": (
        lambda: _documents((text, text) for text, _ in sarcasm_rows()),
        "headlines, one sentence each",
    ),
    "reviews-zh": (
        lambda: _documents((clean(text), text) for text, _ in reviews_zh_rows()),
        "Chinese reviews",
    ),
    "people-zh": (_news_documents, "Chinese news of January 1998, by article"),
    "sanguo": (
        lambda: _documents((clean(text), text) for text in sanguo_chapters()),
        "120 chapters of a Chinese novel",
    ),
}


def load_corpus(name_or_paths: str | Path | Sequence[str | Path]) -> Corpus:
    """Documents for pre-training, as lists of sentences, split by the hash of their text.

    All in memory: `stream_corpus` is for text that does not fit there.

    Args, errors and what is dropped: see `stream_corpus`.
    """
    corpus = Corpus([], [], [])
    for part, document in stream_corpus(name_or_paths):
        getattr(corpus, part).append(document)
    return corpus


def stream_corpus(name_or_paths: str | Path | Sequence[str | Path]) -> Iterator[SidedDocument]:
    """The documents one after the other, each with the side it belongs to.

    Of a document that went by only a hash is kept, to know it again.

    Args:
        name_or_paths: a name in `CORPORA`, or one or more text files: one sentence a line with
            a blank line between documents, or (a file without blank lines) one document a line.

    Yields:
        side and sentences; repeated documents are dropped. A user's own files with fewer than 100
        documents go to "train" whole: a tenth of them would measure nothing.

    Raises:
        ValueError: not UTF-8 or empty; the message names file and line.
        FileNotFoundError: neither a known name nor a file.
    """
    if isinstance(name_or_paths, str) and name_or_paths in CORPORA:
        keyed = CORPORA[name_or_paths][0]()
        own = False
    else:
        paths = [name_or_paths] if isinstance(name_or_paths, str | Path) else list(name_or_paths)
        for path in paths:
            if not Path(path).is_file():
                raise FileNotFoundError(
                    f"{path} is neither a text file nor a corpus: known are {', '.join(CORPORA)}"
                )
        keyed = ((" ".join(d), d) for path in paths for d in read_documents(path))
        own = True
    documents = _distinct(tqdm(keyed, desc="reading", unit=" documents", delay=2))
    first = list(islice(documents, _SMALLEST_SPLIT)) if own else []
    if own and len(first) < _SMALLEST_SPLIT:
        first = [("train", document) for _, document in first]
    yield from first
    yield from documents


def _distinct(keyed: Iterable[tuple[str, list[str]]]) -> Iterator[SidedDocument]:
    seen: set[bytes] = set()
    for key, document in keyed:
        digest = hashlib.blake2b("\n".join(document).encode(), digest_size=16).digest()
        if document and digest not in seen:
            seen.add(digest)
            yield side(key), document
