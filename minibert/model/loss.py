"""The cross-entropy that every head on tokens shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

IGNORE_INDEX = -100  # the label of a position where nothing is predicted, as in torch
_CHUNK = 8192  # positions whose scores of a whole vocabulary are held at a time


def token_loss(
    logits: Tensor, labels: Tensor | None, label_count: Tensor | float | None = None
) -> Tensor | None:
    """Cross-entropy averaged over the labelled positions; 0 where there is none.

    Args:
        logits: (..., V).
        labels: (...), -100 where nothing is predicted; without labels there is no loss.
        label_count: divide by this instead of by the labels that are here. The trainer gives
            each part of a batch its fraction of the whole batch's labels, so that accumulated and
            parallel steps add up to exactly the one large step.
    """
    if labels is None:
        return None
    logits, labels = logits.flatten(0, -2).float(), labels.flatten()
    total = F.cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, reduction="sum")
    if label_count is None:
        # The mean of nothing is NaN, and so would be every loss that it is added to.
        return total / (labels != IGNORE_INDEX).sum().clamp(min=1)
    return total / label_count


def chunked_loss(
    predict: Callable[[Tensor], Tensor], hidden: Tensor, labels: Tensor, count: Tensor | float
) -> Tensor:
    """`token_loss(predict(hidden), ...)` of (..., hidden_size), never holding all of its logits.

    The float32 scores of 262,000 tokens for a vocabulary of 30,522 take 32 GB. Some thousand are
    made at a time, forgotten, and made again in the backward pass.
    """

    def total(states: Tensor, wanted: Tensor) -> Any:
        return token_loss(predict(states), wanted, count)

    hidden, labels = hidden.flatten(0, -2), labels.flatten()
    if len(labels) <= _CHUNK:
        return cast(Tensor, total(hidden, labels))
    chunks = zip(hidden.split(_CHUNK), labels.split(_CHUNK), strict=True)
    return torch.stack([checkpoint(total, *each, use_reentrant=False) for each in chunks]).sum()
