"""Weights that older versions of `transformers` pickled (`pytorch_model.bin`), on request."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import Tensor

from minibert.weights.files import write_tensors
from minibert.weights.folder import PICKLED_FILE, WEIGHTS_FILE

_BESIDE = ("*.json", "*.txt", "*.md")


def convert_pickled(folder: Path, out: Path) -> None:
    """Write a model folder with `pytorch_model.bin` again, with `model.safetensors` in its place.

    Only tensors are unpickled (`weights_only=True`): no code that the file may hold is run.

    Args:
        folder: the model's, with its configuration and tokenizer, which are copied.
        out: an empty folder.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds anything but tensors by name, or is damaged.
    """
    path = folder / PICKLED_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {PICKLED_FILE}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what pickle, zipfile and torch raise about a foreign file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path} is damaged or holds more than tensors ({reason:.200})") from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
    ):
        raise ValueError(f"{path} does not hold tensors by name, as transformers saves them")
    for pattern in _BESIDE:
        for beside in folder.glob(pattern):
            shutil.copyfile(beside, out / beside.name)
    write_tensors(out / WEIGHTS_FILE, state)
