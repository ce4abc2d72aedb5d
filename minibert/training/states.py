"""States of model and optimizer as whole tensors, also where several processes hold parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer


def full_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The model's tensors, gathered where they are sharded; every process must call this."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    # Its type allows what a full state of ours never holds: sharded tensors, numbers, dictionaries.
    return cast("dict[str, Tensor]", get_model_state_dict(model, options=options))


def load_full_state_dict(model: nn.Module, weights: dict[str, Any]) -> None:
    """The inverse of `full_state_dict`; every process must call this."""
    set_model_state_dict(model, weights, options=StateDictOptions(full_state_dict=True))


def optimizer_state(
    model: nn.Module, optimizer: Optimizer
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The optimizer's tensors by flat names, "state.NAME.exp_avg"; every process must call this.

    Returns:
        the tensors, gathered where they are sharded; the settings of its groups.
    """
    options = StateDictOptions(
        full_state_dict=True, cpu_offload=True, flatten_optimizer_state_dict=True
    )
    state: Any = get_optimizer_state_dict(model, optimizer, options=options)
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    return tensors, {name: value for name, value in state.items() if name not in tensors}


def load_optimizer_state(
    model: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Put the tensors of `optimizer_state` back; every process must call this."""
    # torch 2.13 cannot take flat names back for sharded weights, so it gets the nested form; the
    # groups' settings are the run's own and the same.
    state: dict[str, Any] = {}
    for key, value in tensors.items():
        name, _, part = key.removeprefix("state.").rpartition(".")
        state.setdefault(name, {})[part] = value.clone()  # not the file's own memory
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = [
        {**group, "params": [names[id(parameter)] for parameter in group["params"]]}
        for group in optimizer.param_groups
    ]
    set_optimizer_state_dict(
        model,
        optimizer,
        {"state": state, "param_groups": groups},
        options=StateDictOptions(full_state_dict=True),
    )
