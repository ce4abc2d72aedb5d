"""What a learner's code may ask of the system: nothing that outlives it or reaches anybody else.

Each line stands in the answer to a task. What counts as refused is `EPERM`, the answer of the list,
and that what the line is about is not there; any other outcome of a line is none.

**Every line must be harmless should the list not hold**, whoever runs the tests, and be it root:
signals are number 0, keys and targets are none that exist, and what is changed is the process's
own. None of them is ever run without the list.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exercises.grader import allowed, isolation
from exercises.grader.conversation import Child
from exercises.learner import source
from exercises.learner.judging import Bench
from tests.test_grader_attacks import SET, is_there

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the list is Linux's")
WAYS = [way for way in ("bwrap", "limits") if is_there(way)]
BEGIN = """
import ctypes, fcntl, mmap, os, resource, signal, socket, struct, subprocess, threading, time
libc = ctypes.CDLL(None, use_errno=True)

def called(name, *arguments):
    if getattr(libc, name)(*arguments) == -1 and ctypes.get_errno() == 1:
        raise PermissionError(name)
"""
REFUSED = {
    # What got through once.
    "shared memory": 'called("shmget", 1, 1, 0)',
    "a file in shared memory": "os.open('/dev/shm', os.O_TMPFILE | os.O_RDWR)",
    "the memory of another process": 'open(f"/proc/{os.getppid()}/mem", "r+b")',
    "the memory of the first process": 'open("/proc/1/mem", "r+b")',
    "a signal with a value": 'called("sigqueue", os.getppid(), 0, None)',
    "the parent's limits": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
    # Of the same kinds.
    "its own limits": 'called("prlimit", 0, 0, struct.pack("2q", 900, 900), None)',
    "a signal": "os.kill(os.getppid(), 0)",
    "a signal to its group": "os.killpg(0, 0)",
    "a signal to a thread": 'called("tgkill", os.getpid(), os.getpid(), 0)',
    "a signal when there is something to read": "fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
    "another signal for it": "fcntl.fcntl(0, 10, signal.SIGKILL)",  # F_SETSIG
    "a descriptor of a process": "os.pidfd_open(os.getppid())",
    "memory that is a file": 'os.memfd_create("mine")',
    "secret memory": "called('syscall', 447, 0)",
    "memory that is never swapped": "called('mlock', None, 0)",
    "a queue of messages": 'called("msgget", 1, 0)',
    "semaphores": 'called("semget", 1, 1, 0)',
    "a named semaphore": "import _multiprocessing as m; m.SemLock(1, 1, 1, '/not-kept', True)",
    "a pipe": "os.pipe()",
    "a process": "os.fork()",
    "a process by vfork": "subprocess.run(['true'], check=True)",
    "a process by posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "another program": "os.execv('/bin/true', ['true'])",
    "a socket": "socket.socket()",
    "two sockets": "socket.socketpair()",
    "a clock of its own": 'called("setitimer", 0, struct.pack("4q", 0, 0, 900, 0), None)',
    "a timer": "if signal.alarm(1000) != 0: raise PermissionError",
    "life after its parent": 'called("prctl", 1, 0, 0, 0, 0)',
    "another filter": 'called("prctl", 22, 2, 0, 0, 0)',
    "a session of its own": "os.setsid()",
    "a group of its own": "os.setpgid(0, 0)",
    "a higher priority": "os.setpriority(os.PRIO_PROCESS, 0, 1)",
    "another processor": "os.sched_setaffinity(0, [0])",
    "other namespaces": 'called("unshare", 0x10000000)',
    "another root": 'os.chroot("/")',
    "a mount": 'called("mount", None, None, None, 0, None)',
    "another process's steps": 'called("ptrace", 9999, os.getppid(), 0, 0)',
    "another process's bytes": 'called("process_vm_readv", os.getppid(), None, 0, None, 0, 0)',
    "rings of calls": "called('syscall', 425, 1, 0)",
    "a program in the kernel": "called('syscall', 321, 0, 0, 0)",
    "keys": "called('syscall', 250, 0, 0, 0)",
    "faults": "called('syscall', 323, 1)",
    "counters": "called('syscall', 298, 0, 0, -1, -1, 0)",
    "the calls of another interface": "called('syscall', 0x40000000 + 39)",
    "an empty file": "open('mine', 'w')",
    "a folder": "os.mkdir('mine')",
    "a link": "os.symlink('/', 'mine')",
    "a file without a name": "os.open('.', os.O_TMPFILE | os.O_RDWR)",
    "a file to append to": "os.open('mine', os.O_APPEND | os.O_CREAT)",
    "a named pipe": "os.mkfifo('mine')",
    "other rights": "os.chmod('.', 0o777)",
    "another time": "os.utime('.')",
    "what is printed to a terminal": "fcntl.ioctl(0, 0x5412, b'x')",
}
KILLED = {"the calls of another interface"}  # whoever makes one is ended
ALLOWED = {
    "nothing": "pass",
    "reading": "open(os.__file__).read(10)",
    "a look at a folder": "os.listdir('/')",
    "a thread": "t = threading.Thread(target=print); t.start(); t.join()",
    "a pause": "time.sleep(0.01)",
    "memory": "mmap.mmap(-1, 2**20)",
    "chance": "os.urandom(4)",
    "its own limits, to read": "resource.getrlimit(resource.RLIMIT_AS)",
    "what the machine is": "os.uname(), os.cpu_count()",
    "a terminal?": "os.isatty(0)",
    "a print": "print('hello', flush=True)",
    "a seed": "np.random.default_rng().normal()",
}


ANSWER = """def double(x):
    try:
        {}
    except (PermissionError, FileNotFoundError):
        return "refused"
    return 2 * x"""


@pytest.fixture(scope="module")
def outcome() -> dict[tuple[str, str], object]:
    """What the answer with each line comes to, by isolation and name."""
    task = source.parse(SET, "ch99-attack").tasks[0]
    bench, every, found = Bench(task), {**REFUSED, **ALLOWED}, {}
    assert allowed.program()
    for way in WAYS:
        jobs = [
            (task, [("", BEGIN), ("", ANSWER.format(line))], bench.cases) for line in every.values()
        ]
        with Child(isolation.choose(way), (), 300) as child:
            for name, came in zip(every, child.run(jobs), strict=True):
                (result,) = came.get("results", [came])
                is_right = "results" in came and bench.verdict(came["results"]).passed
                found[way, name] = "passed" if is_right else result.get("value", result)
    return found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", REFUSED)
def test_the_kernel_refuses(outcome, way, name):
    if name in KILLED:
        assert outcome[way, name]["error"]["message"] == "Your code ended without a result."
    else:
        assert outcome[way, name] == "refused"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ALLOWED)
def test_the_kernel_allows(outcome, way, name):
    assert outcome[way, name] == "passed"


OUTLIVE = """
import sys
from exercises.grader import isolation
from exercises.grader.conversation import Child
from exercises.learner import source
from exercises.learner.judging import Bench
from tests.test_grader_attacks import SET
task = source.parse(SET, "ch99-attack").tasks[0]
code = "def double(x):\\n    while True:\\n        pass"
with Child(isolation.choose(sys.argv[1]), (), 300) as child:
    list(child.run([(task, [("", code)], Bench(task).cases)]))
"""


def descendants(process: int) -> set[int]:
    """The processes below one."""
    found: set[int] = set()
    for task in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((task / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
        if parent == process:
            found |= {int(task.name)} | descendants(int(task.name))
    return found


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_no_child_outlives_a_grader_that_is_killed(way):
    root = Path(__file__).resolve().parent.parent
    grader = subprocess.Popen([sys.executable, "-c", OUTLIVE, way], cwd=root)
    children: set[int] = set()
    for _ in range(300):
        children = descendants(grader.pid)
        if len(children) >= 2:  # one that waits and one that runs the learner's code
            break
        time.sleep(0.1)
    assert len(children) >= 2
    os.kill(grader.pid, signal.SIGKILL)
    grader.wait()
    for _ in range(100):
        if not any(map(is_alive, children)):
            break
        time.sleep(0.1)
    assert not any(map(is_alive, children))
