"""What the grader and a child say to each other; however long it is silent, this goes on."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from exercises.grader import allowed, child, isolation
from exercises.grader.answers import checked
from exercises.grader.isolation import Isolation
from exercises.learner import running
from exercises.learner.source import ExerciseSet, Task
from exercises.learner.statements import Piece

SOURCE = 256 * 2**10  # characters of code that are read of a notebook
SLACK = 10.0  # seconds that a child may take longer than its own clock says
LOST = "The grader could not run your code."


class Child:
    """A process that does jobs for one submission: a context, at whose end it is gone.

    Args:
        way: how it is kept apart.
        needs: of the tasks that it is for.
        seconds: that its jobs may take in all.
    """

    def __init__(self, way: Isolation, needs: Collection[str], seconds: float) -> None:
        self.way, self.needs, self.left = way, needs, seconds
        self._reading = isolation.READING_ALL  # seconds left to read notebooks
        self._paths = [str(path.parent) for path in isolation.readable(needs)[:1]]
        # Forking a process in which macOS frameworks are loaded is not safe.
        self._forks = sys.platform == "linux"
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._folder.cleanup()

    def read(
        self,
        notebook: bytes,
        file: str,
        sets: Mapping[str, ExerciseSet],
        known: Collection[str] = (),
    ) -> dict[str, Any]:
        """What a notebook has for each task.

        Args:
            notebook: its bytes.
            file: its name.
            sets: those that are asked for.
            known: the names of all sets of the course.

        Returns:
            {"set", "told", "answers"} as `notebook.read` finds it; only {"set", "told"} for a set
            that is not asked for; or {"problem": what is wrong with the notebook}.
        """
        if self._reading <= 0:
            return {"problem": "not read: the notebooks before had used all the time for that"}
        wanted = {
            name: {
                task.id: {"function": task.function, "setup": task.setup, "stub": task.stub}
                for task in exercises.tasks
            }
            for name, exercises in sets.items()
        }
        seconds = min(isolation.READING, self._reading)
        job = {
            "notebook": np.frombuffer(notebook, np.uint8),
            "file": file,
            "sets": wanted,
            "known": sorted({*known, *sets}),
            "source": SOURCE,
            "seconds": seconds,
        }
        setups = dict.fromkeys(task.setup for each in sets.values() for task in each.tasks)
        ahead = list(setups) if self.left > 0 and self._forks else []
        ((how, data),) = self._ask([job], [], seconds, ahead)
        self._reading -= self._took
        if how == child.STOPPED:
            return {"problem": f"reading it takes more than {seconds:.0f} seconds"}
        try:
            found = running.unpack(data)
            if "problem" in found:
                return {"problem": str(found["problem"])[:200]}
            return {"set": found["set"], "told": found["told"], "answers": found["answers"]}
        except (ValueError, KeyError, TypeError):
            return {"problem": "it cannot be read"}

    def run(
        self, jobs: Sequence[tuple[Task, list[Piece], list[dict[str, Any]]]]
    ) -> Iterator[dict[str, Any]]:
        """Run functions on cases.

        Args:
            jobs: the task, the pieces of code that define its function, and the cases.

        Yields:
            for each {"results": [...]}, as many as there are cases; or {"error": {"kind",
            "message", "line"}} for the task as a whole. Whatever the child does, this goes on.
        """
        packed = [
            {
                "setup": task.setup,
                "run": task.run,
                "function": task.function,
                "pieces": pieces,
                "without": sorted(task.withheld),
                "seconds": task.seconds,
                "cases": np.frombuffer(running.pack(cases), np.uint8),
            }
            for task, pieces, cases in jobs
        ]
        setups = list(dict.fromkeys(task.setup for task, _, _ in jobs))
        answers = self._ask(packed, setups, self.left)
        for (task, _, cases), (how, data) in zip(jobs, answers, strict=True):
            if how == child.ANSWER:
                yield checked(data, len(cases))
                continue
            said = {
                child.STOPPED: f"Your code was stopped after {task.seconds:.0f} seconds.",
                child.TOO_LONG: "Your code returned more than a grader reads: at most "
                f"{running.LONGEST // 2**20} MB.",
                child.SPENT: "Not run: the tasks before had used all the time that a submission "
                "has.",
            }.get(how, LOST)
            yield {"error": {"kind": "Stopped", "message": said, "line": ""}}

    def _ask(
        self,
        jobs: list[dict[str, Any]],
        setups: list[str],
        seconds: float,
        ahead: Sequence[str] = (),
    ) -> Iterator[tuple[bytes, bytes]]:
        """Have jobs done: for each how it ended, and its answer.

        ahead: setups that will be needed next, and are prepared when these jobs are done.
        """
        for job in jobs:
            job |= {
                "memory": isolation.MEMORY,
                "filter": np.frombuffer(allowed.program(), np.uint8),
                "fork": self._forks,
            }
        self._took = 0.0  # seconds of the jobs themselves
        if self.way.kind == "fork":
            yield from self._forked(jobs, setups, seconds)
            return
        bunches = [jobs] if self._forks else [[job] for job in jobs]
        for bunch in bunches:
            request = {"jobs": bunch, "setups": setups, "paths": self._paths}
            request |= {"seconds": seconds, "ahead": ahead}
            given = [min(seconds, job["seconds"]) for job in bunch]
            received, began = 0, time.monotonic()
            for how, answer in self._talk(running.pack(request), given):
                if how != child.READY:
                    took = time.monotonic() - began
                    seconds, self._took, received = seconds - took, self._took + took, received + 1
                    yield how, answer
                began = time.monotonic()
            for _ in range(len(bunch) - received):
                yield b"", b""
            if not self._forks or received < len(bunch):
                self._end()
        if setups:
            self.left = seconds

    def _forked(
        self, jobs: list[dict[str, Any]], setups: list[str], seconds: float
    ) -> Iterator[tuple[bytes, bytes]]:
        """Do jobs as a child does, each in a process forked from this one."""
        child.prepare(setups, self._paths, jobs)
        for job in jobs:
            began, wait = time.monotonic(), min(seconds, job["seconds"] + child.GRACE)
            yield child.run_apart(job, [], wait, ()) if wait > 0 else (child.SPENT, b"")
            took = time.monotonic() - began
            seconds, self._took = seconds - took, self._took + took
        if setups:
            self.left = seconds

    def _talk(self, data: bytes, seconds: list[float]) -> Iterator[tuple[bytes, bytes]]:
        """Send a request, and pass on the answers as they come: fewer, if the child is gone."""
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        request = len(data).to_bytes(8, "little") + data
        threading.Thread(target=_send, args=(self._process.stdin, request), daemon=True).start()
        if self._next(isolation.STARTING)[0] != child.READY:
            return
        yield child.READY, b""
        for each in seconds:
            # The child has a clock of its own; this one is for a child that has lost it.
            how, answer = self._next(each if not self._forks else each + SLACK)
            if not how:
                return
            yield how, answer
            if how == child.STOPPED and not self._forks:
                return

    def _next(self, wait: float) -> tuple[bytes, bytes]:
        """The next answer; two empty texts if there is none."""
        deadline = time.monotonic() + wait
        try:
            head = self._take(child.LENGTH.size, deadline)
            how, length = child.LENGTH.unpack(head)
            return how, self._take(min(length, running.LONGEST + 1), deadline)
        except TimeoutError:
            return (child.STOPPED, b"") if not self._forks else (b"", b"")
        except EOFError:
            return (child.ANSWER, b"") if not self._forks else (b"", b"")

    def _take(self, count: int, deadline: float) -> bytes:
        """So many bytes of what the child sends."""
        while len(self._received) < count:
            try:
                part = self._parts.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError from None
            if not part:
                raise EOFError
            self._received += part
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _start(self) -> None:
        self._parts: queue.Queue[bytes] = queue.Queue(maxsize=4)
        self._received = bytearray()
        self._process = subprocess.Popen(
            isolation.command(self.way, self.needs, self.left),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._folder.name,
            env=isolation.environment(self.needs),
            start_new_session=True,
            bufsize=0,
        )
        threading.Thread(
            target=_receive, args=(self._process.stdout, self._parts), daemon=True
        ).start()

    def _end(self) -> None:
        """Kill the child and all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        while self._parts.full():  # so that the thread that reads ends
            self._parts.get_nowait()


def _send(stream: IO[bytes], data: bytes) -> None:
    """Write all of a request; whether anybody reads it does not matter."""
    view = memoryview(data)
    with contextlib.suppress(OSError, ValueError):
        while len(view):
            view = view[os.write(stream.fileno(), view) :]


def _receive(stream: IO[bytes], parts: queue.Queue[bytes]) -> None:
    """Pass on what comes, an empty part at the end."""
    with contextlib.suppress(OSError), stream:
        while part := os.read(stream.fileno(), 2**16):
            parts.put(part)
    parts.put(b"")
