"""Continue a text, one token after the other, with a causal model (claims B1, B3)."""

from __future__ import annotations

import torch
from torch import Tensor

from minibert.model.attention import KeyValueCache
from minibert.model.heads import BertForCausalLM


@torch.no_grad()
def generate(
    model: BertForCausalLM,
    input_ids: Tensor,
    max_new_tokens: int,
    eos_token_id: int | None = None,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    use_cache: bool = True,
    generator: torch.Generator | None = None,
    attention_mask: Tensor | None = None,
) -> Tensor:
    """Continue a batch of prompts.

    Args:
        input_ids: (B, T) int64; shorter prompts are padded on the left, so that all of them end
            where the first new token begins.
        max_new_tokens: at most so many; fewer where every row has ended.
        eos_token_id: a row that has written it is finished, and filled with padding.
        temperature: divides the logits; 0 takes the most probable token every time.
        top_k: draw among so many tokens only, the most probable.
        top_p: draw among the fewest most probable tokens that together have this probability
            (Holtzman et al. 2020, nucleus sampling).
        use_cache: keep keys and values of what was read, instead of reading all of it again for
            every token. The same tokens come out, up to rounding.
        generator: makes the drawing repeatable; on the device of the model.
        attention_mask: (B, T), 0 at the padding; `None` where nothing is padded.

    Returns:
        (B, T + new) prompts and what follows them. Without drawing, each row is what its prompt
        alone would give.

    Raises:
        ValueError: if prompt and new tokens are more than the model has positions, a prompt is
            empty or padded on the right, or a setting is out of range.
    """
    if not model.config.is_causal:
        raise ValueError("only a causal model can continue a text: load it as BertForCausalLM")
    for name, value in (("max_new_tokens", max_new_tokens), ("top_k", top_k)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
    if temperature != 0 and not 1e-6 <= temperature < float("inf"):  # less, and logits overflow
        raise ValueError(f"temperature must be 0, for no drawing, or 1e-6 or more: {temperature}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, not {top_p}")
    mask = _check_prompts(input_ids, attention_mask).to(model.device)
    ids, is_padded = input_ids.to(model.device), not bool(mask.all())
    longest, limit = int(mask.sum(dim=1).max()), model.config.max_position_embeddings
    if longest + max_new_tokens > limit:
        raise ValueError(
            f"{longest} tokens and {max_new_tokens} new ones, but this model reads at most "
            f"{limit}: shorten the prompt, or ask for at most {max(limit - longest, 0)}"
        )

    was_training = model.training
    model.eval()
    cache = KeyValueCache() if use_cache else None
    has_ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    try:
        for _ in range(max_new_tokens):
            read = len(cache) if cache is not None else 0
            unread = ids[:, read:]
            # A row's own first token is at position 0, however much padding stands before it.
            places = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, read:] if is_padded else None
            # Only what follows the last token of a row is asked for.
            ends = (torch.arange(len(ids), device=ids.device) + 1) * unread.shape[1] - 1
            known = mask if is_padded else None
            output = model(unread, known, position_ids=places, cache=cache, positions=ends)
            chosen = _choose(output.logits.float(), temperature, top_k, top_p, generator)
            chosen = chosen.masked_fill(has_ended, model.config.pad_token_id)
            ids = torch.cat((ids, chosen[:, None]), dim=1)
            mask = torch.cat((mask, torch.ones_like(mask[:, :1])), dim=1)
            if eos_token_id is not None:
                has_ended |= chosen == eos_token_id
                if has_ended.all():
                    break
    finally:
        model.train(was_training)
    return ids


def filter_logits(logits: Tensor, top_k: int | None = None, top_p: float | None = None) -> Tensor:
    """Logits (B, V) with minus infinity at every token that may not be drawn.

    Exactly `top_k` tokens stay, and of these the fewest that have `top_p` of the probability; at
    least one. Ties go to the lower id.
    """
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        ordered[:, top_k:] = -torch.inf
    if top_p is not None:
        probability = ordered.softmax(dim=-1)
        # What the more probable tokens have together: where that is enough, this one is not needed.
        before = probability.cumsum(dim=-1) - probability
        ordered[:, 1:] = ordered[:, 1:].masked_fill(before[:, 1:] >= top_p, -torch.inf)
    return torch.full_like(logits, -torch.inf).scatter(-1, order, ordered)


def _choose(
    logits: Tensor,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    generator: torch.Generator | None,
) -> Tensor:
    """The next token (B,) of each row."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    probability = filter_logits(logits / temperature, top_k, top_p).softmax(dim=-1)
    return torch.multinomial(probability, 1, generator=generator).squeeze(1)


def _check_prompts(input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The attention mask (B, T) as integers, all 1 where none was given."""
    if input_ids.dim() != 2 or input_ids.shape[1] == 0:
        raise ValueError(f"input_ids must be (B, T) with T at least 1: {tuple(input_ids.shape)}")
    if attention_mask is None:
        return torch.ones_like(input_ids)
    mask = attention_mask.long()
    if mask.shape != input_ids.shape:
        raise ValueError(
            f"attention_mask is {tuple(mask.shape)}, input_ids are {tuple(input_ids.shape)}"
        )
    if (mask[:, -1] == 0).any() or (mask.diff(dim=1) < 0).any():
        raise ValueError(
            "the prompts must be padded on the left, and none may be empty: "
            'padding_side="left" in the tokenizer'
        )
    return mask
