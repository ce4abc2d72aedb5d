"""Grade a class: some processes that each grade one submission at a time.

What a submission does to the process that judges it, it does to itself: a process that is lost or
takes too long is replaced, its submission has no points and says why, and all others go on.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path

from exercises.grader.grading import (
    JUDGING,
    MOST_SECONDS,
    Grader,
    Result,
    TaskResult,
    read_result,
    safe_name,
)
from exercises.grader.isolation import READING, STARTING
from exercises.grader.submission import MOST, Submission

MEMORY = 256 * 2**20  # bytes that a worker may take for one submission, beyond what it has anyhow


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
    waiting = []
    for one in submissions:
        earlier = read_result(folder / f"{safe_name(one.name)}.json")
        if earlier is not None and earlier.fingerprint == grader.fingerprint(one):
            yield earlier
        else:
            waiting.append(one)
    waiting.reverse()
    workers = [Worker(grader, folder) for _ in range(min(jobs, len(waiting)))]
    try:
        while waiting or any(worker.busy for worker in workers):
            for worker in workers:
                if worker.busy is None and waiting:
                    worker.give(waiting.pop())
            left = max(0.0, min(w.deadline for w in workers if w.busy) - time.monotonic())
            wait([w.connection for w in workers if w.busy], timeout=left)
            for worker in workers:
                result = worker.result() if worker.busy else None
                if result is not None:
                    yield result
    finally:
        for worker in workers:
            worker.end()


class Worker:
    """A process that grades submissions, one after the other.

    busy: the submission that it is at; deadline: when that must be done.
    """

    def __init__(self, grader: Grader, folder: Path) -> None:
        self.grader, self.folder = grader, folder
        self.busy: Submission | None = None
        self.deadline = 0.0
        self._process: multiprocessing.process.BaseProcess | None = None

    def give(self, one: Submission) -> None:
        """Let it grade a submission."""
        if self._process is None:
            # Started anew, not forked: torch does not survive that once it has used threads.
            context = multiprocessing.get_context("spawn")
            self.connection, other = context.Pipe()
            process = context.Process(target=work, args=(other, self.grader, self.folder))
            process.start()
            self._process = process
            other.close()
        self.busy = one
        longest = STARTING + MOST * READING + 2 * MOST_SECONDS + JUDGING * len(self.grader.tasks)
        self.deadline = time.monotonic() + longest
        self.connection.send(one)

    def result(self) -> Result | None:
        """What came of its submission; None while it is at it."""
        assert self.busy is not None
        done = ""
        if self.connection.poll():
            with contextlib.suppress(EOFError, OSError):
                done = self.connection.recv()
        elif time.monotonic() < self.deadline:
            return None
        one, self.busy = self.busy, None
        result = read_result(self.folder / f"{safe_name(one.name)}.json") if done else None
        if result is None:
            self.end()
            said = "The grader could not finish with this submission, so it has no points."
            result = given_up(self.grader, one, said)
            keep(result, self.folder)
        return result

    def end(self) -> None:
        """Stop it, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def given_up(grader: Grader, one: Submission, said: str) -> Result:
    """A submission's zero, with the reason."""
    tasks = [TaskResult(task.id, 0, task.points, said) for task in grader.tasks]
    return Result(one.name, grader.fingerprint(one), grader.way.kind, tasks, [*one.notes, said])


def keep(result: Result, folder: Path) -> None:
    """Write a result, whole or not at all."""
    path = folder / f"{safe_name(result.name)}.json"
    partial = path.with_suffix(".partial")
    text = json.dumps(asdict(result), ensure_ascii=False, indent=1)
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(partial, path)


def work(connection: Connection, grader: Grader, folder: Path) -> None:
    """What a worker does: grades what it is given, until nobody gives anything any more."""
    from exercises.grader.child import die_with_parent

    die_with_parent()
    for task in grader.tasks:  # drawn and solved before anybody's clock runs
        _ = grader.bench(task).expected
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    with contextlib.suppress(EOFError, OSError):
        while True:
            one: Submission = connection.recv()
            with bounded_memory():
                try:
                    result = grader.grade(one)
                except Exception as error:
                    said = f"The grader stopped at this submission: {type(error).__name__}."
                    result = given_up(grader, one, said)
            keep(result, folder)
            connection.send("done")


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """Refuse this process more memory than it has, and a little (Linux)."""
    if sys.platform != "linux":
        yield
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[5])  # of data and stack
    _, highest = resource.getrlimit(resource.RLIMIT_DATA)
    bound = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (bound, highest))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (highest, highest))
