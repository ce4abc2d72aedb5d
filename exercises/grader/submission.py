"""What is taken from a submitted notebook: the learner's definitions, and nothing that runs.

A notebook is never executed. Of its code cells the imports, functions, classes and constants are
kept, of the cell of a task for that task, of the others as helpers. Everything else (calls, shell
escapes, magics, the order of the cells) has no effect on a grade.
"""

from __future__ import annotations

import ast
import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exercises.learner.source import ExerciseSet, Task

LARGEST = 10 * 2**20  # bytes of a notebook


class UnreadableError(ValueError):
    """A file that is no notebook; the message says why."""


@dataclass(frozen=True)
class Answer:
    """What a notebook holds for one task: `code`, or `problem` where there is none to run.

    helpers: definitions of the other cells.
    """

    code: str = ""
    helpers: str = ""
    problem: str = ""


@dataclass
class Notebook:
    """A submitted notebook: which set it says it is, and its code cells by task."""

    set_name: str = ""
    cells: list[tuple[str, str]] = field(default_factory=list)  # (task id or "", source)


def read_bytes(path: Path) -> bytes:
    """A regular file's bytes, never through a link.

    Raises:
        UnreadableError: if it is a link, no regular file, or larger than a notebook may be.
    """
    # Not waiting: opening a pipe that nobody writes to would wait for ever. Windows has no such
    # pipes, and knows text from bytes.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise UnreadableError("a symbolic link, not a notebook")
    try:
        handle = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise UnreadableError(
            "a symbolic link, not a notebook" if path.is_symlink() else str(error.strerror)
        ) from None
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("not a regular file")
        if status.st_size > LARGEST:
            size = status.st_size / 2**20
            raise UnreadableError(f"{size:.0f} MB: a notebook has at most {LARGEST / 2**20:.0f} MB")
        return stream.read(LARGEST + 1)


def parse(data: bytes) -> Notebook:
    """Read a notebook without executing anything.

    Raises:
        UnreadableError: if it is not one.
    """
    try:
        content = json.loads(data)
        if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
            raise UnreadableError("not a notebook: it has no cells")
    except (ValueError, RecursionError):
        raise UnreadableError("not a notebook: it is not JSON") from None
    found = Notebook(set_name=_text(_get(content, "metadata", "minibert_exercises", "set")))
    for cell in content["cells"]:
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", "")
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        found.cells.append((_text(_get(cell, "metadata", "minibert_task")), _text(source)))
    return found


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def set_of(notebook: Notebook, file_name: str, known: list[str]) -> str:
    """Which set a notebook answers: what it says itself, or its file name; "" if neither."""
    if notebook.set_name in known:
        return notebook.set_name
    return next((name for name in known if name in file_name), "")


def definitions(source: str) -> list[ast.stmt]:
    """The imports, functions, classes and constants of a cell, without magics and shell escapes.

    Raises:
        SyntaxError: if the rest is not Python; with the line.
    """
    lines = source.split("\n")
    cleaned = "\n".join("" if line.startswith(("%", "!", "?")) else line for line in lines)
    try:
        body = ast.parse(cleaned).body
    except (ValueError, RecursionError, MemoryError) as error:  # a zero byte, nested too deep
        raise SyntaxError(str(error)) from None
    kept: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            module = node.module if isinstance(node, ast.ImportFrom) else ""
            if not any((module or name or "").split(".")[0] == "exercises" for name in names):
                kept.append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or (
            isinstance(node, ast.Assign | ast.AnnAssign) and _is_constant(node.value)
        ):
            kept.append(node)
    return kept


def _is_constant(node: ast.expr | None) -> bool:
    if node is None:
        return False
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _source(nodes: list[ast.stmt]) -> str:
    try:
        return "\n\n".join(ast.unparse(node) for node in nodes)
    except RecursionError:
        raise SyntaxError("nested too deep") from None


def _defines(nodes: list[ast.stmt], name: str) -> bool:
    kinds = ast.FunctionDef | ast.ClassDef
    return any(isinstance(node, kinds) and node.name == name for node in nodes)


def answers(notebook: Notebook, exercises: ExerciseSet) -> dict[str, Answer]:
    """What the notebook has for each task of a set.

    A cell that is no Python costs the task that it belongs to, and no other.
    """
    parsed: list[tuple[str, list[ast.stmt]]] = []
    broken: dict[str, str] = {}
    for task_id, source in notebook.cells:
        try:
            parsed.append((task_id, definitions(source)))
        except SyntaxError as error:
            line = f" in line {error.lineno} of the cell" if error.lineno else ""
            broken.setdefault(task_id, f"The cell is not Python: {error.msg}{line}.")
    return {task.id: _answer(task, parsed, broken) for task in exercises.tasks}


def _binds(node: ast.stmt) -> set[str]:
    """The names that a definition makes."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return {node.name} if hasattr(node, "name") else set()


def _needed(code: list[ast.stmt], others: list[ast.stmt]) -> list[ast.stmt]:
    """Of the other cells' definitions those that the code names, and those that these name.

    What is not needed is not run: a default value that takes for ever costs its own task alone.
    """
    kept: set[int] = set()
    waiting = list(code)
    while waiting:
        used = {n.id for n in ast.walk(waiting.pop()) if isinstance(n, ast.Name)}
        for number, node in enumerate(others):
            if number not in kept and used & _binds(node):
                kept.add(number)
                waiting.append(node)
    return [node for number, node in enumerate(others) if number in kept]


def _answer(task: Task, parsed: list[tuple[str, list[ast.stmt]]], broken: dict[str, str]) -> Answer:
    own = [i for i, (task_id, _) in enumerate(parsed) if task_id == task.id]
    own = [i for i in own if _defines(parsed[i][1], task.function)] or own
    if not own and task.id in broken:
        return Answer(problem=broken[task.id])
    if not own or not _defines(parsed[own[-1]][1], task.function):
        # The cell was made anew, or has lost what it was called: the function is what counts.
        own = [i for i, (_, nodes) in enumerate(parsed) if _defines(nodes, task.function)]
    if not own:
        return Answer(problem=f"There is no function `{task.function}` in the notebook.")
    index = own[-1]
    others = [n for i, (_, nodes) in enumerate(parsed) if i != index for n in nodes]
    try:
        return Answer(_source(parsed[index][1]), _source(_needed(parsed[index][1], others)))
    except SyntaxError as error:
        return Answer(problem=f"The cell cannot be read: {error.msg}.")
