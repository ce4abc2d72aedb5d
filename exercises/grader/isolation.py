"""Where a learner's code runs: a child with nothing to read, to write to or to talk to.

Four ways, the strongest that the machine has:

- `bwrap`: bubblewrap, in namespaces of its own: no network, no other process in sight, and of the
  file system only the Python installation, read-only, and an empty folder in memory.
- `container`: the image of `exercises/grader/Containerfile`, through podman or docker.
- `limits`: the child alone. It still bounds its time, memory and file sizes, and (on Linux) has
  the kernel refuse it sockets, new processes, signals to others and every change of a file; but
  it can read what the grader can read, so the report says which way was taken.
- `clock`: the child alone on a system that bounds nothing (Windows). It is stopped when its time is
  up, and that is all: for one's own work, never for a class.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

from exercises.learner import running
from exercises.learner.source import FOLDER, Task

CHILD = Path(__file__).resolve().with_name("child.py")
# What a child runs, in the folders that it looks for it in; `Containerfile` copies the same.
INSIDE = {
    CHILD: "/exercises/grader/child.py",
    FOLDER / "learner" / "running.py": "/exercises/learner/running.py",
}
KINDS = ("bwrap", "container", "limits", "clock")
IMAGE = "minibert-grader:2"  # a new number when an older image would not do
MEMORY = 6 * 2**30  # bytes of address space; torch alone maps more than one
STARTING = 120.0  # seconds for Python and torch to start, on however busy a machine
SPACE = 32 * 2**20  # bytes that a submission may write, into memory


@dataclass(frozen=True)
class Isolation:
    """kind: of `KINDS`; program: bwrap, podman or docker."""

    kind: str
    program: str = ""


def choose(wanted: str = "auto", own: bool = False) -> Isolation:
    """The strongest isolation that this machine has, or the one that is asked for.

    Args:
        wanted: of `KINDS`, or "auto".
        own: whether what runs is one's own work, which is trusted: a clock may do for it.

    Raises:
        ValueError: if what is asked for is not to be had.
    """
    if wanted not in ("auto", *KINDS):
        raise ValueError(f"no isolation {wanted}: known are auto, {', '.join(KINDS)}")
    if own and (wanted == "clock" or (wanted == "auto" and not _has_limits())):
        return Isolation("clock")
    if not _has_limits():
        raise ValueError(
            "grading other people's submissions needs Linux (bubblewrap) or macOS (limits), or on "
            "Windows WSL; here you can grade your own work: python -m exercises grade"
        )
    if wanted == "clock":
        raise ValueError("a clock alone is for your own work: python -m exercises grade")
    bwrap = shutil.which("bwrap")
    engine = shutil.which("podman") or shutil.which("docker")
    if wanted in ("auto", "bwrap") and bwrap and _works(bwrap):
        return Isolation("bwrap", bwrap)
    if wanted in ("auto", "container") and engine and _has_image(engine):
        return Isolation("container", engine)
    if wanted in ("auto", "limits"):
        return Isolation("limits")
    if wanted == "bwrap":
        raise ValueError("bwrap does not work here: install bubblewrap, or take another isolation")
    raise ValueError(
        f"no image {IMAGE}: podman build -t {IMAGE} -f exercises/grader/Containerfile ."
    )


def _has_limits() -> bool:
    """Whether this system can bound what a process takes. Windows cannot."""
    try:
        import resource
    except ImportError:
        return False
    return hasattr(resource, "setrlimit")


@cache
def _works(bwrap: str) -> bool:
    command = [bwrap, *_namespaces(), "--ro-bind", "/", "/", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@cache
def _has_image(engine: str) -> bool:
    command = [engine, "image", "inspect", IMAGE]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _namespaces() -> list[str]:
    return ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]


def readable(task: Task) -> list[Path]:
    """What of the course a task's child may read besides Python itself."""
    if not {"minibert", "minilm"} & set(task.needs):
        return []
    import minibert

    paths = [Path(minibert.__file__).resolve().parent]
    if "minilm" in task.needs:
        from minibert.data import download

        paths.append(download.home())
    return paths


def _python_folders() -> list[str]:
    """The folders that Python, its packages and its libraries live in."""
    system = ["/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin"]
    single = ["/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"]
    paths = sysconfig.get_paths()
    own = [sys.prefix, sys.base_prefix, sys.exec_prefix, paths["purelib"], paths["stdlib"]]
    own.append(str(Path(sys.executable).resolve().parent.parent))
    kept: list[str] = []
    for folder in dict.fromkeys([*system, *single, *own]):
        # The root itself would show everything; what lies below one that is there is there.
        if folder != "/" and os.path.exists(folder):
            kept.append(folder)
    return kept


def _environment(task: Task) -> dict[str, str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    if "minilm" in task.needs:
        from minibert.data import download

        environment["MINIBERT_HOME"] = str(download.home())
    # Without the first Windows starts no Python.
    kept = ("SYSTEMROOT", "TEMP") if sys.platform == "win32" else ()
    return environment | {name: os.environ[name] for name in kept if name in os.environ}


def command(isolation: Isolation, task: Task) -> list[str]:
    """The command line that starts a child for a task."""
    python = ["-I", "-B"]
    if isolation.kind in ("limits", "clock"):
        return [sys.executable, *python, str(CHILD)]
    if isolation.kind == "container":
        limits = ["--network=none", "--read-only", "--cap-drop=ALL", "--pids-limit=64"]
        limits += [f"--memory={MEMORY}", "--security-opt=no-new-privileges"]
        limits += [f"--tmpfs=/tmp:size={SPACE}", "--workdir=/tmp", "--entrypoint=timeout"]
        limits += [f"--volume={path}:{path}:ro" for path in readable(task)]
        limits += [f"--env={k}={v}" for k, v in _environment(task).items()]
        # Killing the client leaves its container running: that has a clock of its own.
        clock = ["-s", "KILL", str(round(STARTING + task.seconds))]
        run = [isolation.program, "run", "--rm", "--interactive", *limits, IMAGE, *clock]
        return [*run, "python", *python, INSIDE[CHILD]]
    words = [isolation.program, *_namespaces(), "--clearenv"]
    for name, value in _environment(task).items():
        words += ["--setenv", name, value]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(SPACE), "--tmpfs", "/tmp"]
    for folder in _python_folders():
        if os.path.islink(folder):  # /bin and /lib are links into /usr on many systems
            words += ["--symlink", os.readlink(folder), folder]
        else:
            words += ["--ro-bind", folder, folder]
    for path in readable(task):
        words += ["--ro-bind", str(path), str(path)]
    for file, inside in INSIDE.items():
        words += ["--ro-bind", str(file), inside]
    words += ["--remount-ro", "/", "--chdir", "/tmp"]
    return [*words, sys.executable, *python, INSIDE[CHILD]]


def run(
    isolation: Isolation, task: Task, code: str, helpers: str, cases: list[dict[str, Any]]
) -> dict[str, Any]:
    """Run a learner's function on cases in a child.

    Returns:
        {"results": [...]}, as many as there are cases; or {"error": {"kind", "message", "line"}}
        for the task as a whole. Whatever the child does, this returns.
    """
    paths = [str(path.parent) for path in readable(task)[:1]]  # where `minibert` is imported from
    job = {
        "setup": task.setup,
        "run": task.run,
        "function": task.function,
        "code": code,
        "helpers": helpers,
        "seconds": task.seconds,
        "memory": MEMORY,
        "paths": paths,
        "deny_writing": isolation.kind == "limits",
        "cases": np.frombuffer(running.pack(cases), dtype=np.uint8),
    }
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            command(isolation, task),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=_environment(task),
            start_new_session=True,
            bufsize=0,
        )
        try:
            data, reason = _converse(process, running.pack(job), task.seconds)
        finally:
            _end(process)
    if reason:
        return {"error": {"kind": "Stopped", "message": reason, "line": ""}}
    return checked(data, len(cases))


def checked(data: bytes, count: int) -> dict[str, Any]:
    """What a child sent, if it has the form of an answer; else an error.

    A child is not believed: whatever it sends is data of a known form, or nothing.
    """
    nothing = {"kind": "Nothing", "message": "Your code ended without a result.", "line": ""}
    if not data:
        return {"error": nothing}
    try:
        answer = running.unpack(data, running.LONGEST_TREE)
    except ValueError:
        return {"error": nothing | {"message": "What came back is no result."}}
    if not isinstance(answer, dict):
        return {"error": nothing | {"message": "What came back is no result."}}
    if "error" in answer:
        return {"error": _error(answer["error"])}
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != count:
        return {"error": nothing | {"message": "What came back is not one result for each input."}}
    kept: list[dict[str, Any]] = []
    for result in results:
        if isinstance(result, dict) and set(result) == {"value"}:
            kept.append({"value": result["value"]})
        else:
            kept.append({"error": _error(result.get("error") if isinstance(result, dict) else 0)})
    return {"results": kept}


def _error(error: Any) -> dict[str, str]:
    fields: Mapping[Any, Any] = error if isinstance(error, dict) else {}
    texts = {key: fields.get(key, "") for key in ("kind", "message", "line")}
    return {key: value[:500] if isinstance(value, str) else "" for key, value in texts.items()}


def _send(stream: IO[bytes], job: bytes) -> None:
    """Write all of a job; whether anybody reads it does not matter."""
    view = memoryview(job)
    with contextlib.suppress(OSError), stream:
        while len(view):
            view = view[os.write(stream.fileno(), view) :]


def _receive(stream: IO[bytes], parts: queue.SimpleQueue[bytes]) -> None:
    """Pass on what comes, an empty part at the end; no more than a grader reads."""
    count = 0
    with contextlib.suppress(OSError), stream:
        while count <= running.LONGEST and (part := os.read(stream.fileno(), 2**20)):
            count += len(part)
            parts.put(part)
    parts.put(b"")


def _converse(process: subprocess.Popen[bytes], job: bytes, seconds: float) -> tuple[bytes, str]:
    """Send the job, wait for the sign that the child is ready, then for its answer.

    A thread writes and a thread reads: that works on every system, and neither waits for the other.
    Each ends, and closes its stream, when the child is done or killed.

    Returns:
        the answer, and a reason where the child was not waited for any longer.
    """
    parts: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    assert process.stdin is not None
    assert process.stdout is not None
    threading.Thread(target=_send, args=(process.stdin, job), daemon=True).start()
    threading.Thread(target=_receive, args=(process.stdout, parts), daemon=True).start()
    received = bytearray()
    deadline, is_ready = time.monotonic() + STARTING, False
    while True:
        try:
            left = deadline - time.monotonic()
            part = parts.get(timeout=left) if left > 0 else None
        except queue.Empty:
            part = None
        if part is None:
            stopped = f"Your code was stopped after {seconds:.0f} seconds."
            return b"", stopped if is_ready else "The grader could not start Python in time."
        if not part:
            return bytes(received[1:]), ""
        if not is_ready:
            is_ready, deadline = True, time.monotonic() + seconds
        received += part
        if len(received) > running.LONGEST:
            return b"", "Your code returned more than a grader reads."


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and all that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
