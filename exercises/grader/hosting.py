"""Call a learner's function in a process of its own, from one that the function cannot reach.

A task whose check counts what a function does, or hides something from it, has a `host` in its run
cell instead of a `run`: it runs here, and what it hands to the function may be callable. Arguments
and results go from one process to the other as plain values; a call of such an argument comes back.

It runs in the child, with nothing of the course but `running`.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable
from typing import Any

from exercises.learner import running
from exercises.learner.running import Run


class FailedError(Exception):
    """An error of the learner's function: described, where it arose."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.error = error


class Line:
    """Plain values to and from another process."""

    def __init__(self, source: int, sink: int) -> None:
        self.source, self.sink = source, sink

    def send(self, value: Any) -> None:
        """Send a value.

        Raises:
            TypeError: if it is no plain value.
        """
        data = running.pack(value)
        view = memoryview(len(data).to_bytes(8, "little") + data)
        while len(view):
            view = view[os.write(self.sink, view) :]

    def receive(self) -> Any:
        """What the other sends.

        Raises:
            EOFError: if it is gone, or sends too much.
            ValueError: if it sends anything else.
        """
        size = int.from_bytes(self._bytes(8), "little")
        if size > running.LONGEST:
            raise EOFError
        return running.unpack(self._bytes(size))

    def _bytes(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            part = os.read(self.source, count - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)


def call(line: Line, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Have the other process call the learner's function, and answer its calls until it returns."""
    given: dict[int | str, Any] = dict(enumerate(args))
    given.update(kwargs)
    handed = {key: value for key, value in given.items() if callable(value)}
    rest = {key: None if key in handed else value for key, value in given.items()}
    line.send({"given": rest, "callable": list(handed)})
    while True:
        said = line.receive()
        if "call" not in said:
            break
        try:
            line.send({"value": handed[said["call"]](*said["args"], **said["kwargs"])})
        except Exception as error:
            line.send({"error": running.describe(error, {})})
    if "error" in said:
        raise FailedError(said["error"])
    return said["value"]


def results(line: Line, host: Run, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One result a case: {"value": ...} or {"error": ...}."""
    found = []
    for case in cases:
        try:
            value = host(lambda *args, **kwargs: call(line, args, kwargs), case)
            found.append({"value": value})
        except FailedError as failed:
            found.append({"error": failed.error})
        except EOFError:
            os._exit(0)  # the function has ended its process: there is no result
        except Exception as error:
            found.append({"error": running.describe(error, {})})
    return found


def serve(
    line: Line, function: Callable[..., Any], describe: Callable[[BaseException], dict[str, Any]]
) -> None:
    """Be the other process: call the function as often as it is asked for."""

    def reach(key: Any) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Any:
            line.send({"call": key, "args": list(args), "kwargs": kwargs})
            said = line.receive()
            if "error" in said:
                kind = getattr(builtins, said["error"]["kind"], RuntimeError)
                raise kind(said["error"]["message"])
            return said["value"]

        return ask

    while True:
        asked = line.receive()
        given = asked["given"] | {key: reach(key) for key in asked["callable"]}
        args = [given[key] for key in given if isinstance(key, int)]
        kwargs = {key: value for key, value in given.items() if isinstance(key, str)}
        try:
            line.send({"value": function(*args, **kwargs)})
        except (Exception, SystemExit) as error:
            line.send({"error": describe(error)})


def _close_all_but(*streams: int) -> None:
    """Close whatever is open but these and the first three: above all, where answers go."""
    first = 3
    for stream in sorted(streams):
        os.closerange(first, stream)
        first = stream + 1
    os.closerange(first, 1024)


def apart(learner: Callable[[Line], None], host: Run, cases: list[Any]) -> dict[str, Any]:
    """Run a host on cases, with a learner's function that is in a forked process.

    Args:
        learner: defines the function there, says {} or {"error": ...}, and serves it.
        host: the task's.
        cases: its inputs, which the forked process does not have.

    Returns:
        as `child.answer`.
    """
    to_learner, from_learner = os.pipe(), os.pipe()
    if not os.fork():
        try:
            _close_all_but(to_learner[0], from_learner[1])
            cases.clear()  # what they hide, they hide from the function
            learner(Line(to_learner[0], from_learner[1]))
        finally:
            os._exit(0)
    os.close(to_learner[0])
    os.close(from_learner[1])
    line = Line(from_learner[0], to_learner[1])
    try:
        said = line.receive()
    except EOFError:
        os._exit(0)
    return said if "error" in said else {"results": results(line, host, cases)}
