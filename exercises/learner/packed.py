"""A set that is handed out without its source: what a check needs, and no solution.

What the solution and the mistakes give on the public inputs is kept as values, so that `check`
compares with them and can name a mistake; fresh inputs need the source. The file is compressed, not
locked: it spares learners the sight of an answer, and hides nothing from whoever digs.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from exercises.learner.judging import Bench
from exercises.learner.running import Array, pack, unpack
from exercises.learner.source import ExerciseSet, Misconception, Task

TEXTS = ("id", "title", "kind", "function", "text", "run", "check", "gradient")
NUMBERS = ("points", "minutes", "seconds", "tolerance")
LISTS = ("needs", "without")
LARGEST = 2**28  # bytes of text


def pack_set(exercises: ExerciseSet, hints: int) -> bytes:
    """A set as a file.

    Args:
        exercises: the set.
        hints: how many hints of each task go with it.
    """
    content = {
        "name": exercises.name,
        "intro": exercises.intro,
        "setup": exercises.setup,
        "brings": list(exercises.brings),
        "tasks": [_packed(task, hints) for task in exercises.tasks],
    }
    return zlib.compress(pack(content), 9)


def _packed(task: Task, hints: int) -> dict[str, Any]:
    bench = Bench(task)

    def kept(code: str) -> Array:
        """Of use where results are compared; where the judge names each mistake they are not."""
        return _kept([] if bench.names_all else bench.results_of(code))

    return {
        **{name: getattr(task, name) for name in (*TEXTS, *NUMBERS)},
        **{name: list(getattr(task, name)) for name in LISTS},
        "stub": task.stub,
        "hints": list(task.hints[:hints]),
        "solution": kept(task.solution),
        "misconceptions": [
            {"name": one.name, "says": one.says, "results": kept(one.code)}
            for one in task.misconceptions
        ],
    }


def _kept(results: list[dict[str, Any]]) -> Array:
    return np.frombuffer(pack(results), np.uint8)


def read_packed(path: Path) -> ExerciseSet:
    """A set from a file.

    Raises:
        ValueError: if it is none.
    """
    try:
        data = zlib.decompress(path.read_bytes())
        content = unpack(data, LARGEST)
        tasks = tuple(_task(each, content) for each in content["tasks"])
        brings = tuple(content["brings"])
        return ExerciseSet(content["name"], content["intro"], content["setup"], tasks, brings)
    except (zlib.error, ValueError, KeyError, TypeError):
        raise ValueError(f"{path.name} is damaged: unpack again what was handed out") from None


def _task(each: dict[str, Any], content: dict[str, Any]) -> Task:
    # The text of a program is the key to its results; these programs have none but their name.
    task_id = each["id"]
    solution = f"# the solution of {task_id}\n"
    behaviours = {solution: unpack(each["solution"].tobytes(), LARGEST)}
    misconceptions = []
    for number, one in enumerate(each["misconceptions"], start=1):
        code = f"# misconception {number} of {task_id}\n"
        behaviours[code] = unpack(one["results"].tobytes(), LARGEST)
        misconceptions.append(Misconception(one["name"], one["says"], code))
    cell = f"# BEGIN STUB\n{each['stub']}# END STUB\n# BEGIN SOLUTION\n{solution}# END SOLUTION\n"
    fields: dict[str, Any] = {name: each[name] for name in (*TEXTS, *NUMBERS)}
    fields |= {name: tuple(each[name]) for name in (*LISTS, "hints")}
    fields |= {"misconceptions": tuple(misconceptions), "behaviours": behaviours}
    return Task(set_name=content["name"], setup=content["setup"], cell=cell, **fields)
