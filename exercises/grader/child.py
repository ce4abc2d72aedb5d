"""The child of the grader: runs learners' functions on inputs and sends back plain values.

It is started as `python -I -B child.py`, reads jobs from standard input and writes an answer for
each to what was standard output. Of the course it has `notebook` and what that needs: it knows no
solution, no test and no seed. What it answers is data that the parent unpacks, bounds and compares;
nothing in it can say "passed".

It imports what the tasks need once, and forks for each job. Learners' code runs in the forked
process alone, which has a clock in this one, no way to write, to start or to signal anything, and
no hold on what is sent for another job. Where there is no fork it runs one job, in its own process.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

LENGTH = struct.Struct("<cQ")  # before each answer: how the job ended, and how many bytes follow
GRACE = 2.0  # seconds between the clock of a job and the one outside
READY, ANSWER, STOPPED, TOO_LONG, SPENT = b"R", b"A", b"S", b"L", b"B"


def _enter_rooms() -> None:
    """Make what stands beside this file importable, without all else of the course."""
    root = Path(__file__).resolve().parent.parent
    for name in ("exercises", "exercises.learner", "exercises.grader"):
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__path__ = [str(root / name.removeprefix("exercises").lstrip("."))]


def _leave_rooms() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "exercises"]:
        del sys.modules[name]


if __name__ == "__main__":
    _enter_rooms()
from exercises.grader import hosting, notebook  # noqa: E402
from exercises.grader.limits import (  # noqa: E402
    OutOfTime,
    die_with_parent,
    forbid_calls,
    forget_limits,
    limit_resources,
    set_clock,
)
from exercises.learner import extraction, running  # noqa: E402
from exercises.learner.withheld import withheld  # noqa: E402

if __name__ == "__main__":
    _leave_rooms()


# --- one job ------------------------------------------------------------------------------------


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """Run a function on cases: {"results": [...]}, or {"error": ...} if it cannot be defined."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    running.define(job["setup"], "<setup>", namespace)
    harness = dict(namespace)
    running.define(job["run"], "<run>", harness)
    cases = running.unpack(job.pop("cases").tobytes())
    pieces = [(str(place), str(text)) for place, text in job["pieces"]]
    calls, sources = job["filter"].tobytes(), dict(pieces)
    apart = contextlib.ExitStack()  # never closed: the process ends with the job

    def define() -> tuple[Any, Callable[[BaseException], dict[str, Any]]]:
        """The learner's function, and what to say of an error in it."""
        forbid_calls(calls)
        apart.enter_context(withheld(job["without"]))
        failed = extraction.execute(pieces, namespace)
        function = namespace.get(job["function"])
        if callable(function):
            return function, lambda error: running.describe(error, sources, failed)
        error = failed.get(job["function"], NameError(f"no function {job['function']}"))
        return None, lambda _: running.describe(error, sources)

    def serve(line: hosting.Line) -> None:
        function, describe = define()
        line.send({} if function else {"error": describe(NameError())})
        hosting.serve(line, function, describe)

    if "host" in harness and job["fork"]:
        return hosting.apart(serve, harness["host"], cases)
    set_clock(job["seconds"])
    try:
        function, describe = define()
        if function is None:
            return {"error": describe(NameError())}
        run = harness.get("host") or harness.get("run", running.default_run)
        return {"results": [running.call(run, function, case, describe) for case in cases]}
    except OutOfTime as error:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        line = running.describe(error, sources)["line"]
        where = f", in the line `{line}`. Does it end?" if line else "."
        said = f"Your code was stopped after {job['seconds']:.0f} seconds{where}"
        return {"error": {"kind": "Stopped", "message": said, "line": ""}}


def _packed(result: dict[str, Any]) -> bytes:
    """An answer as bytes; of results that are no plain values, which and why."""
    try:
        return running.pack(result)
    except (TypeError, ValueError):
        results = []
        for one in result["results"]:
            try:
                running.pack(one)
                results.append(one)
            except (TypeError, ValueError) as error:
                message = {"kind": "TypeError", "message": str(error)[:500], "line": ""}
                results.append({"error": message})
        return running.pack({"results": results})


def respond(job: dict[str, Any]) -> bytes:
    """Do one job; the bytes of its answer."""
    if "notebook" in job:
        forbid_calls(job["filter"].tobytes())
        return running.pack(notebook.read(job))
    return _packed(answer(job))


def write(stream: int, data: bytes) -> None:
    """Write all of it."""
    view = memoryview(data)
    while len(view):
        view = view[os.write(stream, view) :]


# --- many jobs ----------------------------------------------------------------------------------


def run_apart(
    job: dict[str, Any], others: list[Any], wait: float, streams: tuple[int, ...]
) -> tuple[bytes, bytes]:
    """Do a job in a forked process: how it ended, and its answer.

    Args:
        job: which.
        others: all jobs, which the forked process must not see.
        wait: seconds to give it.
        streams: to and from the grader, which the forked process must not reach.
    """
    source, sink = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setpgid(0, 0)
            for stream in (*streams, source):
                os.close(stream)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):  # prints go nowhere
                os.dup2(null, stream)
            sys.stdout = sys.stderr = os.fdopen(null, "w", encoding="utf-8")
            others.clear()
            die_with_parent()
            limit_resources(wait, job["memory"])
            write(sink, respond(job)[: running.LONGEST + 1])
        finally:  # without any clean-up that learners' code could catch
            os._exit(0)
    os.close(sink)
    try:
        return _collect(source, time.monotonic() + wait)
    finally:
        os.close(source)
        for end in (os.killpg, os.kill):  # before it has a group of its own, and after
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _collect(source: int, deadline: float) -> tuple[bytes, bytes]:
    received = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([source], [], [], left)[0]:
            return STOPPED, b""
        part = os.read(source, 2**20)
        if not part:
            return ANSWER, bytes(received)
        received += part
        if len(received) > running.LONGEST:
            return TOO_LONG, b""


# What takes seconds to import, by a word of the code that will need it.
SLOW = {"optim": "torch._dynamo", "sklearn": "sklearn.linear_model", "plt": "matplotlib.pyplot"}


def prepare(setups: list[str], paths: list[str], jobs: list[dict[str, Any]]) -> None:
    """Import what the tasks need, once for all of them, and before anybody's clock runs."""
    sys.path += [path for path in paths if path not in sys.path]
    code = "\n".join(str(job.get(part, "")) for job in jobs for part in ("run", "pieces"))
    for word, module in SLOW.items():
        if word in code:
            with contextlib.suppress(Exception):
                importlib.import_module(module)
    for setup in setups:
        running.define(setup, "<setup>", {"__name__": "__main__"})
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def main() -> None:
    """Do what is asked until nothing more is, and be gone."""
    die_with_parent()
    forget_limits()
    null = os.open(os.devnull, os.O_RDWR)
    requests, answers = os.dup(0), os.dup(1)
    for stream in (0, 1):  # nothing to be read there, and prints go nowhere
        os.dup2(null, stream)
    with os.fdopen(requests, "rb") as asked:
        while size := asked.read(8):
            request = running.unpack(asked.read(int.from_bytes(size, "little")))
            prepare(request["setups"], request["paths"], request["jobs"])
            write(answers, LENGTH.pack(READY, 0))
            left = request["seconds"]
            for job in request["jobs"]:
                began, wait = time.monotonic(), min(left, job["seconds"] + GRACE)
                if wait <= 0:
                    how, data = SPENT, b""
                elif job["fork"]:
                    how, data = run_apart(job, request["jobs"], wait, (requests, answers))
                else:
                    limit_resources(wait, job["memory"])
                    how, data = ANSWER, respond(job)
                write(answers, LENGTH.pack(how, len(data)) + data)
                left -= time.monotonic() - began
            prepare(request["ahead"], request["paths"], [])


if __name__ == "__main__":
    main()
