"""A run's folder belongs to one process at a time, until all that makes the run has been done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from minibert.training import checkpoints

LOCK_FILE = ".lock"


@dataclass
class Claim:
    """That a folder is ours.

    is_nested: it was so before, because there is more to do after the training: evaluation, card.
    is_trained: training is over, and the checkpoints can go when all is done.
    """

    is_nested: bool
    is_trained: bool = False


_ours: dict[Path, Claim] = {}


@contextmanager
def claimed(output: Path) -> Iterator[Claim]:
    """Keep other processes out of a run's folder; under torchrun the first process does.

    Claims of one process nest. When the outermost ends without an error and the run has been
    trained, its checkpoints are removed: until then, whatever is cut short can be resumed. The
    system frees the lock of a process that died. A folder that is made here and stays empty is
    removed.

    Raises:
        ValueError: if another process holds the folder, or if it is a file.
    """
    place = output.absolute()
    if place in _ours:
        outer = _ours[place]
        inner = Claim(is_nested=True)
        yield inner
        outer.is_trained = outer.is_trained or inner.is_trained
        return
    with ExitStack() as stack:
        if int(os.environ.get("RANK", 0)) == 0:
            stack.enter_context(_locked(output))
        claim = _ours[place] = Claim(is_nested=False)
        stack.callback(_ours.pop, place)
        try:
            yield claim
        except KeyboardInterrupt as error:
            if claim.is_trained and not str(error):
                raise KeyboardInterrupt(
                    f"the model in {output} is trained and saved; to finish its evaluation, go on "
                    f"with resume=True and the same output folder {output}"
                ) from None
            raise
        if claim.is_trained:
            checkpoints.remove(output)


def is_ours(output: Path) -> bool:
    """Whether this process has claimed a folder."""
    return output.absolute() in _ours


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    check_is_folder(output)
    made = [folder for folder in (output, *output.parents) if not folder.exists()]
    output.mkdir(parents=True, exist_ok=True)
    path = output / LOCK_FILE
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"another process is training in {output}: wait until it ends, or choose another "
            "output_dir"
        ) from None
    try:
        yield
    finally:
        with suppress(OSError):  # Windows: not while it is open; filelock removes it there
            path.unlink()
        lock.release()
        for folder in made:
            with suppress(OSError):  # something is in it
                folder.rmdir()


def check_is_folder(output: Path) -> None:
    """Refuse a file where a folder is to be.

    Raises:
        ValueError: if it is one.
    """
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file: choose a folder")
