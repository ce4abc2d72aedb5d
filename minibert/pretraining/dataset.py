"""Batches for pre-training, drawn from a tokenised corpus and corrupted afresh every time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minibert.model.loss import IGNORE_INDEX
from minibert.pretraining.corpus import TokenCorpus
from minibert.pretraining.masking import MASKED, SELECTED, mask_tokens
from minibert.pretraining.pairs import divide_budget, draw_pairs, split_points
from minibert.pretraining.settings import OBJECTIVES
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training.batching import BatchSource, seeded
from minibert.training.draws import RowDraws
from minibert.training.fingerprint import fingerprint, of_values


class Segments(NamedTuple):
    """What rows are made of, all (B,): starts and lengths of A and B, whether there is a B."""

    start_a: NDArray[np.int64]
    length_a: NDArray[np.int64]
    start_b: NDArray[np.int64]
    length_b: NDArray[np.int64]
    is_pair: NDArray[np.bool_]

    @property
    def counts(self) -> NDArray[np.int64]:
        """(B,) tokens, special tokens counted."""
        return 2 + self.length_a + self.is_pair + self.length_b


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
        self.added = 3 if self.has_pairs else 2
        self.budget = max_length - self.added
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

    @property
    def token_counts(self) -> NDArray[np.int64]:
        """The most tokens that each example can come to, special tokens counted."""
        return self.lengths + np.where(np.arange(len(self)) < len(self.points), self.added, 2)

    @property
    def predicted_share(self) -> float:
        """Of how many of the tokens a prediction is asked, about."""
        return 1.0 if self.objective == "causal" else SELECTED

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """Draw, lay out, corrupt.

        Returns:
            input_ids, token_type_ids, labels (B, T); attention_mask (B, T) where anything is
            padded; for masked objectives
            masked_positions (n_masked,); with pairs next_sentence_label (B,), -100 where there is
            no second sentence.
        """
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        segments, label = self._draw(np.asarray(indices), rng)
        row, column = np.arange(len(label))[:, None], np.arange(segments.counts.max())[None, :]
        ids, types = self._tokens_at(segments, row, column)  # (B, T)
        batch = {"input_ids": ids, "token_type_ids": types}
        if segments.counts.min() < segments.counts.max():  # without padding nothing is masked
            is_real = column < segments.counts[:, None]
            batch["attention_mask"] = torch.from_numpy(is_real.astype(np.int64))
        if self.has_pairs:
            batch["next_sentence_label"] = torch.from_numpy(label)
        return {**batch, **self._targets(ids, torch.from_numpy(column == 0), generator)}

    def collate_packed(self, indices: NDArray[np.int64], draws: RowDraws) -> dict[str, Any]:
        """The same, laid end to end (see `model.attention.PackedRows`), and without padding.

        A row comes out the same whatever rows it is drawn with.
        """
        segments, label = self._draw(np.asarray(indices), draws)
        starts = np.append(0, np.cumsum(segments.counts))
        row = np.repeat(np.arange(len(label)), segments.counts)
        column = np.arange(starts[-1]) - starts[row]
        ids, types = (each[None] for each in self._tokens_at(segments, row, column))  # (1, N)
        batch: dict[str, Any] = {"input_ids": ids, "token_type_ids": types}
        if self.has_pairs:
            batch["next_sentence_label"] = torch.from_numpy(label)
        batch["cu_seqlens"] = torch.from_numpy(starts.astype(np.int32))
        batch["max_seqlen"] = int(segments.counts.max())
        is_first = torch.from_numpy(column == 0)[None]
        uniform = partial(draws.uniform, row, column)
        return {**batch, **self._targets(ids, is_first, lambda: torch.from_numpy(uniform())[None])}

    def _draw(
        self, indices: NDArray[np.int64], rng: np.random.Generator | RowDraws
    ) -> tuple[Segments, NDArray[np.int64]]:
        """Where the segments of each row are, and whether the second follows the first."""
        is_split = indices < len(self.points)
        chosen, whole = indices[is_split], indices[~is_split] - len(self.points)
        start_a, length_a, start_b, length_b = np.zeros((4, len(indices)), np.int64)
        label = np.full(len(indices), IGNORE_INDEX)
        start_a[~is_split] = self._whole_start[whole]
        length_a[~is_split] = self._whole_length[whole]
        if self.has_pairs and len(chosen):
            if isinstance(rng, RowDraws):
                rng = rng.of_rows(np.flatnonzero(is_split))
            drawn = draw_pairs(self.points, chosen, self.budget, rng)
            places = (start_a, length_a, start_b, length_b, label)
            for place, values in zip(places, drawn, strict=True):
                place[is_split] = values
        elif len(chosen):
            around = divide_budget(
                self.points.before[chosen], self.points.after[chosen], self.budget
            )
            length_a[is_split], length_b[is_split] = around
            start_b[is_split] = self.points.position[chosen]
            start_a[is_split] = self.points.position[chosen] - length_a[is_split]
        is_pair = self.has_pairs & (length_b > 0)
        return Segments(start_a, length_a, start_b, length_b, is_pair), label

    def _tokens_at(
        self, segments: Segments, row: NDArray[np.int64], column: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """Ids and segments at some columns of some rows, of the shape that the two have together.

        `[CLS] A [SEP] B [SEP]`; `[CLS] A B [SEP]` without pairs; padding behind it.
        """
        start_a, length_a, start_b, length_b, is_pair = (each[row] for each in segments)
        begin_b = 1 + length_a + is_pair
        last = begin_b + length_b  # where the final [SEP] stands
        in_a = (column >= 1) & (column <= length_a)
        in_b = (column >= begin_b) & (column < last)
        source = np.where(in_a, start_a + column - 1, start_b + column - begin_b)
        is_text = in_a | in_b
        ids = np.where(
            is_text, self.corpus.tokens[source * is_text], self.tokenizer.pad_token_id
        ).astype(np.int64)
        is_end = column == last
        if self.has_pairs:
            is_end |= column == length_a + 1
        ids = np.where(is_end, self.tokenizer.sep_token_id, ids)
        ids = np.where(column == 0, self.tokenizer.cls_token_id, ids)
        types = is_pair & (column >= begin_b) & (column <= last)
        return torch.from_numpy(ids), torch.from_numpy(types.astype(np.int64))

    def _targets(
        self, ids: Tensor, is_first: Tensor, generator: torch.Generator | Callable[[], Tensor]
    ) -> dict[str, Tensor]:
        """What is predicted of the ids, (B, T) or (1, N); for masked objectives the ids anew."""
        if self.objective == "causal":
            # Nothing stands before [CLS] to predict it from.
            unasked = (ids == self.tokenizer.pad_token_id) | is_first
            return {"labels": ids.masked_fill(unasked, IGNORE_INDEX)}
        corrupted, labels, positions = mask_tokens(
            ids,
            torch.isin(ids, self._special),
            self.tokenizer.mask_token_id,
            self.tokenizer.vocab_size,
            special_ids=self._special,
            generator=generator,
            masked=self.masked,
        )
        return {"input_ids": corrupted, "labels": labels, "masked_positions": positions}

    def fingerprint(self) -> str:
        """See `Fingerprinted`: the text is read once, from disk; nothing is drawn."""
        ids = ("pad_token_id", "cls_token_id", "sep_token_id", "mask_token_id", "vocab_size")
        return of_values(
            {
                "tokens": self.corpus.tokens,
                "sentences": self.corpus.sentence_starts,
                "documents": self.corpus.document_starts,
                "ids": [self._special.tolist(), *(getattr(self.tokenizer, name) for name in ids)],
                "how": [self.objective, self.budget, self.masked],
            }
        )


class Subset:
    """A fixed part of a data set, for evaluations in the middle of training."""

    def __init__(self, dataset: BatchSource, size: int) -> None:
        self._dataset = dataset
        order = torch.randperm(len(dataset), generator=seeded(0)).numpy()
        self._indices = np.sort(order[:size])

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """See `BatchSource`."""
        lengths: NDArray[np.int64] = self._dataset.lengths[self._indices]
        return lengths

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """See `BatchSource`."""
        return self._dataset.collate(self._indices[indices], generator)

    def fingerprint(self) -> str:
        """See `Fingerprinted`."""
        return of_values({"rows": self._indices, "of": fingerprint(self._dataset)})
