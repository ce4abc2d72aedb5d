"""What a classifier reads: take each word away and watch the probability (claim A20).

Zeiler and Fergus (2014, section 4.2) hid parts of pictures; Li, Monroe and Jurafsky (2016) erased
words. Nothing inside the model is read: it gets the same text with one word less.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from minibert.model.task_heads import BertForSequenceClassification
from minibert.tokenization.rows import split_words
from minibert.tokenization.tokenizer import Tokenizer


@dataclass(frozen=True)
class Occlusion:
    """A text's words, the probability of a label, and the probability without each of them."""

    words: list[str]
    label: str
    probability: float
    without: list[float]

    @property
    def effects(self) -> list[float]:
        """What each word adds to the probability: what is lost when it is taken away."""
        return [self.probability - left for left in self.without]


@torch.no_grad()
def occlude(
    model: BertForSequenceClassification, tokenizer: Tokenizer, text: str, label: str
) -> Occlusion:
    """Classify a text, and once more without each of its words.

    Words are those of BERT's own pre-tokenizer: each Chinese character and each sign is one.
    Dropout is off while it runs; afterwards the model is in the mode it was in.

    Args:
        model: a classifier of single texts.
        tokenizer: of the model.
        text: with at least two words.
        label: whose probability is watched, by name.

    Raises:
        ValueError: if the model has no such label, or taking a word away would leave nothing.
    """
    names = model.config.labels
    if label not in names:
        raise ValueError(f"this model has no label {label!r}: choose from {', '.join(names)}")
    words = split_words(tokenizer, text)
    if len(words) < 2:
        raise ValueError(f"{text!r} has {len(words)} words: nothing would be left, give at least 2")
    kept = [words, *(words[:i] + words[i + 1 :] for i in range(len(words)))]
    batch = tokenizer(kept, is_split_into_words=True, padding=True)
    was_training = model.training
    model.eval()
    try:
        logits = model(**{name: value.to(model.device) for name, value in batch.items()}).logits
    finally:
        model.train(was_training)
    several = model.config.problem_type == "multi_label_classification"
    chances = logits.sigmoid() if several else logits.softmax(-1)
    whole, *without = chances[:, names.index(label)].tolist()
    return Occlusion(words, label, whole, without)
