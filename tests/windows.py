"""Makes the process that imports it look like Windows to the course: what only POSIX has is gone.

Imported by the scripts of test_windows.py. Libraries are imported first: they are those of this
system, and ask it what they like.
"""

from __future__ import annotations

import importlib.abc
import os
import signal
import subprocess
import sys
from typing import NoReturn

import numpy  # noqa: F401
import tqdm  # noqa: F401

MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
NAMES = {
    os: (
        *("fork", "forkpty", "setsid", "setpgid", "getpgid", "killpg", "getuid", "geteuid"),
        *("uname", "mkfifo", "chown", "fchown", "posix_spawn", "set_blocking", "sync"),
        *("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"),
    ),
    signal: (
        *("SIGKILL", "SIGALRM", "SIGHUP", "SIGPIPE", "SIGUSR1", "SIGCHLD", "SIGXCPU"),
        *("alarm", "setitimer", "pthread_kill", "pthread_sigmask"),
    ),
}  # fmt: skip


class _Missing(importlib.abc.MetaPathFinder):
    """Finds none of the modules that Windows has not."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name in MODULES:
            refuse(name)


def refuse(name: str) -> NoReturn:
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _replace_of_closed_files(source: str, target: str, real=os.replace, **folders: int) -> None:
    """Windows moves no file that is open."""
    links = "/proc/self/fd"
    if os.path.isdir(links):
        there = [os.path.join(links, number) for number in os.listdir(links)]
        if os.path.abspath(source) in [os.readlink(one) for one in there if os.path.islink(one)]:
            raise PermissionError(13, "in use by another process", source)
    real(source, target, **folders)


subprocess.Popen.kill = lambda self, number=signal.SIGKILL: self.send_signal(number)
for name in MODULES:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, _Missing())
for module, names in NAMES.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
os.replace = _replace_of_closed_files
sys.platform = "win32"
