"""Words with a tag each: the first subword token of a word stands for it (claim C6)."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding
from torch import Generator, Tensor

from minibert.data.examples import TaggedExample, label_names
from minibert.data.tags import OUTSIDE, is_mixed, odd_tag_told, odd_tags
from minibert.finetuning.rows import TokenRows, check_kind, padded, unseen_label
from minibert.model.loss import IGNORE_INDEX
from minibert.tokenization.rows import encode_rows, named_text
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training.fingerprint import of_values
from minibert.training.inference import Inference


class TaggingDataset(TokenRows):
    """Words with a tag each: the first subword token of a word carries its tag, the others none
    (C6).

    Args:
        examples: words and tags.
        tokenizer: of the model; words are split further into its subword tokens.
        labels: the tags in the model's order; those that occur, sorted, where not given.
        max_length, truncation, stride, special_tokens: see `encode_rows`.

    Attributes:
        label_names: the tags, in the order of the logits.
        words: the words of each sentence; tags: their tags.

    Raises:
        ValueError: if a tag is not among `labels` (the message names it), or marks no entity where
            the others do; or a text does not fit.
    """

    def __init__(
        self,
        examples: Sequence[TaggedExample],
        tokenizer: Tokenizer,
        labels: Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        truncation: str | None = None,
        stride: int | None = None,
        special_tokens: bool = False,
    ) -> None:
        check_kind(examples, TaggedExample, "words with tags", "tag")
        self.label_names = list(label_names(examples) if labels is None else labels)
        number = {name: i for i, name in enumerate(self.label_names)}
        self.words = [example.words for example in examples]
        self.tags = [example.tags for example in examples]
        odd = odd_tags(Counter(tag for tags in self.tags for tag in tags)) if labels is None else ()
        for i, example in enumerate(examples):
            for tag in example.tags:
                if tag in odd:
                    where = named_text(example.words, i, len(examples))
                    raise ValueError(f"{where}{odd_tag_told(tag)}")
                if tag not in number:
                    raise unseen_label(tag, example.words, i, len(examples), self.label_names)
        if labels is None and is_mixed(number):
            warnings.warn(
                "some tags mark entities (B-TYPE ...) and many do not: accuracy counts words, and "
                "there is no entity F1",
                stacklevel=2,
            )
        rows, samples = encode_rows(
            tokenizer,
            self.words,
            max_length=max_length,
            truncation=truncation,
            stride=stride,
            is_split_into_words=True,
            special_tokens=special_tokens,
        )
        super().__init__([(rows, samples)], len(examples), tokenizer.pad_token_id)
        # (T,) for each row: which word starts here, -1 where none does.
        self.word_starts = [
            _word_starts(row, rows[i - 1] if i and samples[i - 1] == samples[i] else None)
            for i, row in enumerate(rows)
        ]
        self._numbers = [np.array([number[t] for t in tags], np.int64) for tags in self.tags]

    def collate(self, indices: NDArray[np.int64], generator: Generator) -> dict[str, Tensor]:
        """`TokenRows.collate`, with `labels` (B, T): a tag's number, or -100."""
        batch = super().collate(indices, generator)
        labels = []
        for i in indices:
            starts, tags = self.word_starts[i], self._numbers[self.samples[i]]
            labels.append(np.where(starts >= 0, tags[starts], IGNORE_INDEX))
        batch["labels"] = padded(labels, IGNORE_INDEX)
        return batch

    def fingerprint(self) -> str:
        """`TokenRows.fingerprint`, with the tags of words that were cut off: they are scored."""
        return of_values({"rows": super().fingerprint(), "tags": self.tags})


def _word_starts(row: Encoding, previous: Encoding | None) -> NDArray[np.int64]:
    """Which word begins at each token (T,), -1 where none does.

    A window may begin in the middle of a word: that word's first token is in the window before.
    """
    words = np.array([-1 if word is None else word for word in row.word_ids], dtype=np.int64)
    starts = np.where(words != np.concatenate([[-1], words[:-1]]), words, -1)
    if previous is not None:
        seen = max((word for word in previous.word_ids if word is not None), default=-1)
        if words[1] <= seen:  # the first behind [CLS]
            starts[1] = -1
    return starts


# ---------------------------------------------------------------------- predictions


@dataclass(frozen=True)
class TagPrediction:
    """The words of a sentence, a tag for each, and how probable it is."""

    words: list[str]
    tags: list[str]
    probabilities: list[float]


def tagged_sentences(results: Iterable[Inference], dataset: TaggingDataset) -> list[TagPrediction]:
    """The tag of every word: what the model predicts at its first subword token.

    A word in two windows gets its tag where it has more text on its scarcer end; a word that was
    cut off, or that is nothing to the tokenizer, gets "O" (or the first tag) with probability 0.
    """
    names = dataset.label_names
    default = next((name for name in names if name in OUTSIDE), names[0])
    tags = [[default] * len(words) for words in dataset.words]
    probabilities = [[0.0] * len(words) for words in dataset.words]
    context = [np.full(len(words), -1) for words in dataset.words]
    for indices, _, output in results:
        best = [found.cpu().numpy() for found in output.logits.float().softmax(-1).max(-1)]
        for row, row_chances, row_best in zip(indices, *best, strict=True):  # (T,) each
            sample, length = dataset.samples[row], int(dataset.lengths[row])
            for place in np.flatnonzero(dataset.word_starts[row] >= 0):
                word = dataset.word_starts[row][place]
                room = min(place, length - 1 - place)
                if room > context[sample][word]:
                    context[sample][word] = room
                    tags[sample][word] = dataset.label_names[row_best[place]]
                    probabilities[sample][word] = float(row_chances[place])
    return [TagPrediction(*each) for each in zip(dataset.words, tags, probabilities, strict=True)]
