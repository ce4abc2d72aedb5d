"""The system calls that a submission may make: a list for Linux to hold it to (seccomp).

All others are refused: to start or signal anything, to connect to anybody, to write a file, to keep
memory that no limit counts. `libseccomp`, which every Debian, Ubuntu and Fedora has since their
package managers need it, makes of the list a program for the kernel; a child installs that itself
(`limits.forbid_calls`), when all that it needs is imported, and so needs no library.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from functools import cache

# What Python, numpy and torch call while they compute, and threads need.
ANYHOW = [
    "read", "readv", "pread64", "preadv", "write", "writev", "close", "close_range", "lseek",
    "fstat", "newfstatat", "stat", "lstat", "statx", "fstatfs", "statfs", "access", "faccessat",
    "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "fadvise64", "dup", "dup2",
    "dup3", "poll", "ppoll", "select", "pselect6", "mmap", "munmap", "mremap", "mprotect",
    "madvise", "brk", "membarrier", "futex", "sched_yield", "sched_getaffinity",
    "sched_getscheduler", "sched_getparam", "set_robust_list", "rseq", "getpid", "gettid",
    "getppid", "getuid", "geteuid", "getgid", "getegid", "uname", "sysinfo", "getrusage",
    "times", "getcpu", "clock_gettime", "clock_getres", "gettimeofday", "time", "nanosleep",
    "clock_nanosleep", "getrandom", "getrlimit", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "sigaltstack", "restart_syscall", "exit", "exit_group",
]  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
THREAD = 0x00010000  # CLONE_THREAD
# Of fcntl: copies and flags, but not who gets a signal (F_SETOWN) nor how much a pipe holds.
FCNTL = (0, 1, 2, 3, 4, 1030)
IOCTL = (0x5401, 0x5413, 0x5450, 0x5451)  # is it a terminal, how wide; close on exec or not


@cache
def program() -> bytes:
    """The list as the kernel's program, for this machine; empty where it cannot be made.

    It can on Linux, with the package `pyseccomp` and the system's libseccomp.
    """
    if sys.platform != "linux":
        return b""
    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError, OSError):  # not installed, or the library is not there
        return b""
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in ANYHOW:
        try:
            rules.add_rule(seccomp.ALLOW, name)
        except (ValueError, OSError):  # a call that this architecture does not have
            continue
    flags = [("open", 1), ("openat", 2)]
    for name, place in flags:  # to read
        rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(place, seccomp.MASKED_EQ, WRITING, 0))
    rules.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, THREAD, THREAD))
    # Its flags are out of sight; told that it is missing, the C library takes clone.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    # One's own limits to read, nobody's to set.
    own = (seccomp.Arg(0, seccomp.EQ, 0), seccomp.Arg(2, seccomp.EQ, 0))
    rules.add_rule(seccomp.ALLOW, "prlimit64", *own)
    for name, commands in (("fcntl", FCNTL), ("ioctl", IOCTL)):
        for number in commands:
            rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(1, seccomp.EQ, number))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
