"""Where to compute and in which precision: one rule for training, evaluation and prediction."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from minibert.training.config import DEVICES, PRECISIONS

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


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
    """What to compute in: "float32", "bf16" or "fp16".

    "auto" takes bf16 where the hardware has it, fp16 on an older GPU with products of that.

    Raises:
        ValueError: for fp16 without a CUDA GPU, where it would be slower than float32.
    """
    if name not in PRECISIONS:
        raise ValueError(f"unknown precision {name!r}: choose from {', '.join(PRECISIONS)}")
    if name == "fp16" and device.type == "cpu":
        raise ValueError("precision='fp16' needs a GPU: use precision='bf16' or 'float32' here")
    if name == "auto":
        if has_native_bf16(device):
            return "bf16"
        is_cuda = device.type == "cuda"
        return (
            "fp16" if is_cuda and torch.cuda.get_device_capability(device) >= (7, 0) else "float32"
        )
    return name


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Matrix products in 16 bits, sums, norms and the weights themselves in float32.

    In float32 a GPU's matrix units round the factors to 10 bits behind the point (TF32).
    """
    precision = choose_precision(precision, device)
    if precision == "float32":
        return _tf32() if device.type == "cuda" else nullcontext()
    return torch.autocast(device.type, dtype=DTYPES[precision])


@contextmanager
def _tf32() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def check_compiler() -> None:
    """Say so if `torch.compile` has no compiler to work with.

    Raises:
        ValueError: then.
    """
    if shutil.which(os.environ.get("CXX", "g++")) is None and shutil.which("cl") is None:
        raise ValueError("compile=True needs a C++ compiler (g++), and there is none: leave it out")
