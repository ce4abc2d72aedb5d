"""Grade a submission: one judge, and a child for whatever is a stranger's.

A submission is one learner: a notebook `NAME.ipynb`, or a folder `NAME/` of them. Of each set that
there is a notebook of, every task is worth its points or nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from exercises.grader import submission
from exercises.grader.conversation import LOST, Child
from exercises.grader.isolation import Isolation
from exercises.grader.results import File, Result, SetResult, TaskResult
from exercises.grader.submission import Submission
from exercises.learner import source
from exercises.learner.clock import OutOfTime, within
from exercises.learner.judging import Bench, Verdict, forbidden, undefined
from exercises.learner.note import printable
from exercises.learner.source import FOLDER, ExerciseSet, Task
from exercises.learner.statements import Piece

SECONDS = 60.0  # that the code of a submission may run in all, for each set it answers, and
MOST_SECONDS = 300.0  # for all of them; tasks that take minutes have their own besides
JUDGING = 30.0  # seconds to judge what the functions of one set returned
CODE = 64 * 2**10  # characters of code that one task may need
WAYS = 4  # versions of one answer that are tried: of notebooks that differ, or of their cells
LONGEST_MESSAGE = 4000  # characters that are said of one task


@dataclass(frozen=True)
class _Way:
    """One version of an answer: what runs, and the notebook that it is from."""

    task: Task
    pieces: tuple[Piece, ...]
    file: str


def budget(sets: Iterable[ExerciseSet]) -> float:
    """Seconds that the answers of one submission to these sets may run in all."""
    tasks = [exercises.tasks for exercises in sets]
    long = sum(task.seconds for each in tasks for task in each if task.is_long)
    return min(MOST_SECONDS, SECONDS * len(tasks)) + long


class Grader:
    """Grades submissions of some sets from one seed.

    Args:
        sets: names of the sets the class was given.
        seed: what fresh inputs are drawn from; keep it to yourself.
        way: how the children are kept apart.
    """

    def __init__(self, sets: Iterable[str], seed: bytes, way: Isolation) -> None:
        self.sets = {name: source.load(name) for name in sets}
        self._sources = {
            name: hashlib.sha256(source.file_of(name).read_bytes()).digest() for name in self.sets
        }
        self._known = source.names()
        self.seed = seed
        self.way = way
        self._benches: dict[str, Bench] = {}
        self._judging = 0.0  # seconds that are left to judge a submission

    def __getstate__(self) -> dict[str, Any]:
        """For another process: it draws its own inputs, from the same seed."""
        return {**self.__dict__, "_rooms": self._rooms, "_benches": {}}

    def bench(self, task: Task) -> Bench:
        """A task's inputs and what is expected, drawn once for the whole class."""
        if task.id not in self._benches:
            self._benches[task.id] = Bench(task, self.seed)
        return self._benches[task.id]

    def solve(self, sets: Iterable[str], mistakes: bool = False) -> None:
        """Draw and solve what is wanted of these sets, before anybody's clock runs.

        Args:
            sets: which.
            mistakes: make the known mistakes as well, with which wrong answers are compared.
        """
        for name in sets:
            for task in self.sets[name].tasks:
                bench = self.bench(task)
                _ = bench.expected
                for wrong in task.misconceptions if mistakes and not bench.names_all else ():
                    bench.results_of(wrong.code)
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)

    @cached_property
    def _rooms(self) -> bytes:
        """The grader itself, as far as a grade depends on it."""
        rooms = [p for room in ("learner", "grader") for p in sorted((FOLDER / room).glob("*.py"))]
        digest = hashlib.sha256()
        for path in rooms:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.digest()

    def fingerprint(self, name: str, files: Iterable[File]) -> str:
        """Of a set's result: equal for equal notebooks, seed, exercises and grader."""
        digest = hashlib.sha256(self._rooms)
        digest.update(hashlib.sha256(self.seed).digest() + self._sources[name])
        digest.update(self.way.kind.encode())
        for one in files:
            if one.set == name:
                digest.update(f"{one.file}\0{one.digest}\n".encode(errors="backslashreplace"))
        return digest.hexdigest()

    def _context(self, told: bool) -> str:
        """What the reading of a notebook depends on: if it does not tell its set, on all sets."""
        digest = hashlib.sha256(self._rooms)
        for name in () if told else self.sets:
            digest.update(name.encode() + b"\0" + self._sources[name])
        return digest.hexdigest()

    def known(self, one: Submission, before: Result) -> list[File] | None:
        """The notebooks as they were read before; None if there is one that was not."""
        read = {(f.file, f.digest): f for f in before.files if f.context == self._context(f.told)}
        files = [read.get((printable(path.name), digest_of(path))) for path in one.paths]
        return None if None in files else [one for one in files if one is not None]

    def is_current(self, one: Submission, before: Result) -> bool:
        """Whether nothing of a submission is to be run again."""
        files = self.known(one, before)
        if files is None:
            return False
        return all(self._is_kept(f.set, files, before) for f in files if f.set in self.sets)

    def _is_kept(self, name: str, files: list[File], before: Result) -> bool:
        kept = before.sets.get(name)
        return kept is not None and kept.fingerprint == self.fingerprint(name, files)

    def grade(
        self,
        one: Submission,
        before: Result | None = None,
        ready: Callable[[Result, list[str]], None] | None = None,
    ) -> Result:
        """Grade one submission; whatever is in it, this returns.

        Args:
            one: which.
            before: what is known of it; sets that have not changed are not run again.
            ready: is called when the notebooks are read and nothing of them has run, with the
                result so far and the sets that will be run; it has to `solve` them, mistakes
                and all. Without it the work is one's own.
        """
        result = Result(one.name, one.person, notes=list(one.notes))
        result.sets = dict(before.sets) if before else {}
        ways: dict[str, list[_Way]] = {}
        problems: dict[str, str] = {}
        with Child(self.way, (), MOST_SECONDS) as child:
            result.files = [self._read(path, child, ways, problems) for path in one.paths]
            answered = {file.set for file in result.files} & set(self.sets)
            to_run = [n for n in sorted(answered) if not self._is_kept(n, result.files, result)]
            if ready is None:
                self.solve(to_run)
            else:
                ready(result, to_run)
            child.left = budget(self.sets[name] for name in to_run)
            # One's own work is trusted, and the known mistakes are made when there is need of them.
            self._judging = JUDGING * len(to_run) if ready else MOST_SECONDS
            tasks = [task for name in to_run for task in self.sets[name].tasks]
            verdicts = self._judge_all({task.id: ways.get(task.id, []) for task in tasks}, child)
        for name in to_run:
            fingerprint = self.fingerprint(name, result.files)
            result.sets[name] = SetResult(name, fingerprint, self.way.kind)
            several = sum(file.set == name for file in result.files) > 1
            for task in self.sets[name].tasks:
                missing = Verdict(False, problems.get(task.id, "There is nothing to be judged."))
                verdict, way = verdicts.get(task.id, (missing, None))
                result.sets[name].tasks.append(_result(task, verdict, way, several))
        return result

    def _read(
        self, path: Path, child: Child, ways: dict[str, list[_Way]], problems: dict[str, str]
    ) -> File:
        """Add what one notebook has for each task."""
        file = File(printable(path.name), digest_of(path), context=self._context(False))
        try:
            content = submission.read_bytes(path)
        except submission.UnreadableError as error:
            return replace(file, problem=str(error))
        found = child.read(content, file.file, self.sets, self._known)
        file = replace(
            file,
            set=printable(str(found.get("set", ""))),
            problem=printable(str(found.get("problem", ""))),
            told=found.get("told") is True,
        )
        if file.told:
            file = replace(file, context=self._context(True))
        for task in self.sets[file.set].tasks if file.set in self.sets else ():
            several, problem = found["answers"][task.id]
            if problem:
                problems.setdefault(task.id, printable(str(problem)))
            for each in several:
                pieces = tuple((str(place), str(text)) for place, text in each)
                way, these = _Way(task, pieces, file.file), ways.setdefault(task.id, [])
                if pieces not in [known.pieces for known in these] and len(these) < WAYS:
                    these.append(way)
        return file

    def _judge_all(
        self, ways: dict[str, list[_Way]], child: Child
    ) -> dict[str, tuple[Verdict, _Way]]:
        """The best verdict on each task, and what was run for it.

        First each task in one version, and then others, which must not use up its time.
        """
        verdicts: dict[str, tuple[Verdict, _Way]] = {}
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
                verdicts.setdefault(way.task.id, (Verdict(False, unfit), way))
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
        self, ways: list[_Way], child: Child, verdicts: dict[str, tuple[Verdict, _Way]]
    ) -> None:
        def take(way: _Way, came: dict[str, Any]) -> None:
            verdict = self._verdict(way.task, came)
            earlier = verdicts.get(way.task.id)
            if earlier is None or (verdict.passed and not earlier[0].passed):
                verdicts[way.task.id] = (verdict, way)

        jobs = [(way.task, list(way.pieces), self.bench(way.task).cases) for way in ways]
        lost = []
        for way, job, came in zip(ways, jobs, child.run(jobs), strict=True):
            if came.get("error", {}).get("message") == LOST:
                lost.append((way, job))
            else:
                take(way, came)
        # By no doing of theirs: the machine had no room for another process, perhaps.
        for (way, _), came in zip(lost, child.run([job for _, job in lost]), strict=True):
            take(way, came)

    def _verdict(self, task: Task, came: dict[str, Any]) -> Verdict:
        if "error" in came:
            error = came["error"]
            if error["kind"] in ("Stopped", "Nothing"):
                return Verdict(False, error["message"])
            return undefined(error)
        began = time.monotonic()
        if self._judging <= 0:
            return Verdict(False, "Not judged: the results before had used all the time for that.")
        try:
            with within(self._judging):
                return self.bench(task).verdict(came["results"])
        except (Exception, OutOfTime) as error:
            return Verdict(False, f"Your result cannot be judged: {type(error).__name__}.")
        finally:
            self._judging -= time.monotonic() - began


def _result(task: Task, verdict: Verdict, way: _Way | None, several: bool) -> TaskResult:
    """What is kept of a verdict: text that can be shown."""
    said, table = verdict.message, verdict.table
    if len(said) > LONGEST_MESSAGE:
        said = f"{said[:LONGEST_MESSAGE]}…"
    code = "\n\n".join(text.strip("\n").expandtabs(4) for _, text in way.pieces) if way else ""
    said, table, code = ("\n".join(map(printable, one.split("\n"))) for one in (said, table, code))
    points = task.points if verdict.passed else 0
    file = way.file if way and several else ""
    result = TaskResult(task.id, points, task.points, said, verdict.mistake, table, file)
    return replace(result, code=code[:CODE], score=verdict.score)


def digest_of(path: Path) -> str:
    """Of what is in a file, or of why that cannot be read."""
    try:
        content = submission.read_bytes(path)
    except submission.UnreadableError as error:
        content = str(error).encode(errors="backslashreplace")
    return hashlib.sha256(content).hexdigest()


def own_work(sets: dict[str, ExerciseSet], folder: Path) -> Submission:
    """A learner's own notebooks, where the course keeps them."""
    paths = [folder / f"{name}.ipynb" for name in sets]
    return Submission("you", tuple(path for path in paths if path.exists()))
