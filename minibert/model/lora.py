"""Low-rank adapters: train a thin product beside each frozen matrix (Hu et al. 2021, LoRA)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)  # a `PretrainedModel`, which imports this module
_TARGETS = (
    "attention.query_key_value",
    "attention.output",
    "feed_forward.up",
    "feed_forward.down",
)


@dataclass(frozen=True)
class Adapter:
    """What was added: to which base, of which rank. The product is scaled by alpha / rank."""

    base: str
    rank: int
    alpha: float


class LowRankLinear(nn.Module):
    """A frozen linear map plus a trained one of low rank: W x + b + (alpha / rank) B A x.

    B starts at zero, so that adding an adapter changes nothing until it is trained.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.linear = linear
        self.scale = alpha / rank
        self.lora_a = nn.Parameter(torch.empty(rank, linear.in_features))
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.normal_(self.lora_a, std=linear.in_features**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        frozen: Tensor = self.linear(x)
        return frozen + self.scale * (x @ self.lora_a.mT) @ self.lora_b.mT

    def merged(self) -> nn.Linear:
        """One plain linear map that computes the same."""
        with torch.no_grad():
            self.linear.weight += self.scale * self.lora_b @ self.lora_a
        return self.linear


def add_adapter(model: Model, base: str, rank: int, alpha: float | None = None) -> Model:
    """Freeze the encoder and put an adapter beside every matrix of every layer; heads stay free.

    Args:
        model: loaded from `base`; changed in place.
        base: the name or folder that the frozen weights came from, noted when the adapter is saved.
        rank: of the product.
        alpha: its scale times the rank; twice the rank where not given.

    Raises:
        ValueError: if there is an adapter already, or the rank is below 1 or above the width.
    """
    adapted: Any = model
    if adapted.adapter is not None:
        raise ValueError("this model has an adapter already: merge it first")
    width = adapted.config.hidden_size
    if not 1 <= rank <= width:
        raise ValueError(f"an adapter's rank must be at least 1 and at most {width}, not {rank}")
    adapter = Adapter(base, rank, alpha if alpha is not None else 2.0 * rank)
    bert = adapted.base_model
    bert.requires_grad_(False)
    for layer in bert.encoder.layers:
        for target in _TARGETS:
            parent_name, name = target.split(".")
            parent = getattr(layer, parent_name)
            setattr(parent, name, LowRankLinear(getattr(parent, name), rank, adapter.alpha))
    if bert.pooler is not None:
        # Small, next to the head, and untrained in many checkpoints.
        bert.pooler.requires_grad_(True)
    adapted.adapter = adapter
    return model


def merge_adapter(model: Model) -> Model:
    """Fold the adapter into the weights: the same outputs, no adapter, everything trainable."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LowRankLinear):
                setattr(module, name, child.merged())
    adapted: Any = model
    adapted.adapter = None
    return model.requires_grad_(True)
