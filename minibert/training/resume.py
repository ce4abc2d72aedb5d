"""The state of a training run on disk: what a killed run needs to go on, bit for bit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer

from minibert.data.strict_json import dump_json, parse_json
from minibert.training import distributed
from minibert.weights.files import read_json, write_json, write_tensors
from minibert.weights.folder import CONFIG_FILE

SETTINGS_FILE = "training_config.json"
_FOLDER = "resume"


def save(output: Path, model: nn.Module, optimizer: Optimizer, progress: dict[str, Any]) -> None:
    """Write weights, optimizer state and progress to `output/resume`, all or nothing.

    The folder is written aside and renamed, and the old one goes only then: whenever the process
    dies, one whole checkpoint is there. Every process must call this; one writes.
    """
    weights = full_state_dict(model)
    flat = StateDictOptions(
        full_state_dict=True, cpu_offload=True, flatten_optimizer_state_dict=True
    )
    state: Any = get_optimizer_state_dict(model, optimizer, options=flat)
    if distributed.is_main():
        aside, final, old = (output / f"{_FOLDER}{end}" for end in (".new", "", ".old"))
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        write_tensors(aside / "model.safetensors", weights)
        tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
        write_tensors(aside / "optimizer.safetensors", tensors)
        settings = {name: value for name, value in state.items() if name not in tensors}
        write_json(aside / "progress.json", {**progress, "optimizer": settings})
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
            final.rename(old)
        aside.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    distributed.wait()


def full_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The model's tensors, gathered where they are sharded; every process must call this."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    # Its type allows what a full state of ours never holds: sharded tensors, numbers, dictionaries.
    return cast("dict[str, Tensor]", get_model_state_dict(model, options=options))


def find(output: Path) -> Path | None:
    """The newest whole checkpoint in a run's folder, if there is one."""
    for end in ("", ".old"):
        folder = output / f"{_FOLDER}{end}"
        if (folder / "progress.json").is_file():
            return folder
    return None


def read_progress(folder: Path) -> dict[str, Any]:
    """The numbers that were given to `save`."""
    progress: dict[str, Any] = read_json(folder / "progress.json")
    return progress


def restore(folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Put weights and optimizer state back; every process must call this."""
    load_full_state_dict(model, load_file(folder / "model.safetensors"))
    # On disk flat, "state.NAME.exp_avg". torch 2.13 cannot take that back for sharded weights, so
    # it gets the nested form; the groups' settings are the run's own and the same.
    state: dict[str, Any] = {}
    for key, value in load_file(folder / "optimizer.safetensors").items():
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


def load_full_state_dict(model: nn.Module, weights: dict[str, Any]) -> None:
    """The inverse of `full_state_dict`; every process must call this."""
    set_model_state_dict(model, weights, options=StateDictOptions(full_state_dict=True))


def remove(output: Path) -> None:
    """Delete the checkpoints of a finished run."""
    if distributed.is_main():
        for end in ("", ".new", ".old"):
            shutil.rmtree(output / f"{_FOLDER}{end}", ignore_errors=True)


def check_output(output: Path, resume: bool) -> None:
    """Refuse to write where something is already.

    Raises:
        ValueError: saying how to go on, or that the run is finished.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file: choose a folder")
    found = find(output)
    if resume and (output / CONFIG_FILE).is_file() and found is None:
        raise ValueError(f"{output} holds a finished model: there is nothing to resume")
    if resume or not output.is_dir() or not any(output.iterdir()):
        return
    hint = "choose another folder"
    if found is not None:
        step = read_progress(found)["step"]
        hint = f"pass resume=True to go on from step {step}, or another output_dir"
    elif (output / SETTINGS_FILE).is_file() and not (output / CONFIG_FILE).is_file():
        hint = "pass resume=True to start the run in it again, or another output_dir"
    raise ValueError(f"{output} is not empty: {hint}")


def check_same_run(output: Path, progress: dict[str, Any], run: dict[str, Any]) -> None:
    """Refuse to go on with other data, another model or other settings than before.

    Args:
        output: the run's folder.
        progress: what its checkpoint says, with `run` of then in it (older ones lack it).
        run: what decides the course of the run, by name, now.

    Raises:
        ValueError: naming the first difference.
    """
    now = parse_json(dump_json(run))  # as it would be read back
    then = progress.get("run", now)
    for name in now:
        if then.get(name) == now[name]:
            continue
        change = f"{name} {then.get(name)}, not {now[name]}"
        if name == "data":
            change = "other data (texts, tokenizer or lengths)"
        raise ValueError(
            f"{output} was started with {change}: resume it with what it was started with, "
            "or choose another output_dir"
        )
