"""Where a learner's code runs: a child with nothing to read, to write to or to talk to.

Four ways, the strongest that the machine has:

- `bwrap`: bubblewrap, in namespaces of its own: no network, no other process in sight, and of the
  file system only the Python installation, read-only.
- `container`: the image of `exercises/grader/Containerfile`, through podman or docker.
- `limits`: the child alone. It can read what the grader can read, so the report says which way was
  taken.
- `clock`: the child alone on a system that bounds nothing (Windows). It is stopped when its time is
  up, and that is all: for one's own work, never for a class.

In the first three a learner's code has bounds of time and memory, and on Linux only the system
calls that `allowed` lists: it can write nowhere, and start, signal or connect to nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from exercises.grader import allowed
from exercises.learner.source import FOLDER

CHILD = Path(__file__).resolve().with_name("child.py")
# What a child runs, in the folders that it looks for it in; `Containerfile` copies the same.
_OWN = (
    ("child", "notebook", "hosting", "limits"),
    ("running", "statements", "extraction", "withheld"),
)
INSIDE = {
    FOLDER / room / f"{name}.py": f"/exercises/{room}/{name}.py"
    for room, names in zip(("grader", "learner"), _OWN, strict=True)
    for name in names
}
KINDS = ("bwrap", "container", "limits", "fork", "clock")
IMAGE = "minibert-grader:5"  # a new number when an older image would not do
MEMORY = 6 * 2**30  # bytes of address space; torch alone maps more than one
STARTING = 120.0  # seconds for Python and torch to start, on however busy a machine
SPACE = 2**20  # bytes for what packages write when they are imported; learners' code writes nothing
READING = 20.0  # seconds to find in a notebook what runs, and
READING_ALL = 40.0  # for all notebooks of a learner


@dataclass(frozen=True)
class Isolation:
    """kind: of `KINDS`; program: bwrap, podman or docker."""

    kind: str
    program: str = ""


def choose(wanted: str = "auto", own: bool = False) -> Isolation:
    """The strongest isolation that this machine has, or the one that is asked for.

    Args:
        wanted: of `KINDS`, or "auto".
        own: whether what runs is one's own work, which is trusted: on Linux a process forked from
            this one does for it, with limits and without starting torch again; else a clock may.

    Raises:
        ValueError: if what is asked for is not to be had.
    """
    if wanted not in ("auto", *KINDS):
        raise ValueError(f"no isolation {wanted}: known are auto, {', '.join(KINDS)}")
    if own and wanted in ("auto", "fork") and sys.platform == "linux":
        return Isolation("fork")
    if own and (wanted == "clock" or (wanted == "auto" and not _has_limits())):
        return Isolation("clock")
    if not _has_limits():
        raise ValueError(
            "grading other people's submissions needs Linux (bubblewrap) or macOS (limits), or on "
            "Windows WSL; here you can grade your own work: python -m exercises grade"
        )
    if wanted in ("fork", "clock"):
        raise ValueError(f"{wanted} alone is for your own work: python -m exercises grade")
    bwrap = shutil.which("bwrap")
    engine = shutil.which("podman") or shutil.which("docker")
    if sys.platform == "linux" and not own and not allowed.program():
        raise ValueError(
            "grading other people's submissions needs libseccomp, to hold them to a list of system "
            "calls: pip install pyseccomp, and on a system without it apt install libseccomp2"
        )
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


def readable(needs: Collection[str]) -> list[Path]:
    """What of the course the child of tasks with these needs may read besides Python itself."""
    if not {"minibert", "minilm"} & set(needs):
        return []
    import minibert

    paths = [Path(minibert.__file__).resolve().parent]
    if "minilm" in needs:
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


def environment(needs: Collection[str]) -> dict[str, str]:
    """The variables that a child sees."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "TORCHINDUCTOR_CACHE_DIR": "/tmp",  # there; to make one is forbidden when torch wants it
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
    if "minilm" in needs:
        from minibert.data import download

        environment["MINIBERT_HOME"] = str(download.home())
    # Without the first Windows starts no Python.
    kept = ("SYSTEMROOT", "TEMP") if sys.platform == "win32" else ()
    return environment | {name: os.environ[name] for name in kept if name in os.environ}


def command(isolation: Isolation, needs: Collection[str], seconds: float) -> list[str]:
    """The command line that starts a child for tasks with these needs."""
    python = ["-I", "-B"]
    if isolation.kind in ("limits", "clock"):
        return [sys.executable, *python, str(CHILD)]
    if isolation.kind == "container":
        limits = ["--network=none", "--read-only", "--cap-drop=ALL", "--pids-limit=64", "--cpus=1"]
        limits += [f"--memory={MEMORY}", "--security-opt=no-new-privileges", "--ipc=none"]
        limits += [f"--tmpfs=/tmp:size={SPACE}", "--workdir=/tmp", "--entrypoint=timeout"]
        limits += [f"--volume={path}:{path}:ro" for path in readable(needs)]
        limits += [f"--env={k}={v}" for k, v in environment(needs).items()]
        # Killing the client leaves its container running: that has a clock of its own.
        clock = ["-s", "KILL", str(round(STARTING + READING_ALL + seconds))]
        run = [isolation.program, "run", "--rm", "--interactive", *limits, IMAGE, *clock]
        return [*run, "python", *python, INSIDE[CHILD]]
    words = [isolation.program, *_namespaces(), "--clearenv"]
    for name, value in environment(needs).items():
        words += ["--setenv", name, value]
    for device in ("null", "zero", "urandom", "random"):
        words += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    words += ["--ro-bind", "/proc/cpuinfo", "/proc/cpuinfo"]  # torch looks for its vector units
    for folder in _python_folders():
        if os.path.islink(folder):  # /bin and /lib are links into /usr on many systems
            words += ["--symlink", os.readlink(folder), folder]
        else:
            words += ["--ro-bind", folder, folder]
    for path in readable(needs):
        words += ["--ro-bind", str(path), str(path)]
    for file, inside in INSIDE.items():
        words += ["--ro-bind", str(file), inside]
    words += ["--size", str(SPACE), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"]
    return [*words, sys.executable, *python, INSIDE[CHILD]]
