"""More than one process, when `torchrun` started us; nothing otherwise."""

from __future__ import annotations

import atexit
import os
import warnings
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from minibert.training.config import PARALLEL


def start(device: torch.device) -> torch.device:
    """Join the other processes that `torchrun` started, and take our own device.

    Returns:
        the device of this process: with CUDA one GPU each.

    Raises:
        ValueError: on Apple's GPU, which several processes cannot share.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return device
    if device.type == "mps":
        raise ValueError("torchrun works on CUDA and on the CPU: pass device='cpu'")
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        # gloo beside nccl: `any_process` asks without waiting for the GPU.
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, **_meeting_place())
        atexit.register(_stop)
    return device


def _meeting_place() -> dict[str, Any]:
    """Where processes that torchrun starts again find one another: not where they did before.

    In torchrun's own store torch 2.13 leaves the addresses of the processes that died, and whoever
    reads them there waits in vain.
    """
    if not is_restart() or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return {}
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(host, port, is_master=False)  # type: ignore[attr-defined]
    life = os.environ["TORCHELASTIC_RESTART_COUNT"]
    return {
        "store": dist.PrefixStore(f"minibert/{life}", store),  # type: ignore[attr-defined]
        "rank": int(os.environ["RANK"]),
        "world_size": int(os.environ["WORLD_SIZE"]),
    }


def _stop() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """Which process this is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def is_restart() -> bool:
    """Whether torchrun starts us again after a failure (`--max-restarts`)."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0


def bar_options() -> dict[str, bool]:
    """What a progress bar is told: only the first process shows one.

    Nothing there, so that `TQDM_DISABLE` still counts: it sets the default, not what is passed.
    """
    return {} if is_main() else {"disable": True}


def wrap(model: nn.Module, parallel: str) -> nn.Module:
    """The model as several processes train it together, from the weights of the first.

    "ddp": every process holds all weights and the gradients are averaged (Li et al. 2020).
    "fsdp": each process holds its part of weights, gradients and optimizer state, and layers are
    gathered as they are needed (Zhao et al. 2023).
    """
    if parallel not in PARALLEL:
        raise ValueError(f"unknown parallel {parallel!r}: choose from {', '.join(PARALLEL)}")
    if world_size() == 1:
        return model
    if parallel == "ddp":
        return DistributedDataParallel(model)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    # It warns of outputs that are views, in case somebody writes into them: nobody does.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module")
    with torch.no_grad():  # a head drawn without a seed is another one in each process
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)
    device_type = next(model.parameters()).device.type
    mesh = init_device_mesh(device_type, (world_size(),))
    for name, layers in model.named_modules():
        if name.endswith("encoder.layers"):
            for layer in layers.children():
                fully_shard(layer, mesh=mesh)
                register_fsdp_forward_method(layer, "forward_at")
    fully_shard(model, mesh=mesh)
    return model


def exchange_gradients(model: Any, now: bool) -> None:
    """Exchange gradients in the next backward pass, or leave that to a later part of the batch."""
    if isinstance(model, DistributedDataParallel):
        model.require_backward_grad_sync = now
    elif hasattr(model, "set_requires_gradient_sync"):
        model.set_requires_gradient_sync(now)


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of a small tensor over all processes."""
    if world_size() > 1:
        dist.all_reduce(values)
    return values


def any_process(condition: bool) -> bool:
    """Whether it holds in any process; every process must ask."""
    if world_size() == 1:
        return condition
    return bool(sum_over_processes(torch.tensor(int(condition))))


def broadcast(value: float) -> float:
    """The first process's value, so that all decide alike; every process must call this."""
    if world_size() == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64)
    dist.broadcast(shared, 0)
    return float(shared)


def full_tensor(value: Tensor) -> Tensor:
    """A tensor that sharded training has spread over processes; every process must call this."""
    from torch.distributed.tensor import DTensor

    return value.full_tensor() if isinstance(value, DTensor) else value


def wait() -> None:
    """Until every process is here."""
    if world_size() > 1:
        dist.barrier()
