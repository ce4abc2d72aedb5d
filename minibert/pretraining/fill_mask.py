"""What a pre-trained model expects behind `[MASK]`."""

from __future__ import annotations

import torch

from minibert.model.heads import BertForMaskedLM
from minibert.tokenization.rows import encode_rows
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training.devices import autocast


@torch.no_grad()
def fill_mask(
    model: BertForMaskedLM,
    tokenizer: Tokenizer,
    text: str,
    top: int = 5,
    precision: str | None = None,
) -> list[list[tuple[str, float]]]:
    """The most probable tokens behind every `[MASK]` of a text (claim A6).

    Each mask is filled by itself: the model does not know what it chose for the others.

    Returns:
        for each mask, in the order of the text, tokens and probabilities, the likeliest first.

    Raises:
        ValueError: if there is no `[MASK]` in the text, or it is too long.
    """
    if top < 1:
        raise ValueError(f"top must be at least 1, not {top}")
    (row,), _ = encode_rows(tokenizer, [text], special_tokens=True)
    ids = torch.tensor([row.ids], device=model.device)
    places = (ids[0] == tokenizer.mask_token_id).nonzero().squeeze(1)
    if not len(places):
        raise ValueError("there is no [MASK] in the text: write it where a word is missing")
    was_training = model.training
    with autocast(precision or model.precision, model.device):
        logits = model.eval()(ids).logits[0, places].float()  # (masks, V)
    model.train(was_training)
    chances, best = logits.softmax(-1).topk(min(top, logits.shape[-1]))
    return [
        list(zip(tokenizer.convert_ids_to_tokens(tokens), probabilities.tolist(), strict=True))
        for tokens, probabilities in zip(best.cpu(), chances.cpu(), strict=True)
    ]
