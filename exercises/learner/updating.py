"""Bring a new version of the notebooks to a learner, and keep what the learner has written.

What is handed out lies in `handed-out/`, which may be unpacked again at any time. `update` makes of
it the notebooks to work in. One that is there already is not replaced: in it, cells that are as
they were handed out become those of the new version, and all others stay as they are.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from exercises.learner.source import FOLDER

GIVEN = "handed-out"
BASE = ".handed-out"  # the versions that the notebooks are of
Notebook = dict[str, Any]


def update(folder: Path = FOLDER) -> list[str]:
    """Make or renew the notebooks in a folder; a line for each in which something has changed.

    Raises:
        FileNotFoundError: if nothing was handed out there.
    """
    given = sorted((folder / GIVEN).glob("*.ipynb"))
    if not given:
        raise FileNotFoundError(
            f"there are no notebooks in {folder / GIVEN}: unpack there what was handed out"
        )
    said = []
    for path in given:
        own, base = folder / path.name, folder / BASE / path.name
        if base.exists() and base.read_bytes() == path.read_bytes() and own.exists():
            continue
        if not own.exists():
            _copy(path, own)
            said.append(f"{path.name}: new")
        else:
            said.append(_renew(path, own, base))
        _copy(path, base)
    return said


def _renew(path: Path, own: Path, base: Path) -> str:
    """Renew a notebook in which somebody may have worked; what was done."""
    new, mine = _read(path), _read(own)
    old = _read(base) if base.exists() else new
    if new is None or mine is None or old is None or not _marked(mine):
        aside = own.with_suffix(".new.ipynb")
        _copy(path, aside)
        return f"{own.name}: left as it is, since its cells cannot be told; see {aside.name}"
    before = own.with_suffix(".before.ipynb")
    number = 2
    while before.exists():
        before, number = own.with_suffix(f".before-{number}.ipynb"), number + 1
    shutil.copyfile(own, before)
    merged, kept = merge(old, mine, new)
    _write(own, json.dumps(merged, ensure_ascii=False, indent=1) + "\n")
    return f"{own.name}: renewed, with {kept} cells of yours; as it was: {before.name}"


def merge(old: Notebook, mine: Notebook, new: Notebook) -> tuple[Notebook, int]:
    """A new version with a learner's work in it, and of how many cells that is.

    Args:
        old: as it was handed out.
        mine: what the learner has made of it.
        new: as it is handed out now.
    """
    was, now = _by_id(old), _by_id(new)
    cells: list[dict[str, Any]] = []
    placed: set[str] = set()
    kept = 0
    for cell in mine["cells"]:
        name = str(cell.get("id"))
        is_given = name in was and _text(cell) == _text(was[name])
        if is_given and name in now:
            same = _text(now[name]) == _text(cell)
            cells.append(cell if same else now[name])  # with its outputs, if it is the same
        elif not is_given:
            cells.append(cell)
            kept += 1
        placed.add(name)
    order = [str(cell.get("id")) for cell in new["cells"]]
    for at, name in enumerate(order):
        if name in placed or (name in was and name not in _by_id(mine)):
            continue  # there, or thrown away by the learner
        before = [place for place, cell in enumerate(cells) if cell.get("id") in order[:at]]
        cells.insert(before[-1] + 1 if before else 0, now[name])
        placed.add(name)
    return {**new, "cells": cells}, kept


def _by_id(notebook: Notebook) -> dict[str, dict[str, Any]]:
    return {str(cell.get("id")): cell for cell in notebook["cells"]}


def _text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def _marked(notebook: Notebook) -> bool:
    """Whether cells still have the names that they were given."""
    return any(str(cell.get("id", "")).startswith("task-") for cell in notebook["cells"])


def _read(path: Path) -> Notebook | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = content["cells"]
        is_one = isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells)
        return content if is_one else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    os.replace(partial, path)


def _copy(path: Path, to: Path) -> None:
    _write(to, path.read_text(encoding="utf-8"))
