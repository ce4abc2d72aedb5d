"""Which submissions look like copies of each other: a report to start a conversation with.

The definitions that answer a task are read as a row of syntax, with names, strings and numbers
left out, so that renaming and reformatting hide nothing. Rows of five steps are fingerprints;
two answers are as similar as the proportion of fingerprints that they have in common, those of the
stub and of what much of the class wrote (the obvious way to do it) not counted.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from exercises.grader.conversation import Child
from exercises.grader.isolation import Isolation
from exercises.grader.submission import Submission, UnreadableError, read_bytes
from exercises.learner.source import ExerciseSet, Task, names

STEPS = 5  # of syntax in a fingerprint
COMMON = 0.5  # of the class: what more of it wrote says nothing
FEWEST = 12  # fingerprints; less text than that is alike by itself
LONGEST = 20_000  # characters of an answer that are looked at


@dataclass(frozen=True)
class Pair:
    """Two answers to a task, and the proportion of their fingerprints that is the same."""

    task: str
    one: str
    other: str
    proportion: float


def fingerprints(code: str) -> Counter[tuple[str, ...]]:
    """The fingerprints of some code; none if it is no Python."""
    try:
        steps = [_step(node) for node in ast.walk(ast.parse(code))]
    except (SyntaxError, ValueError, RecursionError):
        return Counter()
    return Counter(tuple(steps[i : i + STEPS]) for i in range(len(steps) - STEPS + 1))


def _step(node: ast.AST) -> str:
    """A node without the names in it; attributes stay, since `softmax` and `sum` differ."""
    name = type(node).__name__
    if isinstance(node, ast.Attribute):
        return f"{name}.{node.attr}"
    if isinstance(node, ast.BinOp | ast.UnaryOp | ast.BoolOp):
        return f"{name}.{type(node.op).__name__}"
    return name


def similar(
    submissions: Iterable[Submission], exercises: ExerciseSet, way: Isolation, least: float = 0.8
) -> list[Pair]:
    """Pairs of submissions with answers at least this similar, the most similar first.

    Args:
        submissions: of the class.
        exercises: the set whose answers are compared.
        way: how the process that reads notebooks is kept apart.
        least: proportion from which on two are similar.
    """
    prints: dict[str, dict[str, set[tuple[str, ...]]]] = {}
    for one in submissions:
        with Child(way, (), 0) as child:
            for path in one.paths:
                try:
                    sets = {exercises.name: exercises}
                    answers = child.read(read_bytes(path), path.name, sets, names())
                except UnreadableError:
                    continue
                for task_id, (ways, _) in answers.get("answers", {}).items():
                    code = "\n".join(text for each in ways[:1] for _, text in each)
                    if code and len(code) <= LONGEST:
                        prints.setdefault(task_id, {})[one.name] = set(fingerprints(code))
    tasks = {task.id: task for task in exercises.tasks}
    found = [pair for task_id, each in prints.items() for pair in _pairs(tasks[task_id], each)]
    return sorted(
        (pair for pair in found if pair.proportion >= least),
        key=lambda pair: (-pair.proportion, pair.task, pair.one, pair.other),
    )


def _pairs(task: Task, prints: dict[str, set[tuple[str, ...]]]) -> list[Pair]:
    handed_out = set(fingerprints(task.stub))
    everywhere = Counter(step for each in prints.values() for step in each)
    common = {
        step
        for step, count in everywhere.items()
        if len(prints) > 4 and count > COMMON * len(prints)
    }
    own = {name: each - handed_out - common for name, each in prints.items()}
    own = {name: each for name, each in own.items() if len(each) >= FEWEST}
    return [
        Pair(task.id, a, b, len(own[a] & own[b]) / len(own[a] | own[b]))
        for a, b in combinations(sorted(own), 2)
    ]
