"""What was handed in: a row for each learner, whatever it is, and the bytes of its notebooks."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from exercises.grader.learners import NOBODY, Names, Person, shown_names
from exercises.learner.note import printable

LARGEST = 10 * 2**20  # bytes of a notebook
MOST = 20  # notebooks of one learner
DEEPEST = 10  # folders in folders that are looked into, and
MOST_FILES = 1000  # files in them
# What systems leave in folders; nobody hands it in.
CLUTTER = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".ipynb_checkpoints", ".git"}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz", ".bz2"}


class UnreadableError(ValueError):
    """A file that is no notebook; the message says why."""


@dataclass(frozen=True)
class Submission:
    """A learner and the notebooks. notes: what else was handed in, and what is wrong with it."""

    name: str
    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    person: Person = NOBODY
    is_listed: bool = True  # on the roster, if there is one

    @property
    def is_absent(self) -> bool:
        """Whether nothing was handed in."""
        return not self.paths and not self.notes


def find_submissions(folder: Path, names: Names | None = None) -> list[Submission]:
    """The submissions in a folder, sorted by name: a learner for each file or folder in it.

    Args:
        folder: of the class.
        names: says whose a file is, and who is expected besides; without it each name is a learner.

    Raises:
        FileNotFoundError: if there is no such folder, or nothing in it.
    """
    names = names or Names()
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder of submissions")
    listed = names.roster.people if names.roster is not None else []
    found: dict[Person, tuple[list[Path], list[str]]] = {one: ([], []) for one in listed}
    entries = [path for path in sorted(folder.iterdir()) if path.name.lower() not in CLUTTER]
    if not entries:
        raise FileNotFoundError(
            f"{folder} holds no submission: NAME.ipynb, or a folder NAME with notebooks in it"
        )
    for path in entries:
        stem = path.name if path.is_dir() and not path.is_symlink() else path.stem
        person, said = names.person(path.name, stem)
        paths, notes = found.setdefault(person, ([], []))
        inside, wrong = _notebooks(path)
        paths += inside
        notes += [*said, *wrong]
    shown = shown_names(found)
    submissions = []
    for person, (paths, notes) in found.items():
        if len(paths) > MOST:
            notes.append(f"{len(paths)} notebooks, of which the first {MOST} were read.")
        is_listed = names.roster is None or person in listed
        submissions.append(
            Submission(shown[person], tuple(paths[:MOST]), tuple(notes), person, is_listed)
        )
    return sorted(submissions, key=lambda one: one.name)


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
    inside, problem = _files(path)
    said = [f"{name}: {problem}."] if problem else []
    notebooks = [p for p in inside if p.suffix.lower() == ".ipynb"]
    if notebooks or said:
        return notebooks, said
    holds = ", ".join(printable(p.name) for p in inside[:5])
    what = f"a folder without a notebook: it holds {holds}" if holds else "an empty folder"
    return [], [f"{name}: {what}."]


def _files(folder: Path) -> tuple[list[Path], str]:
    """The files in a folder and in those in it, not through links; and what was not looked at."""
    files: list[Path] = []
    problem, waiting = "", [(folder, 0)]
    while waiting:
        base, depth = waiting.pop()
        try:
            entries = sorted(os.listdir(base))
        except OSError as error:
            problem = f"a folder in it cannot be read ({error.strerror})"
            continue
        folders = []
        for name in entries:
            path = base / name
            if name.lower() in CLUTTER:
                continue
            if path.is_dir() and not path.is_symlink():
                folders.append((path, depth + 1))
            elif len(files) < MOST_FILES:
                files.append(path)
            else:
                problem = f"more than {MOST_FILES} files, of which the first were looked at"
                break
        if folders and depth == DEEPEST:
            problem = f"folders more than {DEEPEST} deep, which were not looked into"
        else:
            waiting += folders[::-1]
    return files, problem


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
