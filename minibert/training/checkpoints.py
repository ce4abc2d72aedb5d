"""Checkpoints of a run on disk: whole, checked by SHA-256, and the one before still there.

`output/resume` holds the newest: weights, optimizer state, the best weights so far and
`progress.json` with the SHA-256 of each file and of itself. `output/resume.old` is the one before
it, and is taken where the newest turns out to be damaged.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim import Optimizer

from minibert.data.strict_json import dump_json
from minibert.training import distributed, states
from minibert.weights.files import load_tensors, read_json, sha256, write_json, write_tensors

BEST_FILE = "best.safetensors"
_WEIGHTS_FILE, _OPTIMIZER_FILE = "model.safetensors", "optimizer.safetensors"
_PROGRESS_FILE = "progress.json"
_NEWEST, _BEFORE, _UNFINISHED = "resume", "resume.old", "resume.new"


# All that earlier versions wrote, which had no digests.
_EARLIER = {"step", "best", "evaluations_since_best", "run", "optimizer"}


class Damaged(ValueError):
    """A checkpoint is not what was saved."""


# ---------------------------------------------------------------------- writing


def save(
    output: Path,
    model: nn.Module,
    optimizer: Optimizer,
    progress: dict[str, Any],
    best_digest: str | None = None,
) -> None:
    """Write weights, optimizer state and progress to `output/resume`, all or nothing.

    The folder is written aside and renamed, and what was the newest becomes the one before:
    whenever the process dies, one whole checkpoint is there. Every process must call this; one
    writes.

    Args:
        output: the run's folder.
        model, optimizer: their state is saved.
        progress: numbers to go on from, among them "step".
        best_digest: what `write_best` returned, where there are best weights: they are kept in the
            checkpoint too, because a later evaluation replaces those of the run.
    """
    weights = states.full_state_dict(model)
    tensors, settings = states.optimizer_state(model, optimizer)
    if distributed.is_main():
        try:
            files = {_WEIGHTS_FILE: weights, _OPTIMIZER_FILE: tensors}
            _write(output, files, {**progress, "optimizer": settings}, best_digest)
        except OSError:  # a full disk: give back what is of no use
            shutil.rmtree(output / _UNFINISHED, ignore_errors=True)
            raise
    distributed.wait()


def _write(
    output: Path,
    files: dict[str, dict[str, Tensor]],
    progress: dict[str, Any],
    best_digest: str | None,
) -> None:
    aside, newest, before = (output / name for name in (_UNFINISHED, _NEWEST, _BEFORE))
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    digests = {}
    for name, tensors in files.items():
        write_tensors(aside / name, tensors)
        digests[name] = sha256(aside / name)
    if best_digest is not None:
        _keep_best(output / BEST_FILE, aside / BEST_FILE, newest / BEST_FILE)
        digests[BEST_FILE] = best_digest
    progress = {**progress, "sha256": digests}
    digests[_PROGRESS_FILE] = _digest(progress)
    write_json(aside / _PROGRESS_FILE, progress)
    if newest.exists():
        shutil.rmtree(before, ignore_errors=True)
        newest.rename(before)
    aside.rename(newest)


def write_best(output: Path, state: dict[str, Tensor]) -> str | None:
    """Keep the best weights so far in the run's folder; every process calls this, one writes.

    Returns:
        their SHA-256, for `save` and `read_best`; `None` where another process wrote.
    """
    if not distributed.is_main():
        return None
    write_tensors(output / BEST_FILE, state)
    return sha256(output / BEST_FILE)


def read_best(output: Path, digest: str | None) -> dict[str, Tensor]:
    """The weights that `write_best` kept.

    Args:
        digest: what it returned; not compared where not given.

    Raises:
        Damaged: if the file is another one now.
    """
    if digest is not None:
        _check_file(output / BEST_FILE, digest)
    return load_tensors(output / BEST_FILE)


def remove(output: Path) -> None:
    """Delete the checkpoints and the best weights of a finished run, and what a kill left."""
    if not distributed.is_main():
        return
    for name in (_UNFINISHED, _BEFORE):
        shutil.rmtree(output / name, ignore_errors=True)
    (output / BEST_FILE).unlink(missing_ok=True)  # the newest checkpoint has it too
    for path in output.iterdir():
        if is_unfinished(path) and path.is_file():
            path.unlink(missing_ok=True)
    if (output / _NEWEST).exists():  # at once: half a checkpoint would count as a damaged one
        (output / _NEWEST).rename(output / _UNFINISHED)
        shutil.rmtree(output / _UNFINISHED, ignore_errors=True)


def is_unfinished(path: Path) -> bool:
    """Whether it was being written when the process died, see `weights.files`."""
    return re.fullmatch(r"\.(.+\.\d+|tmp\w{6})", path.name) is not None


def _keep_best(source: Path, target: Path, before: Path) -> None:
    """Link the best weights into a checkpoint; copy them where the one before has that very file.

    One flipped bit would be in both.
    """
    if before.is_file() and before.samefile(source):
        shutil.copyfile(source, target)
    else:
        _link(source, target)


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _digest(progress: dict[str, Any]) -> str:
    """SHA-256 of what `progress.json` says, its own digest left out."""
    digests = {k: v for k, v in progress.get("sha256", {}).items() if k != _PROGRESS_FILE}
    return hashlib.sha256(dump_json({**progress, "sha256": digests}).encode()).hexdigest()


# ---------------------------------------------------------------------- reading


def find(output: Path) -> Path | None:
    """The newest checkpoint in a run's folder, if there is one; it may be damaged."""
    return next(iter(_candidates(output)), None)


def _candidates(output: Path) -> list[Path]:
    folders = (output / name for name in (_NEWEST, _BEFORE))
    return [folder for folder in folders if (folder / _PROGRESS_FILE).is_file()]


def open_newest(output: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that is still what was saved, and its progress.

    Warns where that is the one before the newest.

    Raises:
        Damaged: if there are checkpoints and none of them is whole.
    """
    damages: list[Damaged] = []
    for folder in _candidates(output):
        try:
            progress = read_progress(folder)
            check_files(folder, progress)
        except Damaged as error:
            damages.append(error)
            continue
        if damages and distributed.is_main():
            warnings.warn(
                f"{damages[0]}: going on from the checkpoint before it, of step {progress['step']}",
                stacklevel=2,
            )
        return folder, progress
    if damages:
        told = "; ".join(map(str, damages))
        raise Damaged(f"{told}: no whole checkpoint is left, start again in another output_dir")
    return None


def read_progress(folder: Path) -> dict[str, Any]:
    """The numbers that were given to `save`.

    Raises:
        Damaged: if the file is not what was written.
    """
    path = folder / _PROGRESS_FILE
    try:
        progress = read_json(path)
    except (ValueError, OSError) as error:
        raise Damaged(f"{path} is damaged ({error})") from None
    if not isinstance(progress, dict):
        raise Damaged(f"{path} is damaged (it is not a JSON object)")
    kinds = {"step": int, "evaluations_since_best": int, "best": int | float | None}
    for name, kind in kinds.items():
        if not isinstance(progress.get(name, ""), kind):
            raise Damaged(f"{path} is damaged (no {name!r} in it)")
    digests = progress.get("sha256", {})
    if "sha256" not in progress and progress.keys() <= _EARLIER:
        return progress
    if not isinstance(digests, dict) or digests.get(_PROGRESS_FILE) != _digest(progress):
        raise Damaged(f"{path} was changed after it was saved (its SHA-256 differs)")
    return progress


def check_files(folder: Path, progress: dict[str, Any]) -> None:
    """Compare every file of a checkpoint with what was saved.

    Raises:
        Damaged: naming the file.
    """
    digests = progress.get("sha256") or {}
    for name, digest in digests.items():
        if name != _PROGRESS_FILE:
            _check_file(folder / name, digest)
    if not digests:
        for name in (_WEIGHTS_FILE, _OPTIMIZER_FILE):
            try:
                load_file(folder / name)
            except Exception as error:  # safetensors has errors of several kinds
                raise Damaged(f"{folder / name} is damaged ({error})") from None


def _check_file(path: Path, digest: str) -> None:
    try:
        found = sha256(path)
    except OSError as error:
        raise Damaged(f"{path} cannot be read ({error.strerror})") from None
    if found != digest:
        raise Damaged(f"{path} is damaged: its SHA-256 is not that of the file that was saved")


def restore(folder: Path, model: nn.Module, optimizer: Optimizer) -> None:
    """Put weights and optimizer state back; every process must call this."""
    states.load_full_state_dict(model, load_file(folder / _WEIGHTS_FILE))
    states.load_optimizer_state(model, optimizer, load_file(folder / _OPTIMIZER_FILE))


def restore_best(output: Path, folder: Path, progress: dict[str, Any]) -> str | None:
    """Put the best weights of a checkpoint back into the run's folder.

    Returns:
        their SHA-256; `None` where there are none.
    """
    digest: str | None = progress.get("sha256", {}).get(BEST_FILE)
    if digest is not None and distributed.is_main():
        aside = output / f".{BEST_FILE}.{os.getpid()}"
        aside.unlink(missing_ok=True)
        _link(folder / BEST_FILE, aside)
        os.replace(aside, output / BEST_FILE)
        aside.unlink(missing_ok=True)  # a rename onto another name of the same file does nothing
    return digest
