"""Grade a class: some processes that each grade one submission at a time.

What a submission does to the process that judges it, it does to itself: a process that is lost or
takes too long is replaced, its submission has no points and says why, and all others go on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path

from exercises.grader.grading import JUDGING, MOST_SECONDS, Grader, budget
from exercises.grader.isolation import READING_ALL, STARTING
from exercises.grader.results import Result, SetResult, Store, TaskResult
from exercises.grader.submission import Submission

MEMORY = 256 * 2**20  # bytes that a worker may take for one submission, beyond what it has anyhow
LOST = "The grader could not finish with this submission, so it has no points."
TRIES = 2  # for a submission whose worker ends: it may have been the machine
PAUSE = 5.0  # seconds before the second


def grade_all(
    grader: Grader, submissions: list[Submission], store: Store, jobs: int
) -> Iterator[Result]:
    """Grade, `jobs` submissions at a time; what an earlier run has graded is read, not run again.

    Each result is in the store as soon as it is there, and not in memory.

    Yields:
        the results, in the order in which they are ready.
    """
    waiting = []
    for one in submissions:
        before = store.read(one.name)
        if grader.is_current(one, before):
            before.person, before.files = one.person, grader.known(one, before) or []
            before.notes = notes_of(one, before)
            store.write_files(before)
            yield before
        else:
            waiting.append(one)
    waiting.reverse()
    workers = [Worker(grader, store, number) for number in range(min(jobs, len(waiting)))]
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


def notes_of(one: Submission, before: Result) -> list[str]:
    """What is wrong with a submission, and that it was given up, if it was."""
    return [*one.notes, *(note for note in before.notes if note == LOST)]


class Worker:
    """A process that grades submissions, one after the other.

    busy: the submission that it is at; deadline: when that must be done.
    """

    def __init__(self, grader: Grader, store: Store, number: int) -> None:
        self.grader, self.store, self.number = grader, store, number
        self.busy: Submission | None = None
        self.deadline = 0.0
        self._tries = 0
        self._process: multiprocessing.process.BaseProcess | None = None
        sets = len(grader.sets)
        running = budget(grader.sets.values()) + MOST_SECONDS  # and to start children again
        self.longest = STARTING + READING_ALL + running + JUDGING * sets

    def give(self, one: Submission) -> None:
        """Let it grade a submission."""
        if self._process is None:
            # Started anew, not forked: torch does not survive that once it has used threads.
            context = multiprocessing.get_context("spawn")
            self.connection, other = context.Pipe()
            process = context.Process(
                target=work, args=(other, self.grader, self.store, self.number)
            )
            process.start()
            self._process = process
            other.close()
        self.busy, self._tries = one, self._tries + 1
        self.deadline = time.monotonic() + self.longest
        self.connection.send(one)

    def result(self) -> Result | None:
        """What came of its submission; None while it is at it."""
        assert self.busy is not None
        done, is_late = "", time.monotonic() >= self.deadline
        if self.connection.poll():
            with contextlib.suppress(EOFError, OSError):
                done = self.connection.recv()
        elif not is_late:
            return None
        one = self.busy
        if not done:
            self.end()
            if self._tries < TRIES and not is_late:
                time.sleep(PAUSE)
                self.give(one)
                return None
            give_up(self.grader, one, self.store)
        self.busy, self._tries = None, 0
        return self.store.read(one.name)

    def end(self) -> None:
        """Stop it, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def give_up(grader: Grader, one: Submission, store: Store) -> None:
    """Keep a submission's zero, with the reason, for the sets it is known to answer."""
    result = store.read(one.name)
    result.person, result.files = one.person, grader.known(one, result) or []
    result.notes = [*one.notes, LOST]
    store.write_files(result)
    for name in {file.set for file in result.files} & set(grader.sets):
        fingerprint = grader.fingerprint(name, result.files)
        kept = result.sets.get(name)
        if kept is None or kept.fingerprint != fingerprint:
            tasks = [TaskResult(t.id, 0, t.points, LOST) for t in grader.sets[name].tasks]
            store.write_set(one.name, SetResult(name, fingerprint, grader.way.kind, tasks))


def work(connection: Connection, grader: Grader, store: Store, number: int) -> None:
    """What a worker does: grades what it is given, until nobody gives anything any more."""
    from exercises.grader.limits import die_with_parent

    die_with_parent()
    if sys.platform == "linux":
        # A core for each, its children's too: threads without number slow down only themselves.
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})
    bound = MemoryBound()

    def ready(result: Result, sets: list[str]) -> None:
        store.write_files(result)
        bound.lift()
        grader.solve(sets, mistakes=True)
        bound.set()

    with contextlib.suppress(EOFError, OSError):
        while True:
            one: Submission = connection.recv()
            bound.set()
            try:
                result = grader.grade(one, store.read(one.name), ready)
            except Exception:  # of the grader's own: no room for another process, perhaps
                connection.send("")
                continue
            finally:
                bound.lift()
            for each in result.sets.values():
                store.write_set(one.name, each)
            connection.send("done")


class MemoryBound:
    """Refuses this process more memory than it has, and a little (Linux)."""

    def set(self) -> None:
        """From now on."""
        if sys.platform == "linux":
            pages = int(Path("/proc/self/statm").read_text().split()[5])  # of data and stack
            self._limit(pages * resource.getpagesize() + MEMORY)

    def lift(self) -> None:
        """No longer."""
        if sys.platform == "linux":
            self._limit(resource.getrlimit(resource.RLIMIT_DATA)[1])

    def _limit(self, bound: int) -> None:
        resource.setrlimit(
            resource.RLIMIT_DATA, (bound, resource.getrlimit(resource.RLIMIT_DATA)[1])
        )
