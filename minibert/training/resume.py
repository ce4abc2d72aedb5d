"""Whether a folder may be written, and whether the run in it is the one to go on with."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minibert.data.strict_json import dump_json, parse_json
from minibert.training import checkpoints, distributed
from minibert.training.lock import LOCK_FILE, check_is_folder, is_ours
from minibert.weights.files import read_json
from minibert.weights.folder import CONFIG_FILE

SETTINGS_FILE = "training_config.json"
# The disk, the user's share of it, or the size that a file may have.
_FULL = {getattr(errno, name, errno.ENOSPC) for name in ("ENOSPC", "EDQUOT", "EFBIG")}


def check_output(output: Path, resume: bool) -> None:
    """Refuse to write where something is already, and to go on where there is nothing.

    Raises:
        ValueError: saying how to go on, or that the run is finished.
    """
    check_is_folder(output)
    entries = list(output.iterdir()) if output.is_dir() else []
    is_empty = all(e.name == LOCK_FILE or checkpoints.is_unfinished(e) for e in entries)
    found = checkpoints.find(output)
    is_run, is_model = ((output / name).is_file() for name in (SETTINGS_FILE, CONFIG_FILE))
    if is_wanted(resume):
        if found is None and is_model:
            if is_run and is_ours(output):  # a kill may have come while the last were removed
                checkpoints.remove(output)
            raise ValueError(f"{output} holds a finished model: there is nothing to resume")
        if found is None and not is_run and not distributed.is_restart():
            raise ValueError(
                f"there is nothing to resume: no run in {output} (is output_dir misspelt?); "
                "to start a new run, leave resume=True out"
            )
        return
    if is_empty:
        return
    hint = "choose another folder"
    if found is not None:
        try:
            step = f"step {checkpoints.read_progress(found)['step']}"
        except checkpoints.Damaged:
            step = "its last checkpoint"
        hint = f"pass resume=True to go on from {step}, or another output_dir"
    elif is_run and not is_model:
        hint = "pass resume=True to start the run in it again, or another output_dir"
    raise ValueError(f"{output} is not empty: {hint}")


def is_wanted(resume: bool) -> bool:
    """Whether to go on: as the user says, and where torchrun starts failed processes again."""
    return resume or distributed.is_restart()


@contextmanager
def explained(output: Path) -> Iterator[None]:
    """Within, a full disk is told with what is saved already, and how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        found = checkpoints.find(output)
        then = "nothing was saved yet"
        if found is not None:
            step = checkpoints.read_progress(found)["step"]
            then = f"what was saved stays: make room, and go on from step {step} with resume=True"
        told = f"{error.strerror}; {then}"
        raise OSError(error.errno, told, error.filename or str(output)) from None


def open_checkpoint(output: Path, run: dict[str, Any]) -> tuple[Path, dict[str, Any]] | None:
    """The checkpoint to go on from and its progress: see `checkpoints.open_newest`.

    Says so where the run was killed before its first one, and starts again.

    Args:
        output: the run's folder.
        run: what decides the course of the run, by name: compared with what it was before.

    Raises:
        ValueError: if no checkpoint is whole, or if they are of another run.
    """
    found = checkpoints.open_newest(output)
    if found is None:
        _warn(f"no checkpoint was saved in {output} yet: the run starts again at step 0")
        return None
    _check_same_run(output, found[1], run)
    return found


def check_same_settings(output: Path, name: str, now: dict[str, Any]) -> None:
    """Refuse to go on with settings that decide which weights are the best, where they changed.

    Args:
        output: the run's folder.
        name: of the file in it that says what they were.
        now: what they are.

    Raises:
        ValueError: naming the first that differs.
    """
    path = output / name
    then = read_json(path) if path.is_file() else {}
    if not isinstance(then, dict):
        raise ValueError(f"{path} is damaged (it is not a JSON object)")
    for key, value in now.items():
        if then.get(key, value) != value:
            raise _other_run(output, f"{key} {then[key]}, not {value}")


def _other_run(output: Path, change: str) -> ValueError:
    return ValueError(
        f"{output} was started with {change}: resume it with what it was started with, "
        "or choose another output_dir"
    )


def _warn(message: str) -> None:
    """Once, not from every process."""
    if distributed.is_main():
        warnings.warn(message, stacklevel=3)


def _check_same_run(output: Path, progress: dict[str, Any], run: dict[str, Any]) -> None:
    """Refuse to go on with other data, another model or other settings than before.

    Raises:
        ValueError: naming the first difference.
    """
    now = parse_json(dump_json(run))  # as it would be read back
    then = progress.get("run", now)
    if "sha256" not in progress:
        _warn(
            f"the checkpoint in {output} is of an older version: whether its files and the data "
            "are the same is not checked"
        )
        then = {**now, **then, "data": now["data"]}
    for name in now:
        if then.get(name) == now[name]:
            continue
        change = f"{name} {then.get(name)}, not {now[name]}"
        if name == "data":
            other = [part for part in now[name] if then.get(name, {}).get(part) != now[name][part]]
            change = f"other data ({', '.join(other)}: texts, labels, tokenizer or lengths)"
        raise _other_run(output, change)
