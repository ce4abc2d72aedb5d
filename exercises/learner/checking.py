"""Judge a learner's function in the learner's own process, as the grader will.

What the grader takes from a notebook is taken here too, from the cells that have been run, and
judged; if that fails where the function itself passes, this says so, before anything is handed in.
"""

from __future__ import annotations

import ast
import linecache
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from exercises.learner.clock import OutOfTime, within
from exercises.learner.extraction import execute, take
from exercises.learner.judging import Bench, Verdict, forbidden, is_untouched, symptom, undefined
from exercises.learner.running import EMPTY, define, describe
from exercises.learner.source import Task, load
from exercises.learner.statements import Piece, read
from exercises.learner.withheld import withheld

DIFFERS = (
    "Your function passes here, but not as the grader takes it from the notebook: {} What it "
    "needs has to stand in the cells, and not to depend on what was run before."
)


@cache
def bench(task: Task) -> Bench:
    """The public inputs of a task; drawn once a session."""
    return Bench(task)


def cells_here() -> list[str] | None:
    """The cells that have been run in this kernel, in that order; None outside of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or getattr(shell, "history_manager", None) is None:
        return None
    return list(shell.history_manager.input_hist_raw[1:])


def judge(task: Task, function: Any, code: str, cells: Sequence[str] | None) -> Verdict:
    """The verdict on a learner's function.

    Args:
        task: which.
        function: as it is in this process.
        code: its text, if there is any.
        cells: what has been run; None where that is not known.
    """
    if cells is None:
        return _live(task, function, code)
    stubs = {one.id: one.stub for one in load(task.set_name).tasks}
    reading = read(("", cell) for cell in cells)
    ways, problem = take(reading, task.id, task.function, task.setup, stubs)
    verdicts = []
    for pieces in ways:
        verdicts.append(judge_pieces(bench(task), pieces))
        if verdicts[-1].passed:
            return verdicts[-1]
    if verdicts and task.is_long:  # minutes, which nobody waits for twice
        return verdicts[0]
    live = _live(task, function, code)
    if not live.passed:
        return live
    return Verdict(False, DIFFERS.format(verdicts[0].message if verdicts else problem))


def judge_pieces(bench: Bench, pieces: list[Piece]) -> Verdict:
    """The verdict on what was taken from a notebook."""
    task = bench.task
    unfit = forbidden(task, "\n".join(text for _, text in pieces))
    if unfit:
        return Verdict(False, unfit)
    sources = dict(pieces)

    def run() -> Verdict:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        define(task.setup, f"<setup of {task.set_name}>", namespace)
        with withheld(task.withheld):
            failed = execute(pieces, namespace)
        function = namespace.get(task.function)
        if not callable(function):
            error = failed.get(task.function, NameError(f"no function {task.function}"))
            return undefined(describe(error, sources))
        own = _own_files(pieces)
        if own:
            return Verdict(
                False,
                f"It needs `{own}`, a file of yours. What you hand in is the notebook: move what "
                "you need from there into a cell.",
            )
        return bench.verdict(bench.results(function, sources, failed))

    return _in_time(task, run, sources)


def _live(task: Task, function: Any, code: str) -> Verdict:
    """The verdict on the function as it is in this process."""
    unfit = forbidden(task, code)
    if unfit:
        return Verdict(False, unfit)
    filename = getattr(getattr(function, "__code__", None), "co_filename", "")
    linecache.getlines(filename)
    sources = {
        name: "".join(entry[2])
        for name, entry in list(linecache.cache.items())
        if len(entry) == 4 and (name == filename or "ipykernel" in name or "<ipython" in name)
    }
    here = bench(task)
    verdict = _in_time(task, lambda: here.verdict(here.results(function, sources)), sources)
    given = task.kind == "repair" and is_untouched(task, code) and not verdict.passed
    return symptom(verdict) if given else verdict


def _in_time(task: Task, run: Callable[[], Verdict], sources: Mapping[str, str]) -> Verdict:
    try:
        with within(task.seconds):
            return run()
    except OutOfTime as error:
        line = describe(error, dict(sources), EMPTY)["line"]
        where = f", in the line `{line}`. Does it end?" if line else "."
        return Verdict(False, f"Your code was stopped after {task.seconds:.0f} seconds{where}")


def _own_files(pieces: list[Piece]) -> str:
    """A module that is imported and is a learner's own file, which nobody hands in."""
    installed = [sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()]
    for _, text in pieces:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                named = [node.module or ""]
            else:
                continue
            for name in (one.split(".")[0] for one in named):
                file = getattr(sys.modules.get(name), "__file__", None)
                if name in ("", "minibert", "exercises", "__main__") or not file:
                    continue
                if not any(Path(file).is_relative_to(folder) for folder in installed):
                    return name
    return ""
