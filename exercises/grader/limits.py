"""Binds a process: what it may take, call and spend, and that it ends with its parent.

The child of the grader does this to itself before a stranger's code runs in it. Whatever only some
systems have is imported where it is used.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
import sys
import time


def limit_resources(seconds: float, memory: int) -> None:
    """Bound CPU time, memory, the size of files, open files and core dumps, for good.

    Windows has none of these bounds: there the parent's clock is all.
    """
    try:
        import resource
    except ImportError:
        return
    for name, bound in (
        ("RLIMIT_CPU", int(seconds + time.process_time()) + 20),  # the parents watch the clock
        ("RLIMIT_AS", memory),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_NOFILE", 64),
        ("RLIMIT_CORE", 0),
    ):
        try:
            resource.setrlimit(getattr(resource, name), (bound, bound))
        except (ValueError, OSError, AttributeError):  # macOS knows no bound on memory
            continue


def forget_limits() -> None:
    """Take no bound of the grader's own for one's own."""
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        _, highest = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (highest, highest))


def die_with_parent() -> None:
    """Have the kernel end this process with the one that started it (Linux)."""
    if sys.platform == "linux":
        parent, set_death_signal = os.getppid(), 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def forbid_calls(program: bytes) -> None:
    """Give the kernel a list of the system calls that are allowed from now on (seccomp).

    Args:
        program: what `allowed` made; empty where there is none.

    Raises:
        OSError: if the kernel does not take it.
    """
    if not program:
        return
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(
        set_seccomp, filter_mode, ctypes.create_string_buffer(header), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")


class OutOfTime(BaseException):
    """The time is up. No `except Exception` in the code that is stopped takes it for its own."""


def set_clock(seconds: float) -> None:
    """Stop what runs here after so long, where it is, to say in which line that was (POSIX).

    Whoever ignores it is killed a little later, from outside.
    """

    def stop(*_: object) -> None:
        raise OutOfTime

    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
