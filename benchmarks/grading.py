"""How long a class takes to grade, some of it hostile, and whether the grader's memory stays flat.

    python benchmarks/grading.py [--submissions 200] [--hostile 20] [--set NAME] [--jobs 1]

Makes a class out of a set's solutions, misconceptions and stubs, and of notebooks that want time,
memory, points or harm, each in another way; grades it as an instructor would, through the command,
and compares every grade with the one that is right. Writes `benchmarks/results/grading.json`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from exercises.grader import isolation
from exercises.grader.commands import main as command
from exercises.grader.results import Store, safe_name
from exercises.learner.source import ExerciseSet, Task, load

RESULT = Path(__file__).with_name("results") / "grading.json"
BEGIN = "import ctypes, json, os, pickle, signal, struct, time\nimport numpy as np\nimport torch\n"
# What stands in place of each answer of a hostile submission; NAME is the task's function. What is
# to be refused is harmless where it is not: no signal is sent, and no limit set.
HOSTILE = {
    "a number of 400 digits": "def NAME(*a, **k):\n    return 10**400",
    "half a character in an error": "def NAME(*a, **k):\n    raise ValueError('\\ud800')",
    "a literal of 5,000 digits": f"def NAME(*a, **k):\n    return {'7' * 5000}",
    "a forged answer, its header broken": (
        "def NAME(*a, **k):\n"
        '    tree = b\'{"": "array", "type": "((((<f8", "shape": [0, 1099511627776]}\'\n'
        "    for stream in range(64):\n        try:\n"
        "            os.write(stream, struct.pack('<Q', len(tree)) + tree)\n"
        "        except OSError:\n            pass\n    os._exit(0)"
    ),
    "a name in GBK": "def NAME(*a, **k):\n    return '\\x00' * 2**23",
    "a stored result that is null": "def NAME(*a, **k):\n    time.sleep(3600)",
    "a chain of 9,000 functions": (
        "".join(f"def f{i}(): return f{i - 1}()\n" for i in range(1, 9000))
        + "def f0(): pass\ndef NAME(*a, **k): f8999()"
    ),
    "a cell of nine megabytes": "x = 1\n" * 1_500_000 + "def NAME(*a, **k): pass",
    "an alias bomb": (
        "def NAME(*a, **k):\n    tree = [0]\n    for _ in range(18):\n        tree = [tree] * 10\n"
        "    return tree"
    ),
    "a number that sizes a bincount": "def NAME(*a, **k):\n    return torch.full((600,), 2**40)",
    "50,000 tiny arrays": "def NAME(*a, **k):\n    return [torch.ones(1)] * 50_000",
    "a file in shared memory": (
        "def NAME(*a, **k):\n    file = os.open('/dev/shm', os.O_TMPFILE | os.O_RDWR)\n"
        "    while True:\n        os.write(file, bytes(2**20))"
    ),
    "the memory of the first process": (
        'def NAME(*a, **k):\n    return open("/proc/1/mem", "r+b").read(8)'
    ),
    "SysV shared memory": (
        "def NAME(*a, **k):\n    return ctypes.CDLL(None).shmget(1, 2**30, 0o1600)"
    ),
    "a signal with a value": (
        "def NAME(*a, **k):\n    return ctypes.CDLL(None).sigqueue(os.getppid(), 0, None)"
    ),
    "limits of the parent": (
        "import resource\n"
        "def NAME(*a, **k):\n    return resource.prlimit(os.getppid(), resource.RLIMIT_CPU)"
    ),
    "a fork bomb": "def NAME(*a, **k):\n    for _ in range(40):\n        os.fork()",
    "an endless loop": "def NAME(*a, **k):\n    while True:\n        pass",
    "endless output": (
        "def NAME(*a, **k):\n    while True:\n        os.write(1, bytes(2**20))\n"
        "        print('x' * 2**20)"
    ),
    "a huge pickle": (
        "def NAME(*a, **k):\n    data = pickle.dumps(bytearray(2**30))\n"
        "    for stream in range(3, 64):\n        try:\n            os.write(stream, data)\n"
        "        except OSError:\n            pass\n    return data"
    ),
    # Beyond twenty.
    "all memory": "def NAME(*a, **k):\n    kept = []\n    while True:\n"
    "        kept.append(bytearray(2**26))",
    "brackets in brackets": "NAME = " + "[" * 90_000,
    "lines that are no Python": "%time x\n" * 20_000 + "def NAME(*a, **k): pass",
    "minus minus": "def NAME(*a, **k):\n    return " + "-" * 200_000 + "1",
    "a crash": "def NAME(*a, **k):\n    ctypes.string_at(0)",
}
GBK = "张伟".encode("gb18030")


def answer(task: Task, draw: random.Random) -> tuple[str, bool]:
    """Three in five right in one of two ways, one in ten untouched, the others wrong."""
    choice = draw.random()
    if choice < 0.6:
        return draw.choice([task.solution, task.alternative]), True
    return task.stub if choice < 0.7 else draw.choice(task.misconceptions).code, False


def hand_in(path: bytes, exercises: ExerciseSet, texts: list[str]) -> None:
    """Write a notebook with one cell for each task."""
    cells = [
        {"cell_type": "code", "metadata": {"minibert_task": task.id}, "source": text}
        for task, text in zip(exercises.tasks, texts, strict=True)
    ]
    content = {"cells": cells, "metadata": {"minibert_exercises": {"set": exercises.name}}}
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(content, stream)


def make_class(
    folder: Path, store: Store, exercises: ExerciseSet, count: int, hostile: int
) -> dict[str, int]:
    """Write all submissions; the points that each must have."""
    draw = random.Random(0)
    wanted = {}
    for number in range(count - hostile):
        both = [answer(task, draw) for task in exercises.tasks]
        name = f"learner{number:03}"
        hand_in(os.fsencode(folder / f"{name}.ipynb"), exercises, [text for text, _ in both])
        points = zip(exercises.tasks, (right for _, right in both), strict=True)
        wanted[name] = sum(task.points * right for task, right in points)
    for number, (kind, text) in enumerate(list(HOSTILE.items())[:hostile]):
        name = f"hostile{number:03}"
        texts = [BEGIN + text.replace("NAME", task.function) for task in exercises.tasks]
        if kind == "a cell of nine megabytes":
            texts = [text.replace("NAME", exercises.tasks[0].function)]
            texts += [""] * (len(exercises.tasks) - 1)
        path = os.fsencode(folder / f"{name}.ipynb")
        if kind == "a name in GBK":
            path, name = os.fsencode(folder) + b"/" + GBK + b".ipynb", "张伟"
        hand_in(path, exercises, texts)
        if kind == "a stored result that is null":
            for file in ("files", exercises.name):
                stored = store.folder / safe_name(name) / f"{file}.json"
                stored.parent.mkdir(parents=True, exist_ok=True)
                stored.write_text("null")
        wanted[name] = 0
    return wanted


class Watch(threading.Thread):
    """Looks again and again how much memory the grader's own processes take (Linux)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most: dict[str, int] = {}

    def run(self) -> None:
        """Keep the peak of each kind: the process itself, and its workers."""
        while True:
            for path in Path("/proc").glob("[0-9]*"):
                try:
                    words = (path / "cmdline").read_bytes().split(b"\0")
                    status = (path / "status").read_text()
                    parent = int(status.split("PPid:")[1].split()[0])
                except (OSError, IndexError):
                    continue
                kind = self.kind(int(path.name), parent, b" ".join(words))
                if kind and "VmHWM:" in status:
                    peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
                    self.most[kind] = max(peak, self.most.get(kind, 0))
            time.sleep(0.2)

    def kind(self, process: int, parent: int, command: bytes) -> str:
        """Which part of the grader a process is; "" if it is none."""
        if process == os.getpid():
            return "the grader"
        if parent == os.getpid() and b"spawn_main" in command:
            return "a worker"
        return ""


def main() -> None:
    """Make a class, grade it, print and keep what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--hostile", type=int, default=20)
    parser.add_argument("--set", default="ch05-attention")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    exercises = load(options.set)
    watch = Watch()
    watch.start()
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary) / "submissions", Path(temporary) / "report"
        folder.mkdir()
        store = Store(out / "results")
        wanted = make_class(folder, store, exercises, options.submissions, options.hostile)
        seed = Path(temporary) / "seed.txt"
        seed.write_text("a benchmark")
        words = ["grade", str(folder), "--seed-file", str(seed), "--out", str(out)]
        started = time.perf_counter()
        status = command([*words, "--sets", options.set, "--jobs", str(options.jobs)])
        seconds = time.perf_counter() - started
        with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as stream:
            got = {row["name"]: row[options.set] for row in csv.DictReader(stream)}
        pages = len(list((out / "submissions").glob("*.html")))
        kept = [store.read_folder(name) for name in store.names()]
        lost = sum("could not finish" in " ".join(one.notes) for one in kept)
        started = time.perf_counter()
        command([*words, "--sets", options.set])
        again = time.perf_counter() - started
    wrong = {name: (got.get(name), points) for name, points in wanted.items()}
    wrong = {n: (g, w) for n, (g, w) in wrong.items() if g is None or float(g or 0) != w}
    result = {
        "set": options.set,
        "submissions": options.submissions,
        "hostile": list(HOSTILE)[: options.hostile],
        "jobs": options.jobs,
        "isolation": isolation.choose().kind,
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
        f"load {os.getloadavg()[1]:.1f}",
        "minutes": round(seconds / 60, 1),
        "seconds_again": round(again, 1),
        "status": status,
        "rows": len(got),
        "pages": pages,
        "wrong_grades": wrong,
        "workers_lost": lost,
        "most_memory_mb": watch.most,
    }
    print(json.dumps(result, indent=1, ensure_ascii=False))
    if (options.submissions, options.hostile) == (200, 20):
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
