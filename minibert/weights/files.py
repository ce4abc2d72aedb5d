"""JSON and tensors on disk, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from minibert.data.strict_json import dump_json, parse_json

LARGEST_JSON = 2**28  # bytes; the tokenizer.json of a large vocabulary has a tenth of it
_IS_POSIX = os.name == "posix"


class NotFinite(ValueError):
    """Tensors that hold NaN or infinity were to be saved."""


def read_json(path: Path) -> Any:
    """A JSON file's contents.

    Raises:
        ValueError: if it is no JSON, naming the line, or has more than `LARGEST_JSON` bytes.
    """
    if (size := path.stat().st_size) > LARGEST_JSON:
        raise ValueError(f"{path} has {size:,} bytes, and at most {LARGEST_JSON:,} are read")
    try:
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not JSON (it is not UTF-8 text)") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, values: Any) -> None:
    """Write JSON aside, synced and renamed: a reader never sees half a file."""
    write_text(path, dump_json(values, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file in the same way."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, float32.

    Raises:
        ValueError: if the file is damaged, or holds what is no number.
    """
    try:
        tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or not a safetensors file ({error})") from None
    if (name := not_finite(tensors)) is not None:
        raise ValueError(
            f"{path}: {name} holds NaN or infinity, and nothing can be computed with it: "
            "its training went astray, take an earlier checkpoint"
        )
    return tensors


def not_finite(state: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds NaN or infinity, if there is one."""
    return next((name for name, tensor in state.items() if not tensor.isfinite().all()), None)


def in_dtype(state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """The same tensors in another precision.

    Raises:
        ValueError: if one holds NaN or infinity, or a number that is too large for it.
    """
    cast = {name: tensor.to(dtype) for name, tensor in state.items()}
    if (name := not_finite(cast)) is not None:
        if not_finite(state) is not None:
            raise NotFinite(f"{not_finite(state)} holds NaN or infinity")
        raise ValueError(
            f"{name} holds {float(state[name].abs().max()):.3g}, too large for "
            f"{str(dtype).removeprefix('torch.')}: choose dtype=bfloat16 or float32"
        )
    return cast


def write_tensors(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write tensors to a safetensors file in the same way.

    Raises:
        NotFinite: if one of them holds NaN or infinity; nothing is written then.
    """
    if (name := not_finite(state)) is not None:
        raise NotFinite(f"{name} holds NaN or infinity")
    plain = _unshared({name: tensor.detach().cpu() for name, tensor in state.items()})
    with written_aside(path) as aside:
        save_file(plain, aside, metadata={"format": "pt"})


def _unshared(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of which each has its memory for itself, copied only where one has not."""
    plain, seen = {}, set[int]()
    for name, tensor in state.items():
        storage = tensor.untyped_storage()
        is_whole = tensor.is_contiguous() and storage.nbytes() == tensor.nbytes
        is_own = is_whole and storage.data_ptr() not in seen
        plain[name] = tensor if is_own else tensor.contiguous().clone()
        seen.add(storage.data_ptr())
    return plain


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A name for a file to be written that is then put in the place of `path`.

    Raises:
        OSError: with the file's name, where the disk is full or may not be written; nothing of the
            new file is left then, and the old one stays.
    """
    aside = _aside(path)
    try:
        with named_errors(path):
            yield aside
            replace(aside, path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Within, an error of the system that names no file names this one; so does safetensors'."""
    try:
        yield
    except SafetensorError as error:
        told = re.search(r"I/O error: (.*) \(os error (\d+)\)", str(error))
        if told is None:
            raise
        raise OSError(int(told[2]), told[1], str(path)) from None
    except OSError as error:
        name = error.filename if error.filename not in (None, str(_aside(path))) else str(path)
        raise OSError(error.errno, error.strerror or str(error), name) from None


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def replace(aside: Path, path: Path) -> None:
    """Put a file that is complete in the place of `path`, so that a crash leaves one of both."""
    if _IS_POSIX:
        # safetensors makes files that only their owner may read: give them the usual permissions.
        umask = os.umask(0)
        os.umask(umask)
        aside.chmod(0o666 & ~umask)
    with aside.open("r+b") as file:  # Windows syncs only what is open for writing
        os.fsync(file.fileno())
    os.replace(aside, path)
    if _IS_POSIX:  # elsewhere a folder cannot be opened, and the rename is not lost
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
