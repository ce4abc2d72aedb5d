"""What two models of the course put in the blank of a sentence: recorded while a page is built."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from minibert import BertForCausalLM, BertForMaskedLM, Tokenizer
from minibert.pretraining.fill_mask import fill_mask

BOTH_SIDES, LEFT_ONLY = "course-en", "course-en-causal"
BLANK = "[MASK]"


@dataclass(frozen=True)
class Fill:
    """The likeliest words and their probabilities, by what a model may read of the sentence."""

    both_sides: list[tuple[str, float]]
    left_only: list[tuple[str, float]]


@torch.no_grad()
def fill(sentence: str, top: int = 4) -> Fill:
    """Ask `course-en` and its causal twin for the one blank of a sentence.

    Raises:
        ValueError: unless there is exactly one blank.
    """
    if sentence.count(BLANK) != 1:
        raise ValueError(f"one {BLANK} in the sentence, please: {sentence!r}")
    tokenizer = Tokenizer.from_pretrained(BOTH_SIDES)
    (whole,) = fill_mask(BertForMaskedLM.from_pretrained(BOTH_SIDES), tokenizer, sentence, top)
    ids = tokenizer(sentence)["input_ids"][0]
    left = ids[: ids.tolist().index(tokenizer.mask_token_id)]
    twin = BertForCausalLM.from_pretrained(LEFT_ONLY).eval()
    chances, best = twin(left[None]).logits[0, -1].softmax(-1).topk(top)
    words = tokenizer.convert_ids_to_tokens(best)
    return Fill(whole, list(zip(words, chances.tolist(), strict=True)))
