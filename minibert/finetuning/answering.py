"""Questions answered by a span of a context, a long one in windows (claims B23 to B26, D5)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding
from torch import Tensor

from minibert.data.examples import AnswerExample
from minibert.finetuning.rows import TokenRows, check_kind
from minibert.tokenization.covering import Dropped, covering
from minibert.tokenization.rows import encode_rows
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training.fingerprint import of_values
from minibert.training.inference import Inference

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
        special_tokens: see `encode_rows`.

    Attributes:
        examples: as given.
        offsets: for each row (T, 2), the characters of the context that a token covers, accents
            that the tokenizer drops included; -1 at every token that is not of the context.

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
        special_tokens: bool = False,
    ) -> None:
        check_kind(examples, AnswerExample, "questions about a context", "answer")
        self.examples = list(examples)
        if max_length is None:
            max_length = min(MAX_LENGTH, tokenizer.model_max_length)
        self.max_length = max_length
        self.stride = self.max_length // 3 if stride is None else stride
        rows, samples = encode_rows(
            tokenizer,
            [example.question.strip() for example in examples],
            [example.context for example in examples],
            max_length=self.max_length,
            truncation="only_second",
            stride=self.stride,
            special_tokens=special_tokens,
        )
        super().__init__([(rows, samples)], len(self.examples), tokenizer.pad_token_id)
        dropped = Dropped(tokenizer)
        self.offsets = [
            _context_offsets(row, self.examples[sample].context, dropped)
            for row, sample in zip(rows, samples, strict=True)
        ]
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

    def require_answers(self) -> None:
        """Refuse questions of which it is not known what the answer is.

        Raises:
            ValueError: naming the first of them.
        """
        for example in self.examples:
            if not example.answers and not example.is_impossible:
                raise ValueError(
                    f"question {example.id!r} ({example.question[:40]!r}) has no answer, and its "
                    "is_impossible is not true: add one or the other"
                )

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """`TokenRows.collate`, with `start_positions` and `end_positions` (B,)."""
        batch = super().collate(indices, generator)
        batch["start_positions"] = torch.from_numpy(self._positions[indices, 0])
        batch["end_positions"] = torch.from_numpy(self._positions[indices, 1])
        return batch

    def fingerprint(self) -> str:
        """`TokenRows.fingerprint`, with all answers and the letters they are compared by."""
        return of_values({"rows": super().fingerprint(), "examples": self.examples})

    def context_mask(self, indices: NDArray[np.int64], width: int) -> Tensor:
        """(B, width) bool, `True` at the tokens of the context."""
        mask = np.zeros((len(indices), width), dtype=bool)
        for row, i in zip(mask, indices, strict=True):
            row[: len(self.offsets[i])] = self.offsets[i][:, 0] >= 0
        return torch.from_numpy(mask)

    def text(self, row: int, start: int, end: int) -> str:
        """The part of the context between two tokens of a row, both included, letter for letter.

        A capital, an accent or a space that the tokenizer dropped is back.
        """
        first, last = self.offsets[row][start, 0], self.offsets[row][end, 1]
        example: AnswerExample = self.examples[self.samples[row]]
        return example.context[first:last]


def _context_offsets(row: Encoding, context: str, dropped: Dropped) -> NDArray[np.int32]:
    """(T, 2) characters of the second text that each token covers, -1 elsewhere."""
    pairs = zip(row.sequence_ids, row.offsets, strict=True)
    offsets = [offset if sequence == 1 else (-1, -1) for sequence, offset in pairs]
    return np.array(covering(context, offsets, dropped), dtype=np.int32)


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


# ---------------------------------------------------------------------- predictions


def best_spans(
    start_logits: Tensor, end_logits: Tensor, context_mask: Tensor, max_answer_tokens: int = 30
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The most probable answer of each text, over all pairs start <= end at once (claim B25).

    Args:
        start_logits, end_logits: (B, T).
        context_mask: (B, T) bool, `True` at the paragraph's tokens. A text that has none gets a
            score of minus infinity.
        max_answer_tokens: longest answer, in tokens.

    Returns:
        start, end (B,) positions; their score (B,), the sum of both logits, which orders spans as
        the product of probabilities does; and the score (B,) of the null answer, both at `[CLS]`.
    """
    length = start_logits.shape[1]
    start = start_logits.float().masked_fill(~context_mask, -torch.inf)
    end = end_logits.float().masked_fill(~context_mask, -torch.inf)
    pairs = start[:, :, None] + end[:, None, :]  # (B, start, end)
    allowed = torch.ones(length, length, dtype=torch.bool, device=pairs.device)
    allowed = allowed.triu().tril(max_answer_tokens - 1)  # start <= end < start + longest
    score, flat = pairs.masked_fill(~allowed, -torch.inf).flatten(1).max(dim=1)
    null_score = start_logits[:, 0].float() + end_logits[:, 0].float()
    return flat // length, flat % length, score, null_score


@dataclass(frozen=True)
class AnswerPrediction:
    """The answer to one question.

    text: "" where there is none. start: its first character in the context, -1 where there is
    none. score: sum of the start and end logits of the best span in all windows. null_score: that
    of "no answer", the lowest of all windows, since every window but one may well lack it.
    """

    text: str
    start: int
    score: float
    null_score: float


def answers(
    results: Iterable[Inference],
    dataset: AnsweringDataset,
    null_threshold: float | None = None,
    max_answer_tokens: int = 30,
) -> list[AnswerPrediction]:
    """The best span over all windows of each question.

    Args:
        results: of `run_inference` over all of `dataset`.
        null_threshold: say "no answer" where its score is higher than the best span's by more
            than this (Devlin et al. 2019, section 4.3); never where not given.
        max_answer_tokens: longest answer.
    """
    best: list[tuple[float, int, int, int]] = [(-np.inf, 0, 0, 0)] * dataset.size
    null = np.full(dataset.size, np.inf)
    for indices, _, output in results:
        mask = dataset.context_mask(indices, output.start_logits.shape[1])
        mask = mask.to(output.start_logits.device)
        spans = best_spans(output.start_logits, output.end_logits, mask, max_answer_tokens)
        columns = [column.tolist() for column in spans]
        for row, start, end, score, null_score in zip(indices, *columns, strict=True):
            sample = dataset.samples[row]
            null[sample] = min(null[sample], null_score)
            best[sample] = max(best[sample], (score, int(row), start, end))
    predictions = []
    for (score, row, start, end), null_score in zip(best, null.tolist(), strict=True):
        text, first = dataset.text(row, start, end), int(dataset.offsets[row][start, 0])
        if null_threshold is not None and null_score - score > null_threshold:
            text, first = "", -1
        predictions.append(AnswerPrediction(text, first, score, null_score))
    return predictions
