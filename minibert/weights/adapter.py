"""Adapters on disk: `adapter.safetensors` and `adapter_config.json`, without their base."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

import torch
from torch import Tensor

from minibert.weights.files import in_dtype, load_tensors, write_json, write_tensors
from minibert.weights.folder import (
    ADAPTER_CONFIG_FILE,
    ADAPTER_WEIGHTS_FILE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    prepare,
    resolve,
)
from minibert.weights.hugging_face import config_to_hugging_face
from minibert.weights.typed_json import Within, read_typed


class AdapterFile(TypedDict):
    """What `adapter_config.json` holds; see `minibert.model.lora.Adapter`."""

    base: Annotated[str, Within(1, 4096)]
    rank: Annotated[int, Within(1, 2**16)]
    alpha: float


def write_adapter(
    folder: Path,
    adapter: Mapping[str, Any],
    config: Mapping[str, Any],
    state: Mapping[str, Tensor],
    architecture: str,
    dtype: torch.dtype,
    overwrite: bool,
) -> None:
    """Write an adapter and what was trained beside it.

    Args:
        adapter: base, rank and alpha.
        state: the adapter's matrices, the pooler and the head.
        config, architecture, dtype, overwrite, and errors: as in `write_model`.
    """
    stored = in_dtype(state, dtype)
    prepare(folder, overwrite)
    write_tensors(folder / ADAPTER_WEIGHTS_FILE, stored)
    write_json(folder / CONFIG_FILE, config_to_hugging_face(config, architecture))
    write_json(folder / ADAPTER_CONFIG_FILE, dict(adapter))
    # What stood here before is replaced, not left beside.
    (folder / WEIGHTS_FILE).unlink(missing_ok=True)


def read_adapter_config(folder: Path) -> dict[str, Any] | None:
    """Base, rank and alpha of the adapter in a folder; `None` where it holds none.

    Raises:
        ValueError: if one of the three is not there, or not what `AdapterFile` declares.
    """
    path = folder / ADAPTER_CONFIG_FILE
    if not path.is_file():
        return None
    return read_typed(path, AdapterFile)


def read_adapter(folder: Path) -> tuple[dict[str, Any], Path, dict[str, Tensor]] | None:
    """What `write_adapter` wrote: base, rank and alpha; the base's folder; the tensors.

    Returns:
        `None` where the folder holds no adapter.

    Raises:
        FileNotFoundError: if the base cannot be found.
        ValueError: if base, rank or alpha is not said.
    """
    adapter = read_adapter_config(folder)
    if adapter is None:
        return None
    try:
        base = _base_folder(adapter["base"], folder)
    except OSError as error:
        path, reason = folder / ADAPTER_CONFIG_FILE, error.strerror or error
        raise FileNotFoundError(f"{path}: the adapter needs its base: {reason}") from None
    return adapter, base, load_tensors(folder / ADAPTER_WEIGHTS_FILE)


def _base_folder(base: str, folder: Path) -> Path:
    """A base given as a path relative to the adapter is found beside it, wherever both moved."""
    beside = folder / base
    if ("/" in base or os.sep in base) and beside.is_dir():
        return beside
    return resolve(base)
