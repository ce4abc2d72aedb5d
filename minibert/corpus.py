"""A corpus tokenised once into a memory-mapped file, and the batches drawn from it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from minibert.heads import IGNORED
from minibert.masking import MASKED, mask_tokens
from minibert.pairs import draw_pairs, share, split_points
from minibert.tokenizer import Tokenizer

OBJECTIVES = ("mlm+nsp", "mlm", "causal")
_CHUNK = 2_000_000  # characters tokenised at a time: what bounds the memory


@dataclass(frozen=True)
class TokenCorpus:
    """Documents as token ids on disk: opening it costs no memory.

    tokens (n,): all ids, end to end; sentence_starts and document_starts: positions in it.
    """

    tokens: NDArray[np.integer]
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
        dtype = json.loads((folder / "format.json").read_text())["dtype"]
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
    (folder / "format.json").write_text(json.dumps({"dtype": dtype.name}))


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
    """Ids without special tokens, document by document; sentences without a token are dropped."""
    documents = [[text for text in document if text.strip()] for document in documents]
    sentences = [text for document in documents for text in document]
    encoded = iter(tokenizer.encode_batch(sentences, add_special_tokens=False))
    result = []
    for document in documents:
        ids = [next(encoded).ids for _ in document]
        result.append([sentence for sentence in ids if sentence])
    return result


class PretrainingDataset:
    """Batches for masked and causal language modelling, corrupted afresh at every draw.

    One example a split point (a sentence boundary inside a document): what stands around it, up
    to `max_length` tokens. With "mlm+nsp" half of the examples have a random second half; with
    "mlm" and "causal" the text is left whole: `[CLS] text [SEP]`. So is, with every objective, the
    beginning of a document of one sentence, which has no split point: one example more. `masked`
    is that of `mask_tokens`.
    """

    def __init__(
        self,
        corpus: TokenCorpus,
        tokenizer: Tokenizer,
        max_length: int,
        objective: str,
        masked: float = MASKED,
    ) -> None:
        if objective not in OBJECTIVES:
            raise ValueError(f"unknown objective {objective!r}: choose from {OBJECTIVES}")
        self.corpus, self.tokenizer, self.objective = corpus, tokenizer, objective
        self.masked = masked
        self.has_pairs = objective == "mlm+nsp"
        self.budget = max_length - (3 if self.has_pairs else 2)
        if self.budget < 2:
            raise ValueError(f"max_length {max_length} leaves no room for text")
        self.points = split_points(
            corpus.sentence_starts, corpus.document_starts, len(corpus.tokens)
        )
        if self.has_pairs and not len(self.points):
            raise ValueError("the corpus has no document of two sentences: see `minibert data`")
        ends = np.append(corpus.document_starts[1:], len(corpus.tokens))
        unsplit = ~np.isin(np.arange(len(ends)), self.points.document)
        self._whole_start = corpus.document_starts[unsplit]
        self._whole_length = np.minimum(ends[unsplit] - self._whole_start, max_length - 2)
        self._special = torch.tensor(sorted(tokenizer.special_ids))

    def __len__(self) -> int:
        return len(self.points) + len(self._whole_start)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each example, special tokens left out: what batches are grouped by."""
        around = np.minimum(self.points.before + self.points.after, self.budget)
        return np.concatenate([around, self._whole_length])

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """Draw, lay out, corrupt.

        Returns:
            input_ids, token_type_ids, labels (B, T); attention_mask (B, T) where anything is
            padded; for masked objectives
            masked_positions (n_masked,); with pairs next_sentence_label (B,), -100 where there is
            no second sentence.
        """
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        indices = np.asarray(indices)
        is_split = indices < len(self.points)
        chosen, whole = indices[is_split], indices[~is_split] - len(self.points)
        start_a, length_a, start_b, length_b = np.zeros((4, len(indices)), np.int64)
        label = np.full(len(indices), IGNORED)
        start_a[~is_split] = self._whole_start[whole]
        length_a[~is_split] = self._whole_length[whole]
        if self.has_pairs and len(chosen):
            drawn = draw_pairs(self.points, chosen, self.budget, rng)
            places = (start_a, length_a, start_b, length_b, label)
            for place, values in zip(places, drawn, strict=True):
                place[is_split] = values
        elif len(chosen):
            around = share(self.points.before[chosen], self.points.after[chosen], self.budget)
            length_a[is_split], length_b[is_split] = around
            start_b[is_split] = self.points.position[chosen]
            start_a[is_split] = self.points.position[chosen] - length_a[is_split]
        batch = self._lay_out(start_a, length_a, start_b, length_b)
        if self.has_pairs:
            batch["next_sentence_label"] = torch.from_numpy(label)
        special = torch.isin(batch["input_ids"], self._special)
        if self.objective == "causal":
            padding = batch["input_ids"] == self.tokenizer.pad_token_id
            batch["labels"] = batch["input_ids"].masked_fill(padding, -100)
            batch["labels"][:, 0] = -100  # nothing stands before [CLS] to predict it from
        else:
            batch["input_ids"], batch["labels"], batch["masked_positions"] = mask_tokens(
                batch["input_ids"],
                special,
                self.tokenizer.mask_token_id,
                self.tokenizer.vocab_size,
                special_ids=self._special,
                generator=generator,
                masked=self.masked,
            )
        return batch

    def _lay_out(
        self,
        start_a: NDArray[np.int64],
        length_a: NDArray[np.int64],
        start_b: NDArray[np.int64],
        length_b: NDArray[np.int64],
    ) -> dict[str, Tensor]:
        """`[CLS] A [SEP] B [SEP]`; `[CLS] A B [SEP]` without pairs; padded on the right."""
        is_pair = self.has_pairs & (length_b > 0)  # (B,)
        last = 1 + length_a + is_pair + length_b  # (B,) where the final [SEP] stands
        column = np.arange(last.max() + 1)[None, :]  # (1, T)
        begin_b = (1 + length_a + is_pair)[:, None]
        in_a = (column >= 1) & (column <= length_a[:, None])
        in_b = (column >= begin_b) & (column < last[:, None])
        source = np.where(in_a, start_a[:, None] + column - 1, start_b[:, None] + column - begin_b)
        source = np.where(in_a | in_b, source, 0)
        ids = np.where(in_a | in_b, self.corpus.tokens[source], self.tokenizer.pad_token_id)
        ids[:, 0] = self.tokenizer.cls_token_id
        ids[np.arange(len(last)), last] = self.tokenizer.sep_token_id
        segment = np.zeros_like(ids)
        if self.has_pairs:
            ids[np.arange(len(last)), length_a + 1] = self.tokenizer.sep_token_id
            segment = is_pair[:, None] & (column >= begin_b) & (column <= last[:, None])
        batch = {
            "input_ids": torch.from_numpy(ids.astype(np.int64)),
            "token_type_ids": torch.from_numpy(segment.astype(np.int64)),
        }
        if last.min() < last.max():  # without padding there is nothing to mask
            batch["attention_mask"] = torch.from_numpy((column <= last[:, None]).astype(np.int64))
        return batch
