"""How long a class takes to grade, and whether the grader's memory stays flat.

    python benchmarks/grading.py [--submissions 200] [--set ch05-attention] [--jobs 2]

Makes a class out of a set's solutions, misconceptions and stubs, grades it as an instructor would,
and prints the minutes, and the memory of the grader and of its largest child.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from exercises.grader import isolation
from exercises.grader.grading import Grader, find_submissions, grade_all
from exercises.learner.source import Task, load


def answer(task: Task, draw: random.Random) -> str:
    """Three in five right in one of two ways, one in ten untouched, the others wrong."""
    choice = draw.random()
    if choice < 0.6:
        return draw.choice([task.solution, task.alternative])
    return task.stub if choice < 0.7 else draw.choice(task.misconceptions).code


def main() -> None:
    """Make a class, grade it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--set", default="ch05-attention")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    exercises, draw = load(options.set), random.Random(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "submissions"
        folder.mkdir()
        for number in range(options.submissions):
            cells = [
                {
                    "cell_type": "code",
                    "metadata": {"minibert_task": task.id},
                    "source": answer(task, draw),
                }
                for task in exercises.tasks
            ]
            content = {"cells": cells, "metadata": {"minibert_exercises": {"set": options.set}}}
            (folder / f"learner{number:03}.ipynb").write_text(json.dumps(content))
        grader = Grader([options.set], b"a benchmark", isolation.choose())
        started, memory, points = time.perf_counter(), [], []
        for result in grade_all(
            grader, find_submissions(folder), Path(temporary) / "out", options.jobs
        ):
            points.append(result.points)
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            print(f"\r{len(points)} of {options.submissions}", end="", file=sys.stderr)
        seconds = time.perf_counter() - started
    print(file=sys.stderr)
    tenth = memory[len(memory) // 10]
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{options.set}: {len(points)} submissions of {len(exercises.tasks)} tasks in "
        f"{seconds / 60:.1f} minutes ({options.jobs} jobs, {grader.way.kind}); mean "
        f"{sum(points) / len(points):.0f} points\n"
        f"memory of the grader: {tenth:.0f} MB after a tenth of them, {memory[-1]:.0f} MB after "
        f"all; of the largest child {child:.0f} MB"
    )


if __name__ == "__main__":
    main()
