"""Count the bytes that a training step really holds, to check `memory` against."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from minibert.course.analysis.memory import Memory
from minibert.model.attention import combined_mask
from minibert.model.task_heads import BertForSequenceClassification
from minibert.training.devices import autocast


def measured_memory(
    model: BertForSequenceClassification, batch: Mapping[str, Tensor], precision: str = "float32"
) -> Memory:
    """Run one step of training and count the bytes of every tensor that it holds.

    Activations are the tensors that autograd saves in the forward pass, each storage once; the
    weights and the batch itself are not among them. With gradient checkpointing one layer, as it
    is when it is computed again, is counted with them. The weights move by one tiny step.

    Args:
        model: in the mode that is to be measured, on a CPU.
        batch: with `labels` and `attention_mask`.
        precision: "float32" or "bf16".
    """
    saved: dict[int, Tensor] = {}  # by storage; held here, so that no address is used twice
    loss = _loss(model, batch, precision, saved)
    encoder = model.bert.encoder
    if encoder.gradient_checkpointing and model.training:
        ids = batch["input_ids"]
        hidden = torch.zeros(*ids.shape, model.config.hidden_size, requires_grad=True)
        mask = combined_mask(batch["attention_mask"], ids.shape[1], is_causal=False)
        with _saving_into(saved, (*model.parameters(), hidden)), autocast(precision, hidden.device):
            encoder.layers[0](hidden, mask)
    is_cast = [_is_copy(tensor, model) for tensor in saved.values()]
    sizes = [tensor.untyped_storage().nbytes() for tensor in saved.values()]
    casts = sum(size for size, copied in zip(sizes, is_cast, strict=True) if copied)
    loss.backward()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
    optimizer = torch.optim.AdamW(trained, lr=1e-6)
    optimizer.step()
    states = [value for state in optimizer.state.values() for value in state.values()]
    held = [_bytes(tensors) for tensors in (model.parameters(), gradients, states)]
    optimizer.zero_grad(set_to_none=True)
    return Memory(held[0], held[1], held[2], sum(sizes) - casts, casts)


def _loss(
    model: nn.Module, batch: Mapping[str, Tensor], precision: str, saved: dict[int, Tensor]
) -> Tensor:
    own = (*model.parameters(), *batch.values())
    with _saving_into(saved, own), autocast(precision, torch.device("cpu")):
        loss: Tensor = model(**batch).loss
    return loss


def _saving_into(
    saved: dict[int, Tensor], without: Iterable[Tensor]
) -> AbstractContextManager[None]:
    """Note what autograd saves, by storage, except the storages of some tensors."""
    owned = {_address(tensor) for tensor in without}

    def keep(tensor: Tensor) -> Tensor:
        if _address(tensor) not in owned:
            saved[_address(tensor)] = tensor
        return tensor

    return torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)


def _address(tensor: Tensor) -> int:
    address: int = tensor.untyped_storage()._cdata
    return address


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _is_copy(tensor: Tensor, model: nn.Module) -> bool:
    """Whether this is one of the model's matrices in 16 bits, perhaps lying on its side."""
    if tensor.dtype != torch.bfloat16 or tensor.ndim != 2:
        return False
    return any(
        torch.equal(upright, parameter.bfloat16())
        for parameter in model.parameters()
        for upright in (tensor, tensor.mT)
        if parameter.shape == upright.shape
    )


class Timeline(NamedTuple):
    """Bytes held after every operation of a step, and where its three phases end."""

    held: list[int]
    forward_end: int
    backward_end: int

    @property
    def peak(self) -> int:
        """The most that was held at any moment."""
        return max(self.held)


class _Watch(TorchDispatchMode):
    """Counts the storages that are alive, operation by operation."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch gives it no types
        self.sizes: dict[int, int] = {}
        self.held: list[int] = []
        for tensor in tensors:
            self._see(tensor)

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.sizes:
            self.sizes[storage._cdata] = storage.nbytes()
            weakref.finalize(storage, self.sizes.pop, storage._cdata, 0)

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._see(tensor)
        self.held.append(sum(self.sizes.values()))
        return made


def memory_timeline(
    model: BertForSequenceClassification, batch: Mapping[str, Tensor], precision: str = "float32"
) -> Timeline:
    """Watch every tensor of one training step come and go, the passing ones included.

    It is the second step that is watched: from then on the optimizer holds its state. Arguments
    as in `measured_memory`.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-6, fused=True)
    ends: list[int] = []
    for number in range(2):
        states = [value for state in optimizer.state.values() for value in state.values()]
        watch = _Watch([*model.parameters(), *states, *batch.values()])
        with watch if number else nullcontext():
            with autocast(precision, torch.device("cpu")):
                loss = model(**batch).loss
            ends.append(len(watch.held))
            loss.backward()
            ends.append(len(watch.held))
            optimizer.step()
        del loss
        optimizer.zero_grad(set_to_none=True)
    return Timeline(watch.held, *ends[2:])
