"""Questions about a context: overlapping windows, answer positions, and the way back to text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding
from torch import Tensor

from minibert.encoding import TokenRows, check_kind, encode_rows
from minibert.examples import AnswerExample
from minibert.tokenizer import Tokenizer

MAX_LENGTH = 384  # tokens of a window, as the reference takes them for SQuAD


class AnsweringDataset(TokenRows):
    """`[CLS] question [SEP] context [SEP]`, a long context in windows that overlap (claim D5).

    In a window that holds the whole answer the positions are those of its first and last token; in
    every other one they are 0, the place of `[CLS]`, which stands for "no answer here" (B25).

    Args:
        examples: questions with their contexts and answers; the first answer is the one learned.
        tokenizer: of the model.
        max_length: tokens of a window; 384, or what the model reads, where not given.
        stride: tokens that neighbouring windows share; a third of `max_length` where not given.

    Attributes:
        examples: as given.
        offsets: for each row (T, 2), the characters of the context that a token covers; -1 at
            every token that is not of the context.

    Raises:
        ValueError: if a question leaves no room for the context.
    """

    def __init__(
        self,
        examples: Sequence[AnswerExample],
        tokenizer: Tokenizer,
        *,
        max_length: int | None = None,
        stride: int | None = None,
    ) -> None:
        check_kind(examples, AnswerExample, "questions about a context", "answer")
        self.examples = list(examples)
        self.max_length = max_length or min(MAX_LENGTH, tokenizer.model_max_length)
        self.stride = self.max_length // 3 if stride is None else stride
        rows, samples = encode_rows(
            tokenizer,
            [example.question.strip() for example in examples],
            [example.context for example in examples],
            max_length=self.max_length,
            truncation="only_second",
            stride=self.stride,
        )
        super().__init__(rows, samples, len(self.examples), tokenizer.pad_token_id)
        self.offsets = [_context_offsets(row) for row in rows]
        self._positions = np.array(
            [
                _answer_tokens(offsets, self.examples[sample])
                for offsets, sample in zip(self.offsets, samples, strict=True)
            ],
            dtype=np.int64,
        )  # (rows, 2)

    @property
    def has_impossible(self) -> bool:
        """Whether some questions have no answer (SQuAD v2)."""
        return any(example.is_impossible for example in self.examples)

    @property
    def is_labelled(self) -> bool:
        """Whether it is known for every question what the answer is."""
        return all(example.answers or example.is_impossible for example in self.examples)

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """`TokenRows.collate`, with `start_positions` and `end_positions` (B,)."""
        batch = super().collate(indices, generator)
        batch["start_positions"] = torch.from_numpy(self._positions[indices, 0])
        batch["end_positions"] = torch.from_numpy(self._positions[indices, 1])
        return batch

    def context_mask(self, indices: NDArray[np.int64], width: int) -> Tensor:
        """(B, width) bool, `True` at the tokens of the context."""
        mask = np.zeros((len(indices), width), dtype=bool)
        for row, i in zip(mask, indices, strict=True):
            row[: len(self.offsets[i])] = self.offsets[i][:, 0] >= 0
        return torch.from_numpy(mask)

    def text(self, row: int, start: int, end: int) -> str:
        """The piece of the context between two tokens of a row, both included, letter for letter.

        A capital, an accent or a space that the tokenizer dropped is back.
        """
        first, last = self.offsets[row][start, 0], self.offsets[row][end, 1]
        return self.examples[self.samples[row]].context[first:last]


def _context_offsets(row: Encoding) -> NDArray[np.int32]:
    """(T, 2) characters of the second text that each token covers, -1 elsewhere."""
    in_context = np.array([sequence == 1 for sequence in row.sequence_ids])
    return np.where(in_context[:, None], np.array(row.offsets, dtype=np.int32), np.int32(-1))


def _answer_tokens(offsets: NDArray[np.int32], example: AnswerExample) -> tuple[int, int]:
    """First and last token of the first answer, or (0, 0) where this window does not hold it."""
    if not example.answers:
        return 0, 0
    text, first = example.answers[0]
    last = first + len(text)
    inside = np.flatnonzero((offsets[:, 0] < last) & (offsets[:, 1] > first))
    context = offsets[offsets[:, 0] >= 0]
    whole = len(inside) and context[0, 0] <= first and context[-1, 1] >= last
    return (int(inside[0]), int(inside[-1])) if whole else (0, 0)
