"""Grade a folder of submissions: many children, one judge, a result file each.

A submission is one learner: a notebook `NAME.ipynb`, or a folder `NAME/` of them. Every task of
every set that the class was given is worth its points or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from exercises.grader import isolation, submission
from exercises.grader.isolation import Isolation
from exercises.learner import source
from exercises.learner.judging import Bench, Verdict, forbidden, is_untouched, untouched
from exercises.learner.source import FOLDER, ExerciseSet, Task


@dataclass(frozen=True)
class Submission:
    """A learner's name and notebooks."""

    name: str
    paths: tuple[Path, ...]


@dataclass
class TaskResult:
    """What one task of one submission came to."""

    task: str
    points: int
    out_of: int
    message: str
    mistake: str | None = None
    table: str = ""


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


def find_submissions(folder: Path) -> list[Submission]:
    """The submissions in a folder, sorted by name; links and hidden files are passed over.

    Raises:
        FileNotFoundError: if there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder of submissions")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")):
            continue
        if path.is_dir() and not path.is_symlink():
            inside = [
                p for p in sorted(path.rglob("*.ipynb")) if ".ipynb_checkpoints" not in p.parts
            ]
            if inside:
                found.setdefault(path.name, []).extend(inside)
        elif path.suffix == ".ipynb":
            found.setdefault(path.stem, []).append(path)
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no submission: NAME.ipynb, or a folder NAME with notebooks in it"
        )
    return [Submission(name, tuple(paths)) for name, paths in found.items()]


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
        for path in one.paths:
            try:
                content = submission.read_bytes(path)
            except submission.UnreadableError as error:
                content = str(error).encode()
            digest.update(path.name.encode() + b"\0" + hashlib.sha256(content).digest())
        return digest.hexdigest()

    def grade(self, one: Submission) -> Result:
        """Grade one submission; whatever is in it, this returns."""
        result = Result(one.name, self.fingerprint(one), self.way.kind)
        found: dict[str, submission.Answer] = {}
        for path in one.paths:
            try:
                notebook = submission.parse(submission.read_bytes(path))
            except submission.UnreadableError as error:
                result.notes.append(f"{path.name}: {error}.")
                continue
            name = submission.set_of(notebook, path.name, list(self.sets))
            # A class that was given one set needs no name on the notebook.
            name = name or (next(iter(self.sets)) if len(self.sets) == 1 else "")
            if not name:
                result.notes.append(f"{path.name}: of which set it is cannot be told.")
                continue
            for task_id, answer in submission.answers(notebook, self.sets[name]).items():
                if task_id not in found or not answer.problem:
                    found[task_id] = answer
        for task in self.tasks:
            answer = found.get(task.id, submission.Answer(problem="Not submitted."))
            verdict = self._verdict(task, answer)
            result.tasks.append(
                TaskResult(
                    task.id,
                    task.points if verdict.passed else 0,
                    task.points,
                    verdict.message,
                    verdict.mistake,
                    verdict.table,
                )
            )
        return result

    def _verdict(self, task: Task, answer: submission.Answer) -> Verdict:
        if answer.problem:
            return Verdict(False, answer.problem)
        if is_untouched(task, answer.code):
            return untouched(task)
        unfit = forbidden(task, answer.code)
        if unfit:
            return Verdict(False, unfit)
        bench = self.bench(task)
        came = isolation.run(self.way, task, answer.code, answer.helpers, bench.cases)
        if "error" in came:
            error = came["error"]
            if error["kind"] in ("Stopped", "Nothing"):
                return Verdict(False, error["message"])
            return Verdict(False, f"Your code stops: {error['kind']}: {error['message']}")
        return bench.verdict(came["results"])


def grade_all(
    grader: Grader, submissions: list[Submission], out: Path, jobs: int
) -> Iterator[Result]:
    """Grade, `jobs` submissions at a time; what an earlier run has graded is read, not run again.

    Each result is kept in `out/results/NAME.json` as soon as it is there, and not in memory.

    Yields:
        the results, in the order in which they are ready.
    """
    folder = out / "results"
    folder.mkdir(parents=True, exist_ok=True)
    # Drawn and solved before the clock of anybody's code runs, and not twice by two threads.
    for task in grader.tasks:
        _ = grader.bench(task).expected

    def one(item: Submission) -> Result:
        path = folder / f"{safe_name(item.name)}.json"
        earlier = read_result(path)
        if earlier is not None and earlier.fingerprint == grader.fingerprint(item):
            return earlier
        result = grader.grade(item)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(result), ensure_ascii=False, indent=1), "utf-8")
        os.replace(partial, path)
        return result

    waiting = iter(submissions)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        running: set[Future[Result]] = set()
        while True:
            for item in waiting:
                running.add(pool.submit(one, item))
                if len(running) >= 2 * jobs:
                    break
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


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
        return Result(**data, tasks=tasks)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def own_work(sets: dict[str, ExerciseSet], folder: Path) -> Submission:
    """A learner's own notebooks, where the course keeps them."""
    paths = [folder / f"{name}.ipynb" for name in sets]
    return Submission("you", tuple(path for path in paths if path.exists()))
