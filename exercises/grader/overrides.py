"""Points that somebody gives by hand: after an appeal, an oral answer, a fault of ours.

They stand in a file of the instructor's, `overrides.csv` in the report's folder, which the grader
reads in every run and never writes. So they survive regrading, and the reason stands on the
learner's page, beside what the grader gave.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from exercises.grader.results import Result, SetResult
from exercises.learner.source import ExerciseSet

FILE = "overrides.csv"
COLUMNS = ["name", "task", "points", "reason"]


@dataclass(frozen=True)
class Override:
    """Points for a task or a whole set of one learner, and why."""

    name: str
    task: str
    points: float
    reason: str


def read_overrides(
    path: Path, names: Iterable[str], sets: Mapping[str, ExerciseSet]
) -> list[Override]:
    """What stands in the file; nothing if there is none.

    Args:
        path: of the file, with the columns name, task (5.1, or a whole set: ch05-attention),
            points and reason.
        names: of the learners.
        sets: of the course, by name.

    Raises:
        ValueError: if something in it is none; the message names file and line.
    """
    if not path.is_file():
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8: save it as “CSV UTF-8”") from None
    head = lines[0] if lines else ""
    rows = csv.DictReader(lines, delimiter=max(",;\t", key=head.count))
    if [column.strip().lower() for column in rows.fieldnames or []][:4] != COLUMNS:
        raise ValueError(f"{path}, line 1: the columns are {', '.join(COLUMNS)}")
    rows.fieldnames = COLUMNS
    known, highest = set(names), dict.fromkeys(sets, 100.0)
    highest |= {task.id: float(task.points) for each in sets.values() for task in each.tasks}
    found = []
    for number, row in enumerate(rows, start=2):
        name, task, points, reason = ((row.get(column) or "").strip() for column in COLUMNS)
        where = f"{path}, line {number}"
        if name not in known:
            raise ValueError(f"{where}: no learner “{name}”")
        if task not in highest:
            raise ValueError(f"{where}: no task or set “{task}”: 5.1, or ch05-attention")
        try:
            value = float(points.replace(",", "."))
        except ValueError:
            raise ValueError(f"{where}: “{points}” are no points") from None
        if not 0 <= value <= highest[task]:
            raise ValueError(f"{where}: {points} points: {task} has 0 to {highest[task]:.0f}")
        if not reason:
            raise ValueError(f"{where}: give a reason: it stands on the learner's page")
        found.append(Override(name, task, int(value) if value == int(value) else value, reason))
    return found


def with_overrides(
    result: Result, overrides: Iterable[Override], sets: Mapping[str, ExerciseSet]
) -> Result:
    """A result with the points that somebody gave."""
    changed = replace(result, sets=dict(result.sets))
    of_task = {task.id: name for name, each in sets.items() for task in each.tasks}
    for one in overrides:
        if one.name != result.name:
            continue
        name = of_task.get(one.task, one.task)
        before = changed.sets.get(name) or SetResult(name, "", "")
        if one.task == name:
            changed.sets[name] = replace(before, given=one.points, reason=one.reason)
            continue
        tasks = [
            replace(
                task,
                points=one.points,
                graded=task.points if task.graded is None else task.graded,
                reason=one.reason,
            )
            if task.task == one.task
            else task
            for task in before.tasks
        ]
        if one.task not in [task.task for task in tasks]:
            said = f"{FILE}: nothing of {one.task} was handed in: give points for {name}."
            changed.notes = [*changed.notes, said]
            continue
        changed.sets[name] = replace(before, tasks=tasks)
    return changed
