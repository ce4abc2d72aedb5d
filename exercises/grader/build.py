"""Make the learners' notebooks and the instructor's solution pages from `exercises/source/`.

    python -m exercises build [NAME ...]

A notebook in which somebody has worked is never overwritten: it is left as it is, and said so.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from exercises.learner.source import FOLDER, KINDS, ExerciseSet, Task, load

INSTRUCTOR = FOLDER / "instructor"
_KEY = "minibert_exercises"


def _digest(notebook: NotebookNode) -> str:
    """Over what a learner could change: kinds and sources of the cells, not their outputs."""
    text = "\0".join(f"{cell.cell_type}\1{cell.source}" for cell in notebook.cells)
    return hashlib.sha256(text.encode()).hexdigest()


def _heading(task: Task) -> str:
    without = ", ".join(f"`{name}`" for name in task.without)
    return (
        f"### {task.id} · {task.title}\n\n"
        f"*{KINDS[task.kind]} · {task.points} points · {task.minutes} minutes*\n\n{task.text}"
        + (f"\n\nTo be written without {without}." if without else "")
    )


def notebook(exercises: ExerciseSet) -> NotebookNode:
    """The learner's notebook: the same for the same source, cell for cell."""
    new = nbformat.v4
    minutes = sum(task.minutes for task in exercises.tasks)
    count = len(exercises.tasks)
    facts = (
        f"\n\n{count} tasks, 100 points, about {minutes} minutes. Write in the cells that hold "
        "`NotImplementedError` or a broken function, run them, and run the check below each."
    )
    calls = "bring, case" if exercises.brings else "case"
    setup = exercises.setup + f"\nfrom exercises import {calls}, check, hint, progress, solution\n"
    cells: list[tuple[str, NotebookNode, str | None]]
    cells = [("intro", new.new_markdown_cell(exercises.intro + facts), None)]
    cells.append(("setup", new.new_code_cell(setup.strip("\n")), None))
    if exercises.brings:
        cells.append(("bring", new.new_code_cell("bring()"), None))
    for task in exercises.tasks:
        name = task.id.replace(".", "-")
        ask = f'check("{task.id}")  # stuck: hint("{task.id}"); after a try: solution("{task.id}")'
        cells.append((f"text-{name}", new.new_markdown_cell(_heading(task)), None))
        cells.append((f"task-{name}", new.new_code_cell(task.stub.strip("\n")), task.id))
        cells.append((f"check-{name}", new.new_code_cell(ask), None))
    cells.append(("progress", new.new_code_cell("progress()"), None))
    made: NotebookNode = new.new_notebook()
    for name, cell, task_id in cells:
        cell["id"] = name
        if task_id:
            cell.metadata["minibert_task"] = task_id
        made.cells.append(cell)
    made.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            _KEY: {"set": exercises.name, "as_handed_out": _digest(made)},
        }
    )
    made.nbformat, made.nbformat_minor = 4, 5
    return made


def is_untouched(path: Path) -> bool:
    """Whether a notebook is as it was handed out, by this version of the course or an older one."""
    try:
        stored = nbformat.read(path, as_version=4)
        return bool(stored.metadata[_KEY]["as_handed_out"] == _digest(stored))
    except Exception:  # no notebook of ours, or none at all: not ours to overwrite
        return False


def solution_page(exercises: ExerciseSet) -> str:
    """Markdown for the instructor: solution, what it says, and every misconception."""
    lines = [f"{exercises.intro.splitlines()[0]}: solutions", ""]
    for task in exercises.tasks:
        lines += [f"## {task.id} · {task.title}", ""]
        lines += [f"*{KINDS[task.kind]} · {task.points} points · {task.minutes} minutes*", ""]
        lines += [task.text, "", "```python", task.solution.rstrip(), "```", "", task.explanation]
        lines += ["", "Right too:", "", "```python", task.alternative.rstrip(), "```", ""]
        lines += ["Mistakes that are known by name:", ""]
        lines += [f"- **{wrong.name}**: {wrong.says}" for wrong in task.misconceptions]
        lines += ["", "Hints:", ""]
        lines += [f"{number}. {text}" for number, text in enumerate(task.hints, start=1)]
        lines += [""]
    return "\n".join(lines)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")  # the same on every system
    os.replace(partial, path)


def write_set(name: str, folder: Path = FOLDER, instructor: Path = INSTRUCTOR) -> list[str]:
    """Write what has changed of one set; a line for each file written or left alone."""
    exercises = load(name)
    said = []
    path = folder / f"{name}.ipynb"
    text = nbformat.writes(notebook(exercises), indent=1) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        if path.exists() and not is_untouched(path):
            said.append(f"{path.name}: somebody has worked in it, so it is left as it is")
        else:
            _write(path, text)
            said.append(f"{path.name}: written")
    page = instructor / f"{name}.md"
    text = solution_page(exercises)
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        _write(page, text)
        said.append(f"{page.parent.name}/{page.name}: written")
    return said
