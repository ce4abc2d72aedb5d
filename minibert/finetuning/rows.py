"""Rows of tokens kept without padding, and padded batch by batch: what every task shares.

A text that is too long for one row can be cut (`truncation`) or split into overlapping windows
(`stride`): then `samples` says which example a row comes from.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain

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

    Args:
        chunks: rows and the number of the example of each, see `encoded_chunks`.
        size: the number of examples.
        pad_token_id: of the tokenizer.
    """

    def __init__(
        self,
        chunks: Iterable[tuple[Sequence[Encoding], Sequence[int] | NDArray[np.int64]]],
        size: int,
        pad_token_id: int,
    ) -> None:
        # End to end: an array for each of a million rows would be larger than what is in them.
        ids, types, lengths, samples = array("H"), array("b"), array("q"), array("q")
        for rows, numbers in chunks:
            some = list(chain.from_iterable(row.ids for row in rows))
            if ids.typecode == "H" and max(some) >= 2**16:
                ids = array("i", ids)
            kinds = list(chain.from_iterable(row.type_ids for row in rows))
            if types or any(kinds):  # until there is a second text, nothing
                types.extend(bytes(len(ids) - len(types)))
                types.extend(kinds)
            ids.extend(some)
            lengths.extend(map(len, rows))
            samples.extend(map(int, numbers))
        self._ids = np.frombuffer(ids, np.uint16 if ids.typecode == "H" else np.int32)
        self._types = np.frombuffer(types, np.int8) if types else np.zeros(1, np.int8)
        self._lengths = np.array(lengths, dtype=np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self.samples, self.size = np.array(samples, dtype=np.int64), size
        self.pad_token_id = pad_token_id

    def __len__(self) -> int:
        return len(self._lengths)

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
        column = np.arange(lengths.max())[None, :]
        is_real = column < lengths[:, None]  # (B, T)
        place = (self._starts[indices][:, None] + column) * is_real
        types = self._types[place if len(self._types) == len(self._ids) else place * 0]
        batch = {
            name: torch.from_numpy(np.where(is_real, values, filler).astype(np.int64))
            for name, values, filler in (
                ("input_ids", self._ids[place], self.pad_token_id),
                ("token_type_ids", types, 0),
            )
        }
        if lengths.min() < lengths.max():  # without padding there is nothing to mask
            batch["attention_mask"] = torch.from_numpy(is_real.astype(np.int64))
        return batch

    def fingerprint(self) -> str:
        """See `minibert.training.fingerprint`."""
        return of_values({"rows": of_batches(self), "samples": self.samples})


def padded(rows: Sequence[ArrayLike], filler: int) -> Tensor:
    """Rows of whole numbers as one int64 tensor (B, T), filled up on the right."""
    numbers = [np.asarray(row) for row in rows]
    result = np.full((len(numbers), max(map(len, numbers))), filler, dtype=np.int64)
    for target, row in zip(result, numbers, strict=True):
        target[: len(row)] = row
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
