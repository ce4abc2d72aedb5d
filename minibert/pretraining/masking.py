"""Corrupting text for masked language modelling: 15 % selected, then 80 / 10 / 10."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from minibert.model.loss import IGNORE_INDEX

SELECTED = 0.15  # of the ordinary tokens
MASKED = 0.8  # of the selected; half of the rest become random, half stay


def mask_tokens(
    input_ids: Tensor,
    special_tokens_mask: Tensor,
    mask_token_id: int,
    vocab_size: int,
    *,
    special_ids: Tensor,
    generator: torch.Generator | Callable[[], Tensor],
    masked: float = MASKED,
) -> tuple[Tensor, Tensor, Tensor]:
    """Corrupt a batch for masked language modelling, afresh at every call.

    Of the tokens that are not special, 15 % are selected; of these 80 % become [MASK], 10 % a
    random ordinary token, 10 % stay (Devlin et al. 2019, section 3.1 and appendix A.1;
    claims A6, B18, C12).

    Args:
        input_ids: (B, T) int64.
        special_tokens_mask: (B, T) bool or 0 and 1, True at [CLS], [SEP] and padding.
        mask_token_id: the id of [MASK].
        vocab_size: random tokens are drawn below it.
        special_ids: (n,) int64, never drawn as a random token.
        generator: makes the draw repeatable; on the device of `input_ids`. Or a
            function that gives a uniform number for each token, others at every call.
        masked: fraction of the selected that becomes [MASK]; of the rest one half becomes random,
            the other stays. 1.0 is the ablation of claim B18.

    Returns:
        corrupted ids (B, T); labels (B, T), -100 where nothing is predicted; flat positions
        of the selected tokens (n,).

    Raises:
        ValueError: if `mask_token_id` is not below `vocab_size`, or `masked` is no fraction.
    """
    if not 0 <= masked <= 1:
        raise ValueError(f"masked must be between 0 and 1, not {masked}")
    if not 0 <= mask_token_id < vocab_size:
        raise ValueError(f"mask_token_id {mask_token_id} is not below vocab_size {vocab_size}")
    draw = _uniform(input_ids, generator)
    selected = (draw < SELECTED) & ~special_tokens_mask.bool()
    labels = input_ids.masked_fill(~selected, IGNORE_INDEX)
    positions = selected.flatten().nonzero().squeeze(1)

    # The same draw decides what becomes of a selected token: given that it is below 0.15, it is
    # uniform there.
    becomes_mask = selected & (draw < SELECTED * masked)
    becomes_random = selected & ~becomes_mask & (draw < SELECTED * (1 + masked) / 2)
    ordinary = torch.ones(vocab_size, dtype=torch.bool, device=input_ids.device)
    ordinary[special_ids] = False
    ordinary_ids = ordinary.nonzero().squeeze(1)
    picks = _below(len(ordinary_ids), input_ids, generator)
    corrupted = input_ids.masked_fill(becomes_mask, mask_token_id)
    corrupted = torch.where(becomes_random, ordinary_ids[picks], corrupted)
    return corrupted, labels, positions


def _uniform(like: Tensor, generator: torch.Generator | Callable[[], Tensor]) -> Tensor:
    """A number in [0, 1) for each token."""
    if isinstance(generator, torch.Generator):
        return torch.rand(like.shape, generator=generator, device=like.device)
    return generator()


def _below(limit: int, like: Tensor, generator: torch.Generator | Callable[[], Tensor]) -> Tensor:
    """A whole number from 0 to below the limit for each token."""
    if isinstance(generator, torch.Generator):
        return torch.randint(limit, like.shape, generator=generator, device=like.device)
    return (generator().double() * limit).long()
