"""Grade a submission: one judge, and a child for whatever is a stranger's.

A submission is one learner: a notebook `NAME.ipynb`, or a folder `NAME/` of them. Every task of
every set that the class was given is worth its points or nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from exercises.grader import submission
from exercises.grader.conversation import Child
from exercises.grader.isolation import Isolation
from exercises.grader.submission import Submission
from exercises.learner import source
from exercises.learner.clock import OutOfTime, within
from exercises.learner.judging import Bench, Verdict, forbidden, undefined
from exercises.learner.note import printable
from exercises.learner.source import FOLDER, ExerciseSet, Task
from exercises.learner.statements import Piece

SECONDS = 60.0  # that the code of a submission may run in all, for each set it answers, and
MOST_SECONDS = 300.0  # for all of them
JUDGING = 30.0  # seconds to judge what one function returned
CODE = 64 * 2**10  # characters of code that one task may need
WAYS = 4  # versions of one answer that are tried: of notebooks that differ, or of their cells


@dataclass
class TaskResult:
    """What one task of one submission came to; file: the notebook that counted."""

    task: str
    points: int
    out_of: int
    message: str
    mistake: str | None = None
    table: str = ""
    file: str = ""


@dataclass
class Result:
    """A graded submission. notes: what was wrong with its files."""

    name: str
    fingerprint: str
    isolation: str
    tasks: list[TaskResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def points(self) -> int:
        """Points in all."""
        return sum(task.points for task in self.tasks)


@dataclass(frozen=True)
class _Way:
    """One version of an answer: what runs, and the notebook that it is from."""

    task: Task
    pieces: tuple[Piece, ...]
    file: str


class Grader:
    """Grades submissions of some sets from one seed.

    Args:
        sets: names of the sets the class was given.
        seed: what fresh inputs are drawn from; keep it to yourself.
        way: how the children are kept apart.
    """

    def __init__(self, sets: Iterable[str], seed: bytes, way: Isolation) -> None:
        self.sets = {name: source.load(name) for name in sets}
        self.seed = seed
        self.way = way
        self._benches: dict[str, Bench] = {}

    def __getstate__(self) -> dict[str, Any]:
        """For another process: it draws its own inputs, from the same seed."""
        return {**self.__dict__, "_context": self._context, "_benches": {}}

    @property
    def tasks(self) -> list[Task]:
        """All tasks that are graded."""
        return [task for exercises in self.sets.values() for task in exercises.tasks]

    def bench(self, task: Task) -> Bench:
        """A task's inputs and what is expected, drawn once for the whole class."""
        if task.id not in self._benches:
            self._benches[task.id] = Bench(task, self.seed)
        return self._benches[task.id]

    @cached_property
    def _context(self) -> bytes:
        """What a grade depends on besides the submission: seed, sources, and the grader itself."""
        digest = hashlib.sha256(self.seed)
        rooms = [p for room in ("learner", "grader") for p in sorted((FOLDER / room).glob("*.py"))]
        for path in (*rooms, *(source.SOURCES / f"{name}.py" for name in self.sets)):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        digest.update(self.way.kind.encode())
        return digest.digest()

    def fingerprint(self, one: Submission) -> str:
        """Equal for equal submissions under an equal seed and equal exercises."""
        digest = hashlib.sha256(self._context)
        digest.update("\n".join(one.notes).encode(errors="backslashreplace"))
        for path in one.paths:
            try:
                content = submission.read_bytes(path)
            except submission.UnreadableError as error:
                content = str(error).encode(errors="backslashreplace")
            digest.update(printable(path.name).encode() + hashlib.sha256(content).digest())
        return digest.hexdigest()

    def grade(self, one: Submission) -> Result:
        """Grade one submission; whatever is in it, this returns."""
        result = Result(one.name, self.fingerprint(one), self.way.kind, notes=list(one.notes))
        ways: dict[str, list[_Way]] = {task.id: [] for task in self.tasks}
        problems: dict[str, str] = {}
        with Child(self.way, (), min(MOST_SECONDS, SECONDS * len(self.sets))) as child:
            for path in one.paths:
                self._read(path, child, ways, problems, result.notes)
            verdicts = self._judge_all(ways, child)
        for task in self.tasks:
            verdict, file = verdicts.get(task.id, (None, ""))
            if verdict is None:
                verdict = Verdict(False, problems.get(task.id, "Not submitted."))
            result.tasks.append(
                TaskResult(
                    task.id,
                    task.points if verdict.passed else 0,
                    task.points,
                    "\n".join(map(printable, verdict.message.split("\n"))),
                    verdict.mistake,
                    "\n".join(map(printable, verdict.table.split("\n"))),
                    file if len(one.paths) > 1 else "",
                )
            )
        return result

    def _read(
        self,
        path: Path,
        child: Child,
        ways: dict[str, list[_Way]],
        problems: dict[str, str],
        notes: list[str],
    ) -> None:
        """Add what one notebook has for each task."""
        file = printable(path.name)
        try:
            content = submission.read_bytes(path)
        except submission.UnreadableError as error:
            notes.append(f"{file}: {error}.")
            return
        found = child.read(content, file, self.sets)
        if "problem" in found:
            notes.append(f"{file}: {printable(str(found['problem']))}.")
            return
        for task in self.sets[found["set"]].tasks:
            several, problem = found["answers"][task.id]
            if problem and task.id not in problems:
                problems[task.id] = printable(str(problem))
            for each in several:
                way = _Way(task, tuple((str(place), str(text)) for place, text in each), file)
                known = [one.pieces for one in ways[task.id]]
                if way.pieces not in known and len(known) < WAYS:
                    ways[task.id].append(way)

    def _judge_all(
        self, ways: dict[str, list[_Way]], child: Child
    ) -> dict[str, tuple[Verdict, str]]:
        """The best verdict on each task, and the notebook that it is from.

        First each task in one version, and then others, which must not use up its time.
        """
        verdicts: dict[str, tuple[Verdict, str]] = {}
        rounds = itertools.zip_longest(*ways.values())
        queue = [way for each in rounds for way in each if way is not None]
        fit = []
        for way in queue:
            code = "\n".join(text for _, text in way.pieces)
            unfit = (
                f"The code that this task needs is {len(code) // 1024} KB long: at most "
                f"{CODE // 1024} KB are judged."
                if len(code) > CODE
                else forbidden(way.task, code)
            )
            if unfit:
                verdicts.setdefault(way.task.id, (Verdict(False, unfit), way.file))
            else:
                fit.append(way)
        needs = [{"minibert", "minilm"} & set(way.task.needs) for way in fit]
        for each in dict.fromkeys(map(frozenset, needs)):
            these = [way for way, own in zip(fit, needs, strict=True) if own == each]
            if not each:
                self._run(these, child, verdicts)
                continue
            with Child(self.way, each, child.left) as other:
                self._run(these, other, verdicts)
                child.left = other.left
        return verdicts

    def _run(
        self, ways: list[_Way], child: Child, verdicts: dict[str, tuple[Verdict, str]]
    ) -> None:
        jobs = [(way.task, list(way.pieces), self.bench(way.task).cases) for way in ways]
        for way, came in zip(ways, child.run(jobs), strict=True):
            verdict = self._verdict(way.task, came)
            if verdict.passed or way.task.id not in verdicts:
                verdicts[way.task.id] = (verdict, way.file)

    def _verdict(self, task: Task, came: dict[str, Any]) -> Verdict:
        if "error" in came:
            error = came["error"]
            if error["kind"] in ("Stopped", "Nothing"):
                return Verdict(False, error["message"])
            return undefined(error)
        bench = self.bench(task)
        try:
            with within(JUDGING):
                return bench.verdict(came["results"])
        except (Exception, OutOfTime) as error:
            said = f"Your result cannot be judged: {type(error).__name__}."
            return Verdict(False, said)


def safe_name(name: str) -> str:
    """A learner's name as a file name: itself where that is harmless."""
    if re.fullmatch(r"[\w.@+-]{1,100}", name) and not name.startswith("."):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return re.sub(r"[^\w@+-]+", "_", name)[:80] + "-" + digest


def read_result(path: Path) -> Result | None:
    """A stored result; None if there is none that can be read."""
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        tasks = [TaskResult(**task) for task in data.pop("tasks")]
        result = Result(**data, tasks=tasks)
        texts = [result.name, result.fingerprint, *result.notes, *(t.message for t in tasks)]
        is_whole = all(isinstance(text, str) for text in texts) and result.points >= 0
        return result if is_whole else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def own_work(sets: dict[str, ExerciseSet], folder: Path) -> Submission:
    """A learner's own notebooks, where the course keeps them."""
    paths = [folder / f"{name}.ipynb" for name in sets]
    return Submission("you", tuple(path for path in paths if path.exists()))
