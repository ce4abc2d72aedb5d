"""What is taken from a submitted notebook, without running any of it.

This runs in the child: a text can keep a parser busy, or bring it down.
"""

from __future__ import annotations

import json
from typing import Any

from exercises.learner.extraction import take
from exercises.learner.statements import Reading
from exercises.learner.statements import read as read_cells


def read(job: dict[str, Any]) -> dict[str, Any]:
    """What a notebook has for each task.

    Returns:
        {"problem": ...}, or {"set": its name, "told": whether it says so itself, "answers":
        {task: (ways, problem)}}; without answers for a set that is not asked for.
    """
    try:
        content = json.loads(job["notebook"].tobytes())
        if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
            return {"problem": "not a notebook: it has no cells"}
    except (ValueError, RecursionError):
        return {"problem": "not a notebook: it is not JSON"}
    cells: list[tuple[str, str]] = []
    for cell in content["cells"]:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            text = cell.get("source", "")
            if isinstance(text, list):
                text = "".join(part for part in text if isinstance(part, str))
            cells.append((_text(_get(cell, "metadata", "minibert_task")), _text(text)))
    size = sum(len(text) for _, text in cells)
    if size > job["source"]:
        return {
            "problem": f"its code is {size // 1024} KB: at most {job['source'] // 1024} KB are read"
        }
    reading = read_cells(cells)
    said = _text(_get(content, "metadata", "minibert_exercises", "set"))
    name, told = _set_of(said, cells, reading, job)
    if not name:
        return {"problem": "of which set it is cannot be told"}
    if name not in job["sets"]:
        return {"set": name, "told": told, "answers": {}}
    wanted = job["sets"][name]
    stubs = {task: each["stub"] for task, each in wanted.items()}
    answers = {
        task: take(reading, task, each["function"], each["setup"], stubs)
        for task, each in wanted.items()
    }
    return {"set": name, "told": told, "answers": answers}


def _set_of(
    said: str, cells: list[tuple[str, str]], reading: Reading, job: dict[str, Any]
) -> tuple[str, bool]:
    """Which set a notebook answers, and whether it says so itself, in metadata or file name.

    If it does not, its tasks and functions are compared with those of the sets being graded.
    """
    if said in job["known"]:
        return said, True
    for name in job["known"]:
        if name in job["file"]:
            return str(name), True
    bound = {name for one in reading.statements for name in one.binds}
    marked = {task for task, _ in cells}
    found = [
        (len(marked & set(tasks)), len(bound & {t["function"] for t in tasks.values()}), name)
        for name, tasks in job["sets"].items()
    ]
    best = max(found)
    clear = [one for one in found if one[:2] == best[:2]] == [best]
    return (best[2] if (clear and best[:2] > (0, 0)) or len(found) == 1 else ""), False


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
