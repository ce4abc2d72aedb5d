"""How much a run computes, and how much of what its device can: tokens, FLOPs, memory."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import torch
from torch import Tensor

from minibert.model.pretrained import PretrainedModel
from minibert.training.devices import autocast


class Work(NamedTuple):
    """What one step has to compute: real tokens, and the FLOPs of forward and backward pass.

    FLOPs are those of the model and not of the way it is computed: six a weight of the encoder's
    matrices and a token, twelve a layer, a width and a pair of tokens for attention (Chowdhery et
    al. 2022, appendix B), and six a weight of the output matrix and a prediction. Padding counts
    for nothing, and neither does what is computed twice.
    """

    tokens: int = 0
    flops: float = 0.0

    def __add__(self, other: Any) -> Work:
        return Work(self.tokens + other.tokens, self.flops + other.flops)

    @classmethod
    def of(cls, model: PretrainedModel, batch: dict[str, Tensor]) -> Work:
        """Of a padded batch, or of a packed one that is not filled up yet."""
        config, ids = model.config, batch["input_ids"]
        mask = batch.get("attention_mask")
        if "cu_seqlens" in batch:
            lengths = batch["cu_seqlens"].diff()
        else:
            lengths = mask.sum(1) if mask is not None else torch.full((len(ids),), ids.shape[1])
        tokens, pairs = int(lengths.sum()), float((lengths.double() ** 2).sum())
        width, inner = config.hidden_size, config.intermediate_size
        layer = 4 * width * width + 2 * width * inner
        flops = config.num_hidden_layers * (6 * layer * tokens + 12 * width * pairs)
        if model.may_skip_logits:  # an output matrix of the vocabulary
            places = batch.get("masked_positions")
            predicted = len(places) if places is not None else tokens
            flops += 6 * predicted * width * (config.vocab_size + width)
        return cls(tokens, float(flops))


def matrix_rate(device: torch.device, precision: str, size: int = 8192, repeats: int = 8) -> float:
    """FLOPs a second of a large matrix product on random numbers: what a device can at best."""
    dtype = torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    if precision != "float32":
        dtype = torch.bfloat16 if precision == "bf16" else torch.float16
        a, b = a.to(dtype), b.to(dtype)
    with autocast(precision, device):
        for _ in range(3):
            a @ b
        _wait(device)
        started = time.perf_counter()
        for _ in range(repeats):
            a @ b
        _wait(device)
    return 2 * size**3 * repeats / (time.perf_counter() - started)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
