"""Where to compute and in which precision: one rule for training, evaluation and prediction."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from minibert.training.config import DEVICES, PRECISIONS


def choose_device(name: str) -> torch.device:
    """The device asked for; "auto" takes CUDA, else Apple's GPU, else the CPU."""
    if name not in DEVICES:
        raise ValueError(f"unknown device {name!r}: choose from {', '.join(DEVICES)}")
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        else:
            name = "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device here: use device='cpu'")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ValueError("no Apple GPU here: use device='cpu'")
    return torch.device(name)


def has_native_bf16(device: torch.device) -> bool:
    """Whether bfloat16 products are instructions here; emulated, they are slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # Older or other CPUs report the capability False, other builds lack the question.
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


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Matrix products in bf16, sums, norms and the weights themselves in float32."""
    if choose_precision(precision, device) == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
