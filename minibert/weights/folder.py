"""Model folders in Hugging Face layout: `config.json` and `model.safetensors`, in and out.

A folder saved here opens in `transformers`, and the other way round: see
`minibert.weights.hugging_face`. Here a model is its tensors by name and its configuration as a
dictionary; the classes that compute with them are in `minibert.model`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from minibert.weights import names
from minibert.weights.files import in_dtype, load_tensors, write_json, write_tensors
from minibert.weights.hugging_face import (
    ConfigFile,
    check_model_type,
    config_from_hugging_face,
    config_to_hugging_face,
    from_hugging_face,
    to_hugging_face,
)
from minibert.weights.typed_json import named_file, read_typed

Config = TypeVar("Config")

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
PICKLED_FILE = "pytorch_model.bin"
ADAPTER_CONFIG_FILE = "adapter_config.json"
ADAPTER_WEIGHTS_FILE = "adapter.safetensors"
FILES = ("*.json", "*.txt", "*.safetensors")  # all that is downloaded from a hub


def resolve(name_or_path: str | os.PathLike[str], pickled: bool = False) -> Path:
    """The folder of a model: see `minibert.weights.names`.

    Args:
        pickled: whether pickled weights are to be downloaded from a hub too.
    """
    return names.resolve(name_or_path, (*FILES, PICKLED_FILE) if pickled else FILES)


def read_config(folder: Path, kind: Callable[..., Config]) -> Config:
    """The configuration that a model folder states.

    Args:
        kind: what is made of it: `BertConfig`, which this room does not know.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming file and key, if it does not describe a BERT: see `ConfigFile`.
    """
    values = _read_config_file(folder)
    with named_file(folder / CONFIG_FILE):
        return kind(**config_from_hugging_face(values))


def read_architecture(folder: Path) -> str:
    """The class that a model folder was saved from; "BertModel" where nothing is said.

    Raises as `read_config` does.
    """
    values = _read_config_file(folder)
    with named_file(folder / CONFIG_FILE):
        check_model_type(values)
    return str((values.get("architectures") or ["BertModel"])[0])


def _read_config_file(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {CONFIG_FILE}: is it a model folder?")
    return read_typed(path, ConfigFile)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model folder under our names, float32.

    Raises:
        FileNotFoundError: if there is no safetensors file; pickled weights are not opened, because
            that can run whatever code is inside: see `minibert.weights.pickled`.
    """
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} has no {WEIGHTS_FILE} (pickled weights are not opened: to take the tensors "
            f"out of them, `minibert export {folder} --pickled --out FOLDER`, and use that)"
        )
    return from_hugging_face(load_tensors(path))


def write_model(
    folder: Path,
    config: Mapping[str, Any],
    state: Mapping[str, Tensor],
    architecture: str,
    dtype: torch.dtype,
    overwrite: bool,
) -> None:
    """Write a model folder in Hugging Face layout.

    Args:
        folder: made if it is not there.
        config: the fields of `BertConfig`.
        architecture: the class that `transformers` should open it with.
        dtype: of the stored tensors; float16 halves the file.
        overwrite: replace what is already there.

    Raises:
        ValueError: if the folder already holds a model or an adapter and `overwrite` is off.
    """
    stored = in_dtype(to_hugging_face(state), dtype)
    prepare(folder, overwrite)
    values = config_to_hugging_face(config, architecture)
    values["dtype"] = str(dtype).removeprefix("torch.")
    write_tensors(folder / WEIGHTS_FILE, stored)
    write_json(folder / CONFIG_FILE, values)
    # Left beside a whole model, an adapter would be read in its place.
    (folder / ADAPTER_CONFIG_FILE).unlink(missing_ok=True)
    (folder / ADAPTER_WEIGHTS_FILE).unlink(missing_ok=True)


def prepare(folder: Path, overwrite: bool) -> None:
    """Make a folder to write a model or an adapter into; refuse one that has either."""
    for name in (WEIGHTS_FILE, ADAPTER_CONFIG_FILE):
        if not overwrite and (folder / name).exists():
            raise ValueError(f"{folder} already holds a model ({name}): choose another folder")
    if folder.is_file():
        raise ValueError(f"{folder} is a file: choose a folder to write the model into")
    folder.mkdir(parents=True, exist_ok=True)


def fit(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    may_be_new: Iterable[str],
    may_be_cut: bool = False,
) -> dict[str, Tensor]:
    """The tensors of `found` that a model with the tensors `expected` takes.

    Args:
        expected: the model's own state.
        found: a checkpoint's tensors, of a bare encoder or of a model with any head. Heads that
            the model does not have are left.
        may_be_new: prefixes of tensors that start afresh where the checkpoint has none of them:
            heads.
        may_be_cut: the checkpoint may have more layers than the model, which was asked for.

    Returns:
        tensors under the model's names; those that start afresh are not among them.

    Raises:
        ValueError: naming what is missing, what has another shape, and what is there that this
            model would have to compute with and cannot.
    """
    has_prefix = any(name.startswith("bert.") for name in expected)
    found_prefix = any(name.startswith("bert.") for name in found)
    if has_prefix and not found_prefix:
        found = {f"bert.{name}": tensor for name, tensor in found.items()}
    elif found_prefix and not has_prefix:
        found = {name.removeprefix("bert."): tensor for name, tensor in found.items()}
    taken = {name: found[name] for name in expected if name in found}
    # Half a head is a damaged file, not a new head.
    new = tuple(
        prefix for prefix in may_be_new if not any(name.startswith(prefix) for name in taken)
    )
    missing = [name for name in expected if name not in found and not name.startswith(new)]
    problems = [
        f"{name} is {tuple(taken[name].shape)}, not {tuple(expected[name].shape)}"
        for name in taken
        if taken[name].shape != expected[name].shape
    ]
    if missing:
        problems.append(f"missing: {', '.join(missing)}")
    body = tuple(
        f"{prefix}{part}." for prefix in ("", "bert.") for part in ("embeddings", "encoder")
    )
    unknown = [name for name in found if name.startswith(body) and name not in expected]
    if unknown and not may_be_cut:
        problems.append(f"not in this model: {', '.join(unknown)}")
    if "mlm.dense.weight" in expected:
        problems += [
            f"{name} is not the {what}, and this model has no other"
            for name, what in (
                ("mlm.decoder.weight", "token matrix"),
                ("mlm.decoder.bias", "bias mlm.bias"),
            )
            if name in found
        ]
    if problems:
        raise ValueError(f"the checkpoint does not fit this model: {'; '.join(problems)}")
    return taken
