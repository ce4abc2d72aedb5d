"""What is kept of grading: of each learner what was handed in, and a result for each set.

`results/NAME/files.json` says which notebook is of which set, and `results/NAME/SET.json` what the
set came to. Each is written whole as soon as it is there, so that a run can be interrupted, and one
set graded without another. A result that a newer one replaces goes to `results/NAME/earlier/`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from exercises.grader.learners import NOBODY, Person

FILES = "files.json"


@dataclass
class TaskResult:
    """What one task of one learner came to.

    file: the notebook that counted, where there were several. code: what of it was run. score: of a
    project with a leaderboard.
    graded: the points that the grader gave, where somebody has changed them; reason: why.
    """

    task: str
    points: float
    out_of: int
    message: str
    mistake: str | None = None
    table: str = ""
    file: str = ""
    code: str = ""
    graded: float | None = None
    reason: str = ""
    score: float | None = None


@dataclass
class SetResult:
    """What one set of one learner came to.

    fingerprint: equal for equal notebooks, seed, exercises and grader. given: the points that
    somebody gave for the whole set; reason: why.
    """

    set: str
    fingerprint: str
    isolation: str
    tasks: list[TaskResult] = field(default_factory=list)
    given: float | None = None
    reason: str = ""

    @property
    def points(self) -> float:
        """Points for the set."""
        return sum(task.points for task in self.tasks) if self.given is None else self.given


@dataclass(frozen=True)
class File:
    """A notebook that was handed in.

    digest: of what is in it. set: which it answers, or "" and problem: why it is of none.
    told: whether the notebook itself says so; else it was told among the sets being graded.
    context: what its reading depended on.
    """

    file: str
    digest: str
    set: str = ""
    problem: str = ""
    told: bool = False
    context: str = ""


@dataclass
class Result:
    """All of one learner: what was handed in, what is wrong with it, and a result by set."""

    name: str
    person: Person = NOBODY
    files: list[File] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sets: dict[str, SetResult] = field(default_factory=dict)

    @property
    def tasks(self) -> list[TaskResult]:
        """The tasks of all sets."""
        return [task for name in sorted(self.sets) for task in self.sets[name].tasks]

    @property
    def points(self) -> float:
        """Points in all."""
        return sum(one.points for one in self.sets.values())

    @property
    def problems(self) -> list[str]:
        """What is wrong with what was handed in."""
        return [*self.notes, *(f"{one.file}: {one.problem}." for one in self.files if one.problem)]


def safe_name(name: str) -> str:
    """A learner's name as a file name: itself where that is harmless, and equal to no other's."""
    is_safe = re.fullmatch(r"[\w.@+-]{1,100}", name) and not name.startswith(".")
    # What ends like a name that was changed might be somebody else's.
    if is_safe and not re.search(r"-[0-9a-f]{8}$", name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return re.sub(r"[^\w@+-]+", "_", name)[:80] + "-" + digest


def write_whole(path: Path, text: str) -> None:
    """Write a file, whole or not at all; what cannot be written of a stranger's is escaped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    os.replace(partial, path)


class Store:
    """The results in a folder.

    Args:
        folder: `results` in the report.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """The folders of learners."""
        found = self.folder.glob("*/") if self.folder.is_dir() else ()
        return sorted(path.name for path in found if path.is_dir())

    def read(self, name: str) -> Result:
        """What is kept of a learner; what cannot be read is as if it were not there."""
        return self._read(self.folder / safe_name(name), name)

    def _read(self, folder: Path, name: str) -> Result:
        result = Result(name)
        data = _load(folder / FILES)
        try:
            files = [File(**one) for one in data["files"]]
            notes, person = data["notes"], Person(**data["person"])
            texts = [*notes, person.name, *(t for f in files for t in (f.file, f.set, f.problem))]
            if all(isinstance(one, str) for one in texts):
                result = Result(str(data["name"]), person, files, notes)
        except (TypeError, KeyError):
            pass
        for path in sorted(folder.glob("*.json")):
            one = read_set(path)
            if one is not None and path.stem == one.set:
                result.sets[one.set] = one
        return result

    def write_files(self, result: Result) -> None:
        """Keep what was handed in."""
        content = {
            "name": result.name,
            "person": asdict(result.person),
            "notes": result.notes,
            "files": [asdict(one) for one in result.files],
        }
        self._write(self.folder / safe_name(result.name) / FILES, content)

    def write_set(self, name: str, one: SetResult) -> None:
        """Keep a result; another that it replaces is put aside."""
        path = self.folder / safe_name(name) / f"{one.set}.json"
        before = read_set(path)
        if before is not None and before.fingerprint != one.fingerprint:
            earlier = path.parent / "earlier"
            earlier.mkdir(exist_ok=True)
            os.replace(path, earlier / f"{one.set}-{before.fingerprint[:8]}.json")
        self._write(path, asdict(one))

    def _write(self, path: Path, content: Any) -> None:
        text = json.dumps(content, ensure_ascii=False, indent=1)
        if not path.exists() or path.read_bytes() != text.encode(errors="backslashreplace"):
            write_whole(path, text)

    def remove(self, folder: str) -> None:
        """Put aside what is kept of a learner who is gone: beside this folder, in `removed`."""
        removed = self.folder.parent / "removed"
        removed.mkdir(exist_ok=True)
        aside, number = removed / folder, 2
        while aside.exists():  # gone, come back, and gone again
            aside, number = removed / f"{folder}-{number}", number + 1
        os.replace(self.folder / folder, aside)

    def read_folder(self, folder: str) -> Result:
        """What is kept in one of the folders."""
        return self._read(self.folder / folder, folder)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def read_set(path: Path) -> SetResult | None:
    """A stored result; None if there is none that can be read."""
    data = _load(path)
    try:
        tasks = [TaskResult(**task) for task in data.pop("tasks")]
        result = SetResult(**data, tasks=tasks)
        texts = [result.set, result.fingerprint, result.isolation]
        texts += [text for t in tasks for text in (t.task, t.message, t.table, t.file, t.code)]
        is_whole = all(isinstance(text, str) for text in texts) and result.points >= 0
        return result if is_whole else None
    except (TypeError, KeyError, AttributeError):
        return None
