"""Texts tokenised once and made into batches, and the labels that belong to whole texts.

What every row needs is in `TokenRows`; a data set adds what its head learns from. A text that is
too long for one row can be cut (`truncation`) or split into overlapping windows (`stride`): then
`samples` says which example a row comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from tokenizers import Encoding
from torch import Tensor
from tqdm import tqdm

from minibert.examples import Example, label_names
from minibert.tokenizer import Tokenizer
from minibert.tokenizer_checks import Text, checked_texts

SINGLE_LABEL = "single_label_classification"
MULTI_LABEL = "multi_label_classification"
REGRESSION = "regression"

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
) -> tuple[list[Encoding], NDArray[np.int64]]:
    """Tokenise texts, or pairs of texts, into rows that the model can read.

    Args:
        tokenizer: also knows how much its model reads.
        texts: each a string, or with `is_split_into_words` a list of words.
        pairs: as many second texts.
        max_length: tokens in a row, special tokens included; what is longer is cut.
        truncation: "longest_first", "only_first" or "only_second": cut what is too long.
        stride: split what is too long into windows that share so many tokens.

    Returns:
        the rows; the number of the text that each comes from (rows,).

    Raises:
        ValueError: if a text is empty; or too long, and neither of the three was given.
    """
    texts = checked_texts(texts, is_split_into_words)
    may_cut = max_length is not None or truncation is not None or stride is not None
    if pairs is not None and truncation is None:
        # Windows slide over the second text, as over the passage behind a question.
        truncation = "longest_first" if stride is None else "only_second"
    rows: list[Encoding] = []
    samples: list[int] = []
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
            )
            for number, encoding in enumerate(encodings, first):
                windows = [encoding, *(encoding.overflowing if stride is not None else ())]
                if encoding.overflowing and not may_cut:
                    pair = None if pairs is None else pairs[number]
                    length = _length(tokenizer, texts[number], pair, is_split_into_words)
                    raise _too_long(tokenizer, texts[number], number, len(texts), length)
                rows += windows
                samples += [number] * len(windows)
            bar.update(len(chunk))
    return rows, np.array(samples, dtype=np.int64)


def _length(tokenizer: Tokenizer, text: Text, pair: Text | None, split: bool) -> int:
    """Tokens of a text or a pair, special tokens included."""
    parts = [text] if pair is None else [text, pair]
    encodings = tokenizer.encode_batch(parts, is_split_into_words=split, add_special_tokens=False)
    return sum(map(len, encodings)) + 1 + len(parts)


def _too_long(tokenizer: Tokenizer, text: Text, number: int, count: int, length: int) -> ValueError:
    limit = tokenizer.model_max_length
    return ValueError(
        f"{named_text(text, number, count)}{length} tokens, but {tokenizer.name} reads at most "
        f"{limit}: pass --truncation (in Python truncation='longest_first') to cut, "
        f"or --stride {max(1, limit // 4)} (stride={max(1, limit // 4)}) to split"
    )


def named_text(text: Text, number: int, count: int) -> str:
    """How a message points at one of many texts; nothing where there is only one."""
    if count == 1:
        return ""
    start = text if isinstance(text, str) else " ".join(text)
    return f"text {number + 1} of {count} ({start[:40]!r}{'...' if len(start) > 40 else ''}): "


def split_words(tokenizer: Tokenizer, text: str) -> list[str]:
    """A plain text as the words that BERT's own pre-tokenizer makes of it.

    White space and punctuation separate, and a Chinese character stands alone.
    """
    encoding = tokenizer.backend.encode(text, add_special_tokens=False)
    words: dict[int, tuple[int, int]] = {}
    for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        if word is not None:
            first, last = words.get(word, (start, end))
            words[word] = (min(first, start), max(last, end))
    return [text[start:end] for start, end in words.values()]


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


def padded(rows: Sequence[ArrayLike], filler: int) -> Tensor:
    """Rows of whole numbers as one int64 tensor (B, T), filled up on the right."""
    arrays = [np.asarray(row) for row in rows]
    result = np.full((len(arrays), max(map(len, arrays))), filler, dtype=np.int64)
    for target, array in zip(result, arrays, strict=True):
        target[: len(array)] = array
    return torch.from_numpy(result)


# ---------------------------------------------------------------------- texts with labels


class ClassificationDataset(TokenRows):
    """Texts or pairs of texts with one label, several labels, or a number each.

    Args:
        examples: with labels, or all without (then there is nothing to train on, only to predict).
        tokenizer: of the model.
        labels: the names of the classes in the model's order; those that occur, sorted, where not
            given. Give the training set's to every other set.
        problem_type: one of the model's three; told by the labels' form where not given.
        max_length, truncation, stride: see `encode_rows`.

    Attributes:
        label_names: the classes, in the order of the logits; empty for regression.
        targets: (examples,) int64 classes, (examples, classes) zeros and ones, or (examples,)
            float32 numbers; `None` without labels.

    Raises:
        ValueError: if an example has no label while others have one, if a label is not among
            `labels` (the message names it), or a text does not fit.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        tokenizer: Tokenizer,
        labels: Sequence[str] | None = None,
        problem_type: str | None = None,
        *,
        max_length: int | None = None,
        truncation: str | None = None,
        stride: int | None = None,
    ) -> None:
        check_kind(examples, Example, "texts with a label", "classify")
        self.problem_type = problem_type or _problem_type(examples)
        self.label_names = list(label_names(examples) if labels is None else labels)
        if self.problem_type == REGRESSION:
            self.label_names = []
        self.texts = [example.text for example in examples]
        self.targets = _targets(examples, self.label_names, self.problem_type)
        pairs = [example.text_pair for example in examples if example.text_pair is not None]
        if pairs and len(pairs) < len(examples):
            raise ValueError("some examples are pairs of texts and some are not: make them alike")
        rows, samples = encode_rows(
            tokenizer,
            self.texts,
            pairs or None,
            max_length=max_length,
            truncation=truncation,
            stride=stride,
        )
        super().__init__(rows, samples, len(examples), tokenizer.pad_token_id)

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """`TokenRows.collate`, with `labels` as `BertForSequenceClassification` takes them."""
        batch = super().collate(indices, generator)
        if self.targets is not None:
            batch["labels"] = torch.from_numpy(self.targets[self.samples[indices]])
        return batch


def check_kind(examples: Sequence[object], kind: type, what: str, task: str) -> None:
    """Refuse an empty list, and examples that belong to another task."""
    if not examples:
        raise ValueError("there are no examples: the data set, or this side of it, is empty")
    for example in examples:
        if not isinstance(example, kind):
            fit = {"Example": "classify", "TaggedExample": "tag", "AnswerExample": "answer"}
            there = fit.get(type(example).__name__, "another task")
            raise ValueError(
                f"{task!r} needs {what}, but these examples are for {there!r}: choose that task "
                "or another file"
            )


def _problem_type(examples: Iterable[Example]) -> str:
    for example in examples:
        if isinstance(example.label, list):
            return MULTI_LABEL
        if isinstance(example.label, float):
            return REGRESSION
        if example.label is not None:
            return SINGLE_LABEL
    return SINGLE_LABEL


def _targets(
    examples: Sequence[Example], names: Sequence[str], problem_type: str
) -> NDArray[Any] | None:
    """The labels as the loss takes them; see `ClassificationDataset.targets`."""
    if all(example.label is None for example in examples):
        return None
    number = {name: i for i, name in enumerate(names)}
    shape = (len(examples), len(names)) if problem_type == MULTI_LABEL else (len(examples),)
    kind: type = np.int64 if problem_type == SINGLE_LABEL else np.float32
    targets: NDArray[Any] = np.zeros(shape, dtype=kind)
    wanted = {SINGLE_LABEL: str, MULTI_LABEL: list, REGRESSION: float}[problem_type]
    for i, example in enumerate(examples):
        if not isinstance(example.label, wanted):
            has = "no label" if example.label is None else f"the label {example.label!r}"
            told = {str: "one name", list: "a list of names", float: "a number"}[wanted]
            where = named_text(example.text, i, len(examples))
            raise ValueError(f"{where}has {has}, but expected is {told}, as in training")
        if isinstance(example.label, float):
            targets[i] = example.label
            continue
        for name in [example.label] if isinstance(example.label, str) else example.label or ():
            if name not in number:
                raise unseen_label(name, example.text, i, len(examples), names)
            if problem_type == MULTI_LABEL:
                targets[i, number[name]] = 1
            else:
                targets[i] = number[name]
    return targets


def unseen_label(
    name: str, text: Text, number: int, count: int, names: Sequence[str]
) -> ValueError:
    """What to say of a label that the model has no output for."""
    known = ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
    return ValueError(
        f"{named_text(text, number, count)}the label {name!r} was not seen in training "
        f"(there were: {known}): correct it, or train with examples of it"
    )


def balanced_weights(dataset: ClassificationDataset) -> list[float]:
    """A factor for each class that makes rare ones count as much as frequent ones.

    n / (C * n_c): an example of the average class keeps the weight 1.

    Raises:
        ValueError: for regression, or where a class does not occur.
    """
    if dataset.targets is None or dataset.problem_type == REGRESSION:
        raise ValueError("class weights need classes: leave them out for numbers")
    if dataset.problem_type == SINGLE_LABEL:
        counts = np.bincount(dataset.targets.astype(np.int64), minlength=len(dataset.label_names))
    else:
        counts = dataset.targets.sum(0)
    if not counts.all():
        absent = dataset.label_names[int(np.argmin(counts))]
        raise ValueError(f"no example has the label {absent!r}: it cannot be given a weight")
    return (counts.sum() / (len(counts) * counts)).tolist()
