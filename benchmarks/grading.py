"""How long a class takes to grade, some of it hostile, and whether the grader's memory stays flat.

    python benchmarks/grading.py [--submissions 200] [--hostile 20] [--set NAME] [--jobs 2]

Makes a class out of a set's solutions, misconceptions and stubs, and of answers that want time,
memory or harm; grades it as an instructor would, and prints the minutes, the points, and the most
memory that any process of the grader took.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from exercises.grader import isolation
from exercises.grader.grading import Grader, read_result
from exercises.grader.submission import find_submissions
from exercises.grader.workers import grade_all
from exercises.learner.source import ExerciseSet, Task, load

# What stands in place of each answer of a hostile submission; NAME is the task's function.
HOSTILE = [
    "def NAME(*a, **k):\n    while True:\n        pass",
    "import time\ndef NAME(*a, **k):\n    time.sleep(3600)",
    "def NAME(*a, **k):\n    kept = []\n    while True:\n        kept.append(bytearray(2**26))",
    "import torch\ndef NAME(*a, **k):\n    return torch.ones(2**30)",
    "import torch\ndef NAME(*a, **k):\n    return [torch.ones(1)] * 50_000",
    "import torch\ndef NAME(*a, **k):\n    return torch.full((600,), 2**40)",
    "def NAME(*a, **k):\n    return 10**400",
    "def NAME(*a, **k):\n    raise ValueError('\\ud800')",
    "import os\ndef NAME(*a, **k):\n    os._exit(0)",
    "def NAME(*a, **k):\n    return [[[] for _ in range(99)] for _ in range(2000)]",
    "import threading\ndef NAME(*a, **k):\n    while True:\n"
    "        threading.Thread(target=NAME).start()",
    "import ctypes\ndef NAME(*a, **k):\n    ctypes.string_at(0)",
    "def NAME(*a, x=[None] * 2**31, **k):\n    pass",
    "def NAME(*a, **k):\n    return '\\x00' * 2**23",
    "".join(f"def f{i}(): return f{i - 1}()\n" for i in range(9000)) + "def NAME(*a): f8999()",
    "NAME = " + "[" * 90 + "]" * 90 + "\n" + "a\n" * 120_000 + "def NAME(*a): pass",
    "%time x\n" * 20_000 + "def NAME(*a): pass",
    "def NAME(*a):\n    return " + "-" * 200_000 + "1",
]


def answer(task: Task, draw: random.Random) -> str:
    """Three in five right in one of two ways, one in ten untouched, the others wrong."""
    choice = draw.random()
    if choice < 0.6:
        return draw.choice([task.solution, task.alternative])
    return task.stub if choice < 0.7 else draw.choice(task.misconceptions).code


def hand_in(path: Path, exercises: ExerciseSet, texts: list[str]) -> None:
    """Write a notebook with one cell for each task."""
    cells = [
        {"cell_type": "code", "metadata": {"minibert_task": task.id}, "source": text}
        for task, text in zip(exercises.tasks, texts, strict=True)
    ]
    content = {"cells": cells, "metadata": {"minibert_exercises": {"set": exercises.name}}}
    path.write_text(json.dumps(content))


def make_class(folder: Path, exercises: ExerciseSet, count: int, hostile: int) -> None:
    """Write all submissions, among them one of nine megabytes of code and one of brackets."""
    draw = random.Random(0)
    for number in range(count - hostile):
        texts = [answer(task, draw) for task in exercises.tasks]
        hand_in(folder / f"learner{number:03}.ipynb", exercises, texts)
    for number in range(hostile):
        path = folder / f"hostile{number:03}.ipynb"
        if number % (len(HOSTILE) + 2) == len(HOSTILE):
            hand_in(path, exercises, ["a = 1\n" * 300_000] * len(exercises.tasks))
        elif number % (len(HOSTILE) + 2) == len(HOSTILE) + 1:
            path.write_text("[" * 9_000_000)
        else:
            text = HOSTILE[number % (len(HOSTILE) + 2)]
            texts = [text.replace("NAME", task.function) for task in exercises.tasks]
            hand_in(path, exercises, texts)


class Watch(threading.Thread):
    """Looks again and again how much memory the grader's own processes take (Linux)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most: dict[str, int] = {}

    def run(self) -> None:
        """Keep the peak of each kind: the process itself, its workers, and their children."""
        while True:
            for path in Path("/proc").glob("[0-9]*"):
                try:
                    words = (path / "cmdline").read_bytes().split(b"\0")
                    status = (path / "status").read_text()
                except OSError:
                    continue
                parent = int(status.split("PPid:")[1].split()[0])
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
    """Make a class, grade it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--hostile", type=int, default=20)
    parser.add_argument("--set", default="ch05-attention")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    exercises = load(options.set)
    watch = Watch()
    watch.start()
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary) / "submissions", Path(temporary) / "out"
        folder.mkdir()
        make_class(folder, exercises, options.submissions, options.hostile)
        grader = Grader([options.set], b"a benchmark", isolation.choose())
        started, points = time.perf_counter(), {}
        for result in grade_all(grader, find_submissions(folder), out, options.jobs):
            points[result.name] = result.points
            print(f"\r{len(points)} of {options.submissions}", end="", file=sys.stderr)
        seconds = time.perf_counter() - started
        gave_up = sum(
            "could not finish" in " ".join(read_result(path).notes)
            for path in (out / "results").glob("*.json")
        )
    print(file=sys.stderr)
    honest = [value for name, value in points.items() if name.startswith("learner")]
    hostile = [value for name, value in points.items() if name.startswith("hostile")]
    print(
        f"{options.set}: {len(points)} submissions of {len(exercises.tasks)} tasks, "
        f"{len(hostile)} of them hostile, in {seconds / 60:.1f} minutes ({options.jobs} jobs, "
        f"{grader.way.kind})\n"
        f"mean points: {sum(honest) / max(len(honest), 1):.1f} honest, {max(hostile, default=0)} "
        f"the best hostile; workers lost: {gave_up}\n"
        "most memory: "
        + ", ".join(f"{kind} {megabytes} MB" for kind, megabytes in sorted(watch.most.items()))
    )


if __name__ == "__main__":
    main()
