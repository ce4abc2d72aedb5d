"""What a name stands for: the folder of a model or a tokenizer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from minibert.data.download import fetch
from minibert.data.registry import SOURCES

SHIPPED = Path(__file__).parents[1] / "checkpoints"


def resolve(name_or_path: str | os.PathLike[str], files: Sequence[str]) -> Path:
    """The folder behind a name: local, shipped ("course-en"), registered ("minilm"), or a hub id.

    Args:
        files: name patterns of the files that are needed: what is downloaded from the hub.

    Raises:
        FileNotFoundError: if nothing has that name; the message says what was tried.
    """
    path, name = Path(name_or_path).expanduser(), str(name_or_path)
    if path.is_dir():
        return path
    if path.is_file():
        raise FileNotFoundError(f"{name} is a file: pass the folder that holds it")
    if (SHIPPED / name).is_dir() and Path(name).name == name:
        return SHIPPED / name
    if name in SOURCES and SOURCES[name].kind == "weights":
        return fetch(name)
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise FileNotFoundError(f"there is no folder {name}: check the path")
    return _from_hub(name, files)


def _known() -> str:
    shipped = [path.name for path in SHIPPED.iterdir() if path.is_dir()] if SHIPPED.is_dir() else []
    registered = [name for name, source in SOURCES.items() if source.kind == "weights"]
    return ", ".join(sorted({*shipped, *registered}))


def _from_hub(name: str, files: Sequence[str]) -> Path:
    """A hub model's folder, out of the hub's own cache or the network."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise FileNotFoundError(
            f"{name} is no local folder and no known model (known: {_known()}): to look on the "
            "Hugging Face hub, pip install huggingface_hub"
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except Exception as error:  # no network, no such model, a malformed id: all the same to a user
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        raise FileNotFoundError(
            f"{name} is no local folder and no known model (known: {_known()}), and the Hugging "
            f"Face hub did not give it ({type(error).__name__}: {reason}): check the name, or the "
            "network"
        ) from None
