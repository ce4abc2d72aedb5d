"""A corpus tokenised once into a memory-mapped file, whatever its size."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from minibert.data.catalog import catalog, listed
from minibert.data.corpora import stream_corpus
from minibert.data.download import home
from minibert.data.strict_json import dump_json
from minibert.tokenization.tokenizer import Tokenizer
from minibert.weights.files import named_errors, read_json

_CHUNK = 400_000  # characters tokenised at a time: what bounds the memory


@dataclass(frozen=True)
class TokenCorpus:
    """Documents as token ids on disk: opening it costs no memory.

    tokens (n,): all ids, end to end; sentence_starts and document_starts: positions in it.
    """

    tokens: NDArray[np.integer[Any]]
    sentence_starts: NDArray[np.int64]
    document_starts: NDArray[np.int64]

    @classmethod
    def build(
        cls, documents: Iterable[Sequence[str]], tokenizer: Tokenizer, folder: Path
    ) -> TokenCorpus:
        """Tokenise documents, each a sequence of sentences, into `folder`, and open the result.

        Made aside and renamed: an interrupted one is made again, and of two processes that make
        the same one at once the later takes the earlier's.

        Raises:
            ValueError: if there is no text in the documents.
        """
        if folder.is_dir():
            return cls.open(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as aside:
            made = Path(aside, "made")
            made.mkdir()
            with named_errors(folder):
                _write(documents, tokenizer, made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> TokenCorpus:
        """Map a folder that `build` made."""
        dtype = read_json(folder / "format.json")["dtype"]
        return cls(
            np.memmap(folder / "tokens.bin", dtype=dtype, mode="r"),
            np.memmap(folder / "sentence_starts.bin", dtype=np.int64, mode="r"),
            np.memmap(folder / "document_starts.bin", dtype=np.int64, mode="r"),
        )


def _write(documents: Iterable[Sequence[str]], tokenizer: Tokenizer, folder: Path) -> None:
    """The files of a `TokenCorpus`, one chunk of documents after the other."""
    dtype = np.dtype(np.uint16 if tokenizer.vocab_size <= 2**16 else np.uint32)
    length = 0
    source = tqdm(documents, desc="tokenising", unit=" documents", delay=2)
    with (
        (folder / "tokens.bin").open("wb") as tokens,
        (folder / "sentence_starts.bin").open("wb") as sentence_starts,
        (folder / "document_starts.bin").open("wb") as document_starts,
    ):
        for chunk in _chunks(source):
            for sentences in _encode_sentences(chunk, tokenizer):
                if not sentences:
                    continue
                sizes = np.array([len(ids) for ids in sentences], np.int64)
                ends = length + np.cumsum(sizes)
                tokens.write(np.array(list(chain.from_iterable(sentences)), dtype).tobytes())
                sentence_starts.write((ends - sizes).tobytes())
                document_starts.write(np.int64(length).tobytes())
                length = int(ends[-1])
    if not length:
        raise ValueError("the corpus has no text in it")
    (folder / "format.json").write_text(dump_json({"dtype": dtype.name}))


def _chunks(documents: Iterable[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
    """The documents by the handful, each of about `_CHUNK` characters."""
    chunk: list[Sequence[str]] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += sum(map(len, document))
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _encode_sentences(
    documents: Sequence[Sequence[str]], tokenizer: Tokenizer
) -> list[list[list[int]]]:
    """Ids without special tokens, document by document; sentences without a token are dropped.

    `[SEP]` that stands in a text is that text.
    """
    documents = [[text for text in document if text.strip()] for document in documents]
    sentences = [text for document in documents for text in document]
    encoded = iter(
        tokenizer.encode_batch(sentences, add_special_tokens=False, special_tokens=False)
    )
    result = []
    for document in documents:
        ids = [next(encoded).ids for _ in document]
        result.append([sentence for sentence in ids if sentence])
    return result


class CorpusDocuments:
    """The documents of several corpora, end to end, as often as they are asked for.

    Corpora with a name are small and stay in memory; a user's files are read anew each time, so
    that their size does not matter.

    Raises:
        FileNotFoundError: if a name is neither a known corpus nor a file.
        ValueError: if there is no text in them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        known = catalog().corpora
        self._named = [list(stream_corpus(name)) for name in dict.fromkeys(names) if name in known]
        self._files = [name for name in names if name not in known]
        splits = ("train", "dev", "test")
        self.splits = [split for split in splits if any(True for _ in self.of(split))]
        if "train" not in self.splits:
            raise ValueError(f"no corpus: name a text file or one of {listed(known)}")

    def of(self, split: str) -> Iterator[list[str]]:
        """Those of "train", "dev" or "test", as lists of sentences."""
        own = [stream_corpus(self._files)] if self._files else []
        for part in (*self._named, *own):
            for where, document in part:
                if where == split:
                    yield document

    def sentences(self, limit: int = 1_000_000) -> Sentences:
        """The first sentences for training: what a tokenizer is trained on."""
        return Sentences(self, limit)


@dataclass(frozen=True)
class Sentences:
    """Sentences for training, read anew whenever they are iterated: they need not fit in memory."""

    documents: CorpusDocuments
    limit: int

    def __iter__(self) -> Iterator[str]:
        return islice(chain.from_iterable(self.documents.of("train")), self.limit)


def tokenise(documents: CorpusDocuments, tokenizer: Tokenizer) -> dict[str, TokenCorpus]:
    """Each split as a memory-mapped file in the cache, made once for text and tokenizer."""
    vocab = dict(sorted(tokenizer.vocab.items()))
    settings = [3, vocab, tokenizer.lowercase]  # 3: the format of the files
    result = {}
    for split in documents.splits:
        digest = hashlib.sha256(dump_json(settings).encode())
        for document in documents.of(split):
            digest.update("\n".join(document).encode() + b"\0")
        folder = home() / "tokenised" / digest.hexdigest()[:20]
        result[split] = TokenCorpus.build(documents.of(split), tokenizer, folder)
    return result
