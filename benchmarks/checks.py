"""How long a learner waits for `check`: the first call for every task, right and wrong answers.

    python benchmarks/checks.py [SET ...]

The first call is the slow one: it draws the inputs and runs the solution and every misconception
on them, to know a mistake when it sees one; the later calls only run the learner's function. The
imports at the head of a notebook are not counted. PyTorch's own import of its optimizers, at the
first use of one, counts for the first task that trains: name one SET to see it there.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from exercises.learner.checking import judge
from exercises.learner.source import Task, load, names


def live(task: Task, code: str) -> object:
    """The function that an answer defines, as a notebook would have it."""
    space: dict[str, object] = {}
    exec(compile(task.setup, "<setup>", "exec"), space)
    exec(compile(code, "<answer>", "exec"), space)
    return space[task.function]


def main() -> None:
    """Time two answers for each task; print the slowest and the median."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", help="of the sets; all if none")
    options = parser.parse_args()
    first, later = {}, {}
    for name in options.sets or names():
        exercises = load(name)
        for task in exercises.tasks:
            for times, code in (first, task.solution), (later, task.misconceptions[0].code):
                function = live(task, code)
                started = time.perf_counter()
                judge(task, function, code, None)
                times[task.id] = time.perf_counter() - started
            print(f"{task.id:5} first {first[task.id]:.2f} s, later {later[task.id]:.2f} s")
    for told, times in ("first call", first), ("later calls", later):
        slowest = max(times, key=lambda one: times[one])
        over = sum(seconds > 2 for seconds in times.values())
        print(
            f"{told}: median {statistics.median(times.values()):.2f} s, slowest "
            f"{times[slowest]:.2f} s (task {slowest}), {over} of {len(times)} over two seconds"
        )


if __name__ == "__main__":
    main()
