"""What learners are handed: checks without solutions, and new versions that leave work alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from exercises.grader.build import notebook
from exercises.grader.commands import main
from exercises.learner import source
from exercises.learner.judging import Bench
from exercises.learner.packed import pack_set, read_packed
from exercises.learner.updating import merge, update
from tests.test_grading import SET, put_source


@pytest.fixture
def exercises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> source.ExerciseSet:
    """The small set."""
    put_source(tmp_path, monkeypatch)
    yield source.load("ch09-small")
    source.load.cache_clear()


@pytest.fixture
def packed(exercises: source.ExerciseSet, tmp_path: Path) -> source.ExerciseSet:
    """The same without its source."""
    (tmp_path / "a.pack").write_bytes(pack_set(exercises, hints=0))
    return read_packed(tmp_path / "a.pack")


def test_a_packed_set_judges_every_answer_as_its_source_does(exercises, packed):
    for task, handed in zip(exercises.tasks, packed.tasks, strict=True):
        bench, other = Bench(task), Bench(handed)
        for code in (task.solution, task.alternative, *(m.code for m in task.misconceptions)):
            results = bench.results_of(code)
            assert other.verdict(results) == bench.verdict(results)
        assert (handed.stub, handed.text) == (task.stub, task.text)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", ["ch01-generation", "ch13-classification"])  # a host; gradients
def test_a_set_of_the_course_can_be_packed(name, tmp_path):
    exercises = source.load(name)
    (tmp_path / "a.pack").write_bytes(pack_set(exercises, hints=1))
    for task, handed in zip(exercises.tasks, read_packed(tmp_path / "a.pack").tasks, strict=True):
        bench, other = Bench(task), Bench(handed)
        for code in (task.solution, *(m.code for m in task.misconceptions)):
            results = bench.results_of(code)
            assert other.verdict(results) == bench.verdict(results)


def test_a_packed_set_has_no_solution_and_no_hints(packed, tmp_path):
    import zlib

    content = zlib.decompress((tmp_path / "a.pack").read_bytes())
    for secret in (b"return by * x", b"np.array([by * one", b"A product.", b"return x + by"):
        assert secret in SET.encode()
        assert secret not in content
    assert packed.tasks[0].hints == ()
    assert packed.tasks[0].explanation == ""


def test_a_class_is_not_graded_without_the_sources(packed):
    with pytest.raises(ValueError, match="only your own work"):
        Bench(packed.tasks[0], b"a seed")


def test_a_damaged_pack_is_one_line(tmp_path):
    for data in (b"", b"x" * 99):
        (tmp_path / "a.pack").write_bytes(data)
        with pytest.raises(ValueError, match=r"a.pack is damaged: unpack again"):
            read_packed(tmp_path / "a.pack")


TALK = """
from exercises import check, hint, solution, case
def scale(x, by):
    return x + by
print(check("9.1")); print(hint("9.1")); print(hint("9.1")); print(solution("9.1"))
def scale(x, by):
    return x * by
print(check("9.1"))
"""


@pytest.mark.slow
def test_what_is_handed_out_works_where_nothing_else_of_the_course_is(exercises, tmp_path):
    package = tmp_path / "handout.zip"
    assert main(["handout", "--hints", "1", "--out", str(package)]) == 0
    place = tmp_path / "elsewhere"
    with zipfile.ZipFile(package) as handed:
        assert not [name for name in handed.namelist() if name.endswith("ch09-small.py")]
        handed.extractall(place)
    first = package.read_bytes()
    assert main(["handout", "--hints", "1", "--out", str(package)]) == 0
    assert package.read_bytes() == first

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=place, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return " ".join(done.stdout.split())

    os.environ.pop("PYTHONPATH", None)
    (place / "talk.py").write_text(TALK)
    said = run("talk.py")
    assert "9.1, not yet.** You add." in said
    assert "Hint 1 of 1.** A product." in said
    assert "The solution was not handed out: ask whoever teaches the course." in said
    assert "9.1 passed: 70 points" in said
    assert "ch09-small.ipynb: new" in run("-m", "exercises", "update")
    assert (place / "exercises" / "ch09-small.ipynb").is_file()
    assert "0 of 100 points" in run("-m", "exercises", "grade")


# --- new versions ---------------------------------------------------------------------------------

_FIRST = "# %% task 9.1" + SET.split("# %% task 9.1")[1].split("# %% task 9.2")[0]
_NEW = _FIRST.replace("9.1: Scale", "9.0: Grow").replace("def scale", "def grow")
NEWER = (
    SET.replace("# Scale it.", "# Scale it, please.")
    .replace("# %% task 9.2", _NEW.replace("function: scale", "function: grow") + "# %% task 9.2")
    .replace("points: 70", "points: 35")
)


def cells(content: dict[str, object]) -> dict[str, str]:
    """The texts of cells by their names."""
    return {cell["id"]: "".join(cell["source"]) for cell in content["cells"]}


def versions() -> tuple[dict, dict]:
    """A notebook, and a later version of it with another text and another task."""
    made = [notebook(source.parse(text, "ch09-small")) for text in (SET, NEWER)]
    return tuple(json.loads(nbformat.writes(one)) for one in made)


def test_a_new_version_keeps_what_was_written_and_brings_what_is_new():
    old, new = versions()
    mine = json.loads(json.dumps(old))
    for cell in mine["cells"]:
        if cell["id"] == "task-9-1":
            cell["source"] = "def scale(x, by):\n    return x * by"
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "mine"}]
        if cell["id"] == "check-9-2":
            cell["source"] = "check('9.2')  # my own"
    helper = {"cell_type": "code", "id": "x1", "source": "help_me = 1", "metadata": {}}
    mine["cells"].insert(3, {**helper, "outputs": [], "execution_count": None})
    del mine["cells"][-1]  # thrown away
    merged, kept = merge(old, mine, new)
    text = cells(merged)
    assert kept == 3
    assert text["task-9-1"] == "def scale(x, by):\n    return x * by"
    assert text["check-9-2"] == "check('9.2')  # my own"
    assert "Scale it, please." in text["text-9-1"]
    assert "progress" not in text
    order = [name for name in text if name.startswith(("task", "x1"))]
    assert order == ["x1", "task-9-1", "task-9-0", "task-9-2"]
    assert next(c for c in merged["cells"] if c["id"] == "task-9-1")["outputs"]
    nbformat.validate(nbformat.reads(json.dumps(merged), as_version=4))
    assert merge(old, old, new)[0]["cells"] == new["cells"]


def test_updating_loses_nothing_whatever_has_become_of_a_notebook(tmp_path):
    old, new = versions()
    given = tmp_path / "handed-out" / "ch09-small.ipynb"
    given.parent.mkdir()
    given.write_text(json.dumps(old))
    assert update(tmp_path) == ["ch09-small.ipynb: new"]
    assert update(tmp_path) == []
    own = tmp_path / "ch09-small.ipynb"
    mine = own.read_text().replace("raise NotImplementedError", "return 42  #")
    own.write_text(mine)
    given.write_text(json.dumps(new))
    (said,) = update(tmp_path)
    assert "renewed, with 2 cells of yours; as it was: ch09-small.before.ipynb" in said
    assert "return 42" in own.read_text()
    assert "Scale it, please." in own.read_text()
    assert (tmp_path / "ch09-small.before.ipynb").read_text() == mine
    assert update(tmp_path) == []
    for broken in ("{", json.dumps({**old, "cells": [{"cell_type": "code", "source": "1"}]})):
        own.write_text(broken)
        given.write_text(json.dumps(old) + " " * (broken == "{"))
        (said,) = update(tmp_path)
        assert "left as it is" in said
        assert own.read_text() == broken
        assert (tmp_path / "ch09-small.new.ipynb").is_file()


def test_without_anything_handed_out_it_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="unpack there what was handed out"):
        update(tmp_path)
