"""Rows of tokens kept without padding, and padded batch by batch: what every task shares.

A text that is too long for one row can be cut (`truncation`) or split into overlapping windows
(`stride`): then `samples` says which example a row comes from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from tokenizers import Encoding
from torch import Tensor

from minibert.tokenization.checks import Text
from minibert.tokenization.rows import named_text
from minibert.training.fingerprint import of_batches, of_values


class TokenRows:
    """Rows of tokens, kept without padding, and padded batch by batch.

    Attributes:
        samples: (rows,) the example that each row comes from.
        size: the number of examples.
    """

    def __init__(
        self, rows: Sequence[Encoding], samples: NDArray[np.int64], size: int, pad_token_id: int
    ) -> None:
        self._ids = [np.array(row.ids, dtype=np.int32) for row in rows]
        self._types = [np.array(row.type_ids, dtype=np.int8) for row in rows]
        self._lengths = np.array([len(ids) for ids in self._ids], dtype=np.int64)
        self.samples, self.size = samples, size
        self.pad_token_id = pad_token_id

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row: what batches are grouped by."""
        return self._lengths

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """These rows as a batch.

        Returns:
            input_ids and token_type_ids (B, T); attention_mask (B, T) where anything is padded.
        """
        lengths = self._lengths[indices]
        batch = {
            "input_ids": padded([self._ids[i] for i in indices], self.pad_token_id),
            "token_type_ids": padded([self._types[i] for i in indices], 0),
        }
        if lengths.min() < lengths.max():  # without padding there is nothing to mask
            mask = np.arange(lengths.max())[None, :] < lengths[:, None]
            batch["attention_mask"] = torch.from_numpy(mask.astype(np.int64))
        return batch

    def fingerprint(self) -> str:
        """See `minibert.training.fingerprint`."""
        return of_values({"rows": of_batches(self), "samples": self.samples})


def padded(rows: Sequence[ArrayLike], filler: int) -> Tensor:
    """Rows of whole numbers as one int64 tensor (B, T), filled up on the right."""
    arrays = [np.asarray(row) for row in rows]
    result = np.full((len(arrays), max(map(len, arrays))), filler, dtype=np.int64)
    for target, array in zip(result, arrays, strict=True):
        target[: len(array)] = array
    return torch.from_numpy(result)


def check_kind(examples: Sequence[object], kind: type, what: str, task: str) -> None:
    """Refuse an empty list, and examples that belong to another task."""
    if not examples:
        raise ValueError("there are no examples: the data set, or this split of it, is empty")
    for example in examples:
        if not isinstance(example, kind):
            fit = {"Example": "classify", "TaggedExample": "tag", "AnswerExample": "answer"}
            there = fit.get(type(example).__name__, "another task")
            raise ValueError(
                f"{task!r} needs {what}, but these examples are for {there!r}: choose that task "
                "or another file"
            )


def unseen_label(
    name: str, text: Text, number: int, count: int, names: Sequence[str]
) -> ValueError:
    """What to say of a label that the model has no output for."""
    known = ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
    return ValueError(
        f"{named_text(text, number, count)}the label {name!r} was not seen in training "
        f"(there were: {known}): correct it, or train with examples of it"
    )
