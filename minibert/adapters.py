"""Low-rank adapters: train a thin product beside each frozen matrix (Hu et al. 2021, LoRA)."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from minibert import checkpoint
from minibert.hugging_face import config_to_hugging_face
from minibert.model import PretrainedModel

Model = TypeVar("Model", bound=PretrainedModel)
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
        return self.linear(x) + self.scale * (x @ self.lora_a.mT) @ self.lora_b.mT

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
        ValueError: if there is an adapter already, or the rank is below 1.
    """
    if model.adapter is not None:
        raise ValueError("this model has an adapter already: merge it first")
    if rank < 1:
        raise ValueError(f"the rank of an adapter must be at least 1, not {rank}")
    adapter = Adapter(base, rank, alpha if alpha is not None else 2.0 * rank)
    encoder: Any = getattr(model, "bert", model)
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)
    for layer in encoder.encoder.layers:
        for target in _TARGETS:
            parent_name, name = target.split(".")
            parent = getattr(layer, parent_name)
            setattr(parent, name, LowRankLinear(getattr(parent, name), rank, adapter.alpha))
    if getattr(encoder, "pooler", None) is not None:
        # Small, next to the head, and untrained in many checkpoints.
        encoder.pooler.requires_grad_(True)
    model.adapter = adapter
    return model


def merge_adapter(model: Model) -> Model:
    """Fold the adapter into the weights: the same outputs, no adapter, everything trainable."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LowRankLinear):
                setattr(module, name, child.merged())
    model.adapter = None
    return model.requires_grad_(True)


def adapter_state(model: PretrainedModel) -> dict[str, Tensor]:
    """What training changes: the adapter's matrices, the pooler and the head."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name in trained}


def save_adapter(
    model: PretrainedModel,
    folder: Path,
    state: dict[str, Tensor],
    dtype: torch.dtype,
    overwrite: bool,
) -> None:
    """Write the adapter and the head without the base: `adapter.safetensors` and two configs.

    Raises:
        ValueError: if the model has no adapter, or the folder holds a model or an adapter and
            `overwrite` is off.
    """
    if model.adapter is None:
        raise ValueError("this model has no adapter to save")
    checkpoint.prepare(folder, overwrite)
    stored = {name: state[name].to(dtype) for name in adapter_state(model)}
    checkpoint.write_weights(folder / checkpoint.ADAPTER_WEIGHTS_FILE, stored)
    values = config_to_hugging_face(model.config, model.architecture)
    checkpoint.write_json(folder / checkpoint.CONFIG_FILE, values)
    checkpoint.write_json(folder / checkpoint.ADAPTER_CONFIG_FILE, asdict(model.adapter))
    # What stood here before is replaced, not left beside.
    (folder / checkpoint.WEIGHTS_FILE).unlink(missing_ok=True)


def load_adapter(model: Model, folder: Path) -> Model:
    """Put the weights of the base, and on them the adapter in `folder`, into a model.

    Raises:
        FileNotFoundError: if the base cannot be found.
        ValueError: if base or adapter does not fit, naming the tensors.
    """
    adapter = _read_adapter(folder / checkpoint.ADAPTER_CONFIG_FILE)
    try:
        model.load_weights(_base_folder(adapter.base, folder))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"the adapter in {folder} needs its base: {error}") from None
    add_adapter(model, adapter.base, adapter.rank, adapter.alpha)
    stored = checkpoint.load_tensors(folder / checkpoint.ADAPTER_WEIGHTS_FILE)
    taken = checkpoint.fit(adapter_state(model), stored, model.may_be_new)
    model.load_state_dict(taken, strict=False)
    return model


def _read_adapter(path: Path) -> Adapter:
    values = checkpoint.read_json(path)
    try:
        return Adapter(**values)
    except TypeError:
        raise ValueError(f"{path} is not one of ours: it needs base, rank and alpha") from None


def _base_folder(base: str, folder: Path) -> Path:
    """A base given as a path relative to the adapter is found beside it, wherever both moved."""
    beside = folder / base
    if os.sep in base and beside.is_dir():
        return beside
    return checkpoint.resolve(base)
