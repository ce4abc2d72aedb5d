"""What a learner calls in a notebook: `check`, `case`, `hint`, `solution`, `progress`, `bring`."""

from __future__ import annotations

import html
import inspect
import linecache
import os
import textwrap
from typing import Any

from exercises.learner import bringing, record
from exercises.learner.checking import bench, cells_here, judge
from exercises.learner.judging import is_untouched
from exercises.learner.note import GREEN, GREY, RED, Note
from exercises.learner.packed import read_packed
from exercises.learner.source import READERS, Task, all_tasks, find_task, load, names
from exercises.learner.trying import Case

_last: list[Task] = []  # the task of the last call


def _find(task_id: str | float) -> Task:
    _last[:] = [find_task(task_id)]
    return _last[0]


READERS[".pack"] = read_packed
ELSEWHERE = "ask whoever teaches the course"


def _callers_names(depth: int = 2) -> dict[str, Any]:
    frame = inspect.currentframe()
    for _ in range(depth):
        frame = frame.f_back if frame is not None else None
    return frame.f_globals if frame is not None else {}


def source_of(function: Any) -> str:
    """The text of a learner's function; empty if there is none to be had."""
    linecache.checkcache()
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return ""


def check(task_id: str | float, function: Any = None) -> Note:
    """Run your function on the task's public inputs: passed, or which mistake it looks like.

    Args:
        task_id: such as "5.2".
        function: what to check, instead of the function of the right name in the notebook.
    """
    try:
        task = _find(task_id)
    except ValueError as error:
        return Note(str(error), RED)
    # A function that is handed over is judged as it is; one in the notebook as the grader sees it.
    cells = cells_here() if function is None else None
    if function is None:
        function = _callers_names().get(task.function)
    if not callable(function):
        return Note(
            f"There is no function `{task.function}` here yet: run the cell of task {task.id} "
            "first.",
            RED,
        )
    code = source_of(function)
    verdict = judge(task, function, code, cells)
    known = record.entry(task.id)
    if not verdict.passed:
        if not is_untouched(task, code) and "nothing is written yet" not in verdict.message:
            known.attempts += 1
            record.write(task.id, known)
        advice = "" if verdict.mistake else _advice(known, task)
        return Note(f"**{task.id}, not yet.** {verdict.message}{advice}", RED, verdict.table)
    known.attempts += 1
    known.passed = known.passed or record.today()
    record.write(task.id, known)
    score = verdict.message.removeprefix("Passed.").strip()
    said = " ".join(filter(None, (score, _next(task))))
    return Note(f"**{task.id} passed: {task.points} points.** {said}", GREEN)


def bring() -> Note:
    """Your answers to tasks of the chapters, for the capstone: those that pass, in a cell below."""
    (name,) = [one for one in names() if load(one).brings]
    return bringing.brought_along(name)


def case(task_id: str | float, function: Any = None) -> Note:
    """An input on which your function is wrong, and what is expected: to try things with.

    Args:
        task_id: such as "5.1".
        function: what to try, instead of the function of the right name in the notebook.
    """
    try:
        task = _find(task_id)
    except ValueError as error:
        return Note(str(error), RED)
    if function is None:
        function = _callers_names().get(task.function)
    return Case(bench(task), function)


def _advice(known: record.Entry, task: Task) -> str:
    ways = [f'`case("{task.id}")` gives you the input']
    ways += [f'`hint("{task.id}")` a hint'] * (known.hints < len(task.hints))
    ways += [f'`solution("{task.id}")` all of it, explained'] * bool(task.explanation)
    return f"\n\n{', '.join(ways)}."


def _next(task: Task) -> str:
    tasks = list(all_tasks().values())
    following = tasks[tasks.index(task) + 1 :]
    if not following:
        return "That was the last task of the course."
    if following[0].set_name == task.set_name:
        return f"Next: {following[0].id}, {following[0].title}."
    return f"The set is through. Next: {following[0].set_name}."


def hint(task_id: str | float) -> Note:
    """The next hint: each call says more."""
    try:
        task = _find(task_id)
    except ValueError as error:
        return Note(str(error), RED)
    known = record.entry(task.id)
    if not task.hints:
        return Note(f"Hints on {task.id} were not handed out: ask whoever teaches the course.", RED)
    known.hints = min(known.hints + 1, len(task.hints))
    record.write(task.id, known)
    shown = [
        f"**Hint {i} of {len(task.hints)}.** {text}"
        for i, text in enumerate(task.hints[: known.hints], start=1)
    ]
    if known.hints == len(task.hints):
        more = f'`solution("{task.id}")` shows the solution' if task.explanation else ELSEWHERE
        shown.append(f"There is no further hint; {more}.")
    return Note("\n\n".join(shown))


def solution(task_id: str | float) -> Note:
    """The explained solution, once you have tried."""
    try:
        task = _find(task_id)
    except ValueError as error:
        return Note(str(error), RED)
    if not record.entry(task.id).attempts:
        return Note(
            f'Try first: write something, and run `check("{task.id}")`. A solution that you have '
            "tried to find stays with you, and the check says what is wrong with yours.",
            RED,
        )
    if not task.explanation:
        return Note(f"The solution was not handed out: {ELSEWHERE}.", RED)
    return Note(f"**{task.id}, {task.title}.** {task.explanation}", code=task.solution)


def _at_hand(space: dict[str, Any]) -> str:
    """The set that somebody works at: of the last call, or the notebook's; "" if not known."""
    if _last:
        return _last[-1].set_name
    # Where Jupyter and VS Code say which notebook this is.
    file = f"{os.environ.get('JPY_SESSION_NAME', '')} {space.get('__vsc_ipynb_file__', '')}"
    return next((name for name in names() if name in file), "")


def progress() -> Note:
    """What is done over the whole course, and what is next: in the set at hand, to begin with."""
    entries = record.read()
    lines, rows, got, out_of = [], [], 0, 0
    still: dict[str, Task] = {}
    for name in names():
        tasks = load(name).tasks
        passed = [t for t in tasks if entries.get(t.id, record.Entry()).passed]
        points = sum(t.points for t in passed)
        got, out_of = got + points, out_of + sum(t.points for t in tasks)
        open_ = [t for t in tasks if t not in passed]
        still |= {name: open_[0]} if open_ else {}
        marks = "".join("■" if t in passed else "□" for t in tasks)
        lines.append(f"{name:22} {marks:8} {points:3} points")
        rows.append(f"<tr><td>{name}</td><td>{_squares(tasks, entries)}</td><td>{points}</td></tr>")
    at_hand = _at_hand(_callers_names())
    later = [name for name in still if name >= at_hand]
    following = still[(later or list(still))[0]] if still else None
    said = f"Next: {following.id}, {following.title}." if following else "All done."
    total = f"{got} of {out_of} points. {said}"
    table = f"<table>{''.join(rows)}</table>"
    return _Progress(total, "\n".join(lines), table)


def _squares(tasks: tuple[Task, ...], entries: dict[str, record.Entry]) -> str:
    shown = []
    for task in tasks:
        known = entries.get(task.id, record.Entry())
        fill = GREEN if known.passed else ("#E69F00" if known.attempts else "transparent")
        state = "passed" if known.passed else ("tried" if known.attempts else "open")
        shown.append(
            f'<span title="{task.id} {html.escape(task.title)}: {state}" style="display:'
            f"inline-block;width:14px;height:14px;margin:1px;border:1px solid {GREY};"
            f'background:{fill}"></span>'
        )
    return "".join(shown)


class _Progress(Note):
    """The table of all sets."""

    def __init__(self, total: str, lines: str, table: str) -> None:
        super().__init__(total, GREEN, table)
        self.lines = lines

    def __repr__(self) -> str:
        return f"{self.lines}\n{self.text}"
