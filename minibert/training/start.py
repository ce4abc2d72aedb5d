"""A run that fails before it has done anything leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from minibert.training import checkpoints, distributed
from minibert.training.log import LOG_FILE
from minibert.weights.folder import CONFIG_FILE


@contextmanager
def cleared_if_not_begun(output: Path) -> Iterator[None]:
    """Remove what a start has written, if it fails before the first entry of its log.

    So the same command, repaired, is not refused for a folder that is not empty. What was there
    before is left alone, and so is whatever a run has come to: log, checkpoint or model.
    """
    was_there = output.is_dir()
    is_ours = not _contents(output)
    try:
        yield
    except BaseException:
        if is_ours and distributed.is_main() and not _has_begun(output):
            for path in _contents(output):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if not was_there:
                with suppress(OSError):  # something is in it that is not ours
                    output.rmdir()
        raise


def _contents(output: Path) -> list[Path]:
    """What is in a folder; a hidden file of a lock is not ours to remove."""
    if not output.is_dir():
        return []
    return [path for path in output.iterdir() if not path.name.startswith(".")]


def _has_begun(output: Path) -> bool:
    log = output / LOG_FILE
    return (
        (log.is_file() and log.stat().st_size > 0)
        or (output / CONFIG_FILE).is_file()
        or checkpoints.find(output) is not None
    )
