"""AdamW's parameter groups and the learning-rate schedules."""

from __future__ import annotations

import math
from typing import Any

from torch import nn


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay matrices; leave biases and LayerNorm alone (Devlin et al. 2019, appendix A.2).

    Parameters that are frozen are in neither group.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


def learning_rate_factor(schedule: str, step: int, total: int, warmup: int) -> float:
    """What the peak learning rate is multiplied by at a step.

    Args:
        schedule: "linear" or "cosine" decay to zero after the warm-up.
        step: from 0.
        total: steps in all.
        warmup: steps of the linear rise.

    Returns:
        in (0, 1]; the first step already moves, and the last one still does.
    """
    if step < warmup:
        return (step + 1) / warmup
    left = (total - step) / max(1, total - warmup)  # from 1 down to 1 / (total - warmup)
    return left if schedule == "linear" else (1 - math.cos(math.pi * left)) / 2
