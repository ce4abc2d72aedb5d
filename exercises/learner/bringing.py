"""Bring along: a learner's own answers of other sets, for a notebook that builds on them."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exercises.learner.checking import bench, judge_pieces
from exercises.learner.extraction import take
from exercises.learner.note import GREEN, RED, Note
from exercises.learner.source import FOLDER, Task, find_task, load
from exercises.learner.statements import Piece, Statement, read


@dataclass(frozen=True)
class Brought:
    """One answer: what it is the answer to; its code, or why there is none."""

    what: str
    code: str
    lacks: str = ""


def bring(ids: list[str], setup: str, folder: Path) -> list[Brought]:
    """A learner's answers to tasks, out of the notebooks in a folder: those that pass.

    Args:
        ids: of the tasks.
        setup: of the notebook that they come into; what it imports need not come along.
        folder: with the notebooks.
    """
    here = {name for one in read([("", setup)]).statements for name in one.binds}
    cells: dict[str, list[tuple[str, str]] | None] = {}
    found = []
    for task_id in ids:
        try:
            task = find_task(task_id)
        except ValueError:
            found.append(Brought(task_id, "", "its set was not handed out"))
            continue
        if task.set_name not in cells:
            cells[task.set_name] = _cells(folder / f"{task.set_name}.ipynb")
        own = cells[task.set_name]
        if own is None:
            found.append(Brought(_said(task), "", f"there is no {task.set_name}.ipynb here"))
            continue
        found.append(_answer(task, own, here))
    return found


def _answer(task: Task, cells: list[tuple[str, str]], here: set[str]) -> Brought:
    stubs = {one.id: one.stub for one in load(task.set_name).tasks}
    ways, problem = take(read(cells), task.id, task.function, task.setup, stubs)
    for pieces in ways:
        if judge_pieces(bench(task), pieces).passed:
            return Brought(_said(task), _with_imports(task, pieces, here))
    untouched = not ways and "nothing is written" in problem
    lacks = "nothing is written yet" if untouched else "it does not pass yet"
    return Brought(_said(task), "", lacks)


def _said(task: Task) -> str:
    return f"{task.id} `{task.function}`, {task.title}"


def _with_imports(task: Task, pieces: list[Piece], here: set[str]) -> str:
    """The code, and in front of it what it uses of its own notebook's first cell."""
    statements = read([("", text) for _, text in pieces]).statements
    wanted = {name for one in statements for name in one.uses} - here
    wanted -= {name for one in statements for name in one.binds}
    needed: list[Statement] = []
    for one in reversed(read([("", task.setup)]).statements):
        if one.binds & wanted:
            needed.insert(0, one)
            wanted |= one.uses - here
    lines = [one.piece[1] for one in needed] + [text for _, text in pieces]
    head = f"# {task.id}, {task.title}: from {task.set_name}.ipynb"
    return "\n".join([head, *lines])


def _cells(path: Path) -> list[tuple[str, str]] | None:
    """The code cells of a notebook, each with its task; None if there is no notebook."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return [
            (cell["metadata"].get("minibert_task", ""), "".join(cell["source"]))
            for cell in content["cells"]
            if cell["cell_type"] == "code"
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def twice_named(found: list[Brought]) -> list[str]:
    """Names that two of the answers give a value, and not the same."""
    texts: dict[str, set[str]] = {}
    for one in found:
        for statement in read([("", one.code)]).statements:
            for name in statement.binds:
                texts.setdefault(name, set()).add(statement.dump)
    return sorted(name for name, several in texts.items() if len(several) > 1)


def brought_along(name: str, folder: Path = FOLDER) -> Note:
    """What `bring` says; in a notebook, the answers are in a new cell below."""
    exercises = load(name)
    found = bring(list(exercises.brings), exercises.setup, folder)
    there, missing = [b for b in found if b.code], [b for b in found if not b.code]
    code = "\n\n\n".join(one.code for one in there)
    said = [f"**{len(there)} of {len(found)} answers brought along.**"]
    said += [f"- {one.what}" for one in there]
    if missing:
        said.append(f"\n{len(missing)} are missing; nothing is lost if you write them here anew:")
        said += [f"- {one.what}: {one.lacks}." for one in missing]
    clashing = twice_named(there)
    if clashing:
        names = ", ".join(f"`{one}`" for one in clashing)
        said.append(f"\n{names}: two answers have a helper of this name. Rename one of them.")
    shown = bool(code) and _next_cell(code)
    if shown:
        said.append("\nThey are in the cell below: run it.")
    return Note("\n".join(said), GREEN if there else RED, code="" if shown else code)


def _next_cell(code: str) -> bool:
    """Put code into a new cell below; whether there is a notebook to do so in."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return False
    shell.set_next_input(code)
    return True
