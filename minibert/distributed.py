"""More than one process, when `torchrun` started us; nothing otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

PARALLEL = ("ddp", "fsdp")


def start(device: torch.device) -> torch.device:
    """Join the other processes that `torchrun` started, and take our own device.

    Returns:
        the device of this process: with CUDA one GPU each.
    """
    if "WORLD_SIZE" not in os.environ or int(os.environ["WORLD_SIZE"]) == 1:
        return device
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


def rank() -> int:
    """Which process this is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def wrap(model: nn.Module, parallel: str) -> nn.Module:
    """The model as several processes train it together.

    "ddp": every process holds all weights and the gradients are averaged (Li et al. 2020).
    "fsdp": each process holds its share of weights, gradients and optimizer state, and layers are
    gathered as they are needed (Zhao et al. 2023).
    """
    if parallel not in PARALLEL:
        raise ValueError(f"unknown parallel {parallel!r}: choose from {', '.join(PARALLEL)}")
    if world_size() == 1:
        return model
    if parallel == "ddp":
        return DistributedDataParallel(model)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    device_type = next(model.parameters()).device.type
    mesh = init_device_mesh(device_type, (world_size(),))
    for layer in model.get_submodule("bert.encoder.layers").children():
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    return model


@contextmanager
def gradients_exchanged(model: nn.Module, now: bool) -> Iterator[None]:
    """Exchange gradients in this backward pass, or leave that to a later part of the batch."""
    if isinstance(model, DistributedDataParallel):
        model.require_backward_grad_sync = now
    elif hasattr(model, "set_requires_gradient_sync"):
        model.set_requires_gradient_sync(now)
    yield


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of a small tensor over all processes."""
    if world_size() > 1:
        dist.all_reduce(values)
    return values


def wait() -> None:
    """Until every process is here."""
    if world_size() > 1:
        dist.barrier()
