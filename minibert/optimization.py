"""AdamW's parameter groups, the learning-rate schedules, and the precision that pays."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

SCHEDULES = ("linear", "cosine")
PRECISIONS = ("auto", "float32", "bf16")
DEVICES = ("auto", "cpu", "cuda", "mps")


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
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


def choose_device(name: str) -> torch.device:
    """The device asked for; "auto" takes CUDA, else Apple's GPU, else the processor."""
    if name not in DEVICES:
        raise ValueError(f"unknown device {name!r}: choose from {', '.join(DEVICES)}")
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        else:
            name = "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device here: use --device cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ValueError("no Apple GPU here: use --device cpu")
    return torch.device(name)


def has_native_bf16(device: torch.device) -> bool:
    """Whether bfloat16 products are instructions here; emulated, they are slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # Older or other processors report the capability False, other builds lack the question.
        capability: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return bool(capability.get("avx512_bf16") or capability.get("amx_bf16"))
    return False


def choose_precision(name: str, device: torch.device) -> str:
    """What to compute in: "float32" or "bf16"; "auto" takes bf16 where the hardware has it."""
    if name not in PRECISIONS:
        raise ValueError(f"unknown precision {name!r}: choose from {', '.join(PRECISIONS)}")
    if name == "auto":
        return "bf16" if has_native_bf16(device) else "float32"
    return name


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """Matrix products in bf16, sums, norms and the weights themselves in float32."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
