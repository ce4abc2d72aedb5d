"""What was handed in: a row for each learner, whatever it is, and the bytes of its notebooks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from exercises.learner.note import printable

LARGEST = 10 * 2**20  # bytes of a notebook
MOST = 20  # notebooks of one learner
# What systems leave in folders; nobody hands it in.
CLUTTER = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".ipynb_checkpoints", ".git"}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz", ".bz2"}


class UnreadableError(ValueError):
    """A file that is no notebook; the message says why."""


@dataclass(frozen=True)
class Submission:
    """A learner's name and notebooks. notes: what else was handed in, and what is wrong with it."""

    name: str
    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def find_submissions(folder: Path) -> list[Submission]:
    """The submissions in a folder, sorted by name: a learner for each file or folder in it.

    Raises:
        FileNotFoundError: if there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder of submissions")
    found: dict[str, tuple[list[Path], list[str]]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.lower() in CLUTTER:
            continue
        name = path.name if path.is_dir() and not path.is_symlink() else path.stem
        paths, notes = found.setdefault(name, ([], []))
        inside, said = _notebooks(path)
        paths += inside
        notes += said
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no submission: NAME.ipynb, or a folder NAME with notebooks in it"
        )
    taken: set[str] = set()
    submissions = []
    for name, (paths, notes) in found.items():
        shown, number = printable(name), 2
        while shown in taken:  # two names that look alike, in different encodings
            shown, number = f"{printable(name)} ({number})", number + 1
        taken.add(shown)
        submissions.append(Submission(shown, tuple(paths), tuple(notes)))
    return submissions


def _notebooks(path: Path) -> tuple[list[Path], list[str]]:
    """The notebooks that a file or folder is or holds, and what is wrong with it."""
    name, suffix = printable(path.name), path.suffix.lower()
    if path.is_symlink():
        return [], [f"{name}: a symbolic link, not a notebook."]
    if not path.is_dir():
        if suffix == ".ipynb":
            return [path], []
        if suffix in ARCHIVES:
            return [], [f"{name}: an archive. Unpack it into a folder, and grade again."]
        if suffix == ".py":
            return [], [f"{name}: Python, but no notebook: what is graded is the .ipynb file."]
        return [], [f"{name}: no notebook: what is graded is the .ipynb file."]
    inside = list(_files(path))
    notebooks = [p for p in inside if p.suffix.lower() == ".ipynb"]
    if len(notebooks) > MOST:
        said = f"{name}: {len(notebooks)} notebooks, of which the first {MOST} were read."
        return notebooks[:MOST], [said]
    if notebooks:
        return notebooks, []
    holds = ", ".join(printable(p.name) for p in inside[:5])
    said = f"a folder without a notebook: it holds {holds}" if holds else "an empty folder"
    return [], [f"{name}: {said}."]


def _files(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder):  # not through links
        folders[:] = sorted(name for name in folders if name.lower() not in CLUTTER)
        yield from (Path(base, name) for name in sorted(files) if name.lower() not in CLUTTER)


def read_bytes(path: Path) -> bytes:
    """A regular file's bytes, never through a link.

    Raises:
        UnreadableError: if it is a link, no regular file, or larger than a notebook may be.
    """
    # Not waiting: opening a pipe that nobody writes to would wait for ever. Windows has no such
    # pipes, and knows text from bytes.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise UnreadableError("a symbolic link, not a notebook")
    try:
        handle = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise UnreadableError(
            "a symbolic link, not a notebook" if path.is_symlink() else str(error.strerror)
        ) from None
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("not a regular file")
        if status.st_size > LARGEST:
            size = status.st_size / 2**20
            raise UnreadableError(f"{size:.0f} MB: a notebook has at most {LARGEST / 2**20:.0f} MB")
        return stream.read(LARGEST + 1)
