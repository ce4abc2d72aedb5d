"""The child of the grader: runs one learner's functions on inputs and sends back plain values.

It is started as `python -I -B child.py`, reads one job from standard input and writes one answer to
what was standard output. Of the course it shares a process with `exercises/learner/running.py`
alone, which says what a value on the way looks like: it knows no solution, no test and no seed.
What it answers is data that the parent unpacks, bounds and compares; nothing in it can say
"passed".

Whatever only some systems have is imported where it is used.
"""

from __future__ import annotations

import ast
import ctypes
import importlib.util
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

RUNNING = Path(__file__).resolve().parent.parent / "learner" / "running.py"


def load(file: Path) -> ModuleType:
    """A module from its file: no folder of the course is on the path of a child, nor shall be."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from exercises.learner import running
else:
    running = load(RUNNING)


# --- limits -------------------------------------------------------------------------------------


def limit_resources(seconds: float, memory: int) -> None:
    """Bound CPU time, memory, the size of files, open files and core dumps, for good.

    Windows has none of these bounds: there the parent's clock is all.
    """
    try:
        import resource
    except ImportError:
        return
    for name, bound in (
        ("RLIMIT_CPU", int(seconds) + 20),  # the imports count; the parent watches the clock
        ("RLIMIT_AS", memory),
        ("RLIMIT_FSIZE", 16 * 2**20),
        ("RLIMIT_NOFILE", 256),
        ("RLIMIT_CORE", 0),
    ):
        try:
            resource.setrlimit(getattr(resource, name), (bound, bound))
        except (ValueError, OSError, AttributeError):  # macOS knows no bound on memory
            continue


# Numbers of system calls (linux/unistd.h), for (x86-64, AArch64); None where there is none.
_CALLS: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "ptrace": (101, 117),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "io_uring_setup": (425, 425),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
}
_WRITING: dict[str, tuple[int | None, int | None]] = {
    "creat": (85, None),
    "openat2": (437, 437),
    "truncate": (76, 45),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "setxattr": (188, 5),
    "utimensat": (280, 88),
}


def forbid_calls(deny_writing: bool) -> bool:
    """Ask the kernel to refuse new processes, programs, sockets and signals to others (seccomp).

    Threads stay possible: torch wants them.

    Args:
        deny_writing: refuse also whatever changes the file system. Where bubblewrap makes it
            read-only that is not needed.

    Returns:
        whether the kernel took the filter; it is for good. False on other systems than Linux.
    """
    if sys.platform != "linux":
        return False
    machine = os.uname().machine
    if machine not in ("x86_64", "aarch64"):
        return False
    column = 0 if machine == "x86_64" else 1
    audit = (0xC000003E, 0xC00000B7)[column]
    clone, clone3, kill, tgkill = ((56, 435, 62, 234), (220, 435, 129, 131))[column]
    open_, openat = ((2, 257), (None, 56))[column]
    allow, refuse, missing = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06

    program: list[tuple[int, int, int, int]] = []
    # Another architecture's numbers, or those of the x32 interface, would walk past the list.
    program += [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, refuse)]
    program += [(load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (give, 0, 0, refuse)]
    named = {**_CALLS, **(_WRITING if deny_writing else {})}
    for number in (numbers[column] for numbers in named.values()):
        if number is not None:
            program += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    # Of clone3 the flags are out of sight; told that it is missing, glibc takes clone.
    program += [(equal, 0, 1, clone3), (give, 0, 0, missing)]

    def by_argument(call: int | None, offset: int, test: int, value: int, allow_if: bool) -> None:
        """Allow or refuse `call` by the argument at this offset; other calls go on below."""
        if call is None:
            return
        jump = (1, 0) if allow_if else (0, 1)
        program.extend([(equal, 0, 4, call), (load, 0, 0, offset), (test, *jump, value)])
        program.extend([(give, 0, 0, refuse), (give, 0, 0, allow)])

    first, second, third = 16, 24, 32  # offsets of the arguments' lower halves
    thread, writing = 0x00010000, 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000
    by_argument(clone, first, any_bit, thread, allow_if=True)
    for number in (kill, tgkill):  # to itself alone
        by_argument(number, first, equal, os.getpid(), allow_if=True)
    if deny_writing:
        by_argument(open_, second, any_bit, writing, allow_if=False)
        by_argument(openat, third, any_bit, writing, allow_if=False)
    program.append((give, 0, 0, allow))

    packed = b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("@HxxxxxxP", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0):
        return False
    refused = libc.prctl(set_seccomp, filter_mode, ctypes.create_string_buffer(header), 0, 0)
    return int(refused) == 0


# --- one job ------------------------------------------------------------------------------------


def answer(job: dict[str, Any], ready: Callable[[], object]) -> dict[str, Any]:
    """Run a job: {"results": [...]}, or {"error": ...} if the code cannot even be defined."""
    namespace: dict[str, Any] = {"__name__": "submission"}
    running.define(job["setup"], "<setup>", namespace)
    harness = dict(namespace)
    running.define(job["run"], "<run>", harness)
    run = harness.get("run", running.default_run)
    cases = running.unpack(job["cases"])
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    forbid_calls(job["deny_writing"])
    ready()  # from here on the clock of the task runs, and the learner's code too
    sources = {"<helpers>": job["helpers"], "<submission>": job["code"]}
    for node in ast.parse(job["helpers"]).body:
        try:  # one broken helper or missing import elsewhere must not cost this task
            exec(compile(ast.Module([node], []), "<helpers>", "exec"), namespace)
        except Exception:
            continue
    try:
        running.define(job["code"], "<submission>", namespace)
        function = namespace[job["function"]]
    except Exception as error:
        return {"error": running.describe(error, sources)}
    return {"results": [running.call(run, function, case, sources) for case in cases]}


def main() -> None:
    """Read a job, answer it, and be gone without any clean-up that learner's code could catch."""
    out = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):  # prints go nowhere
        os.dup2(null, stream)
    data = sys.stdin.buffer.read()
    os.dup2(null, 0)
    job = running.unpack(data)
    # The job's own bytes stay bytes on the way: they are unpacked here, in one place.
    job["cases"] = job["cases"].tobytes()
    limit_resources(job["seconds"], job["memory"])
    for path in job["paths"]:
        sys.path.append(path)
    packed = b""
    result = answer(job, lambda: os.write(out, b"R"))
    try:
        packed = running.pack(result)
    except TypeError:
        # Say which of the results is no plain value, and keep the others.
        results = []
        for one in result["results"]:
            try:
                running.pack(one)
                results.append(one)
            except TypeError as error:
                message = {"kind": "TypeError", "message": str(error)[:500], "line": ""}
                results.append({"error": message})
        packed = running.pack({"results": results})
    with os.fdopen(out, "wb") as sink:
        sink.write(packed[: running.LONGEST + 1])
    os._exit(0)


if __name__ == "__main__":
    main()
