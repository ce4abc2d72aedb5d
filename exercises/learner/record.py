"""What a learner has done: one small file beside the notebooks, written aside and renamed."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from exercises.learner.source import FOLDER


@dataclass
class Entry:
    """attempts: honest ones, with something written; hints: how many were shown; passed: when."""

    attempts: int = 0
    hints: int = 0
    passed: str = ""


def path() -> Path:
    """The file; `MINIBERT_PROGRESS` names another."""
    given = os.environ.get("MINIBERT_PROGRESS")
    return Path(given) if given else FOLDER / ".progress.json"


def read() -> dict[str, Entry]:
    """All entries by task id. A file that cannot be read is kept aside, never overwritten."""
    file = path()
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return {task: Entry(**entry) for task, entry in data.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError):
        with contextlib.suppress(OSError):
            os.replace(file, file.with_suffix(".unreadable.json"))
        return {}


def entry(task_id: str) -> Entry:
    """What is known of one task."""
    return read().get(task_id, Entry())


def write(task_id: str, new: Entry) -> None:
    """Keep what is new of one task."""
    file = path()
    entries = read() | {task_id: new}
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".progress-")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump({task: asdict(one) for task, one in sorted(entries.items())}, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    _rename(name, file)


def _rename(name: str, file: Path) -> None:
    """Put a closed file in another's place.

    Windows refuses while anybody reads the other, be it a second notebook or a virus scanner: that
    takes moments.
    """
    for pause in (0.01, 0.1, 1.0, None):
        try:
            os.replace(name, file)
            return
        except PermissionError:
            if pause is None:
                os.unlink(name)
                raise
            time.sleep(pause)


def today() -> str:
    """The date, as it is kept."""
    return datetime.date.today().isoformat()
