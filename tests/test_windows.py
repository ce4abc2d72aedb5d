"""The exercises where there is no POSIX, and where the console cannot show every character."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_exercises import SMALL

from exercises.grader import allowed, isolation, limits
from exercises.learner import source

ROOT = Path(__file__).resolve().parent.parent
RIGHT = "def double(x):\n    return 2 * x"
WRONG = "def double(x):\n    return x / 2"
# Characters that cp1252 has not, in all that a learner may be shown.
STRANGE = SMALL.replace("9.1: Double", "9.1: Double → 加倍").replace(
    "# says: You halve.", "# says: You halve 一半: x ≤ 2 → “less”."
)
SETTING = """
import pathlib, sys
from exercises import check, hint, progress, solution
from exercises.grader import commands
from exercises.learner import source
commands.FOLDER = pathlib.Path.cwd()
source.SOURCES = commands.FOLDER / "source"
def double(x):
    return 2 * x
def halve(x):
    return x / 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A course of one small set, with a notebook in which it is answered wrongly."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "ch09-small.py").write_text(STRANGE, encoding="utf-8")
    cells = [{"cell_type": "code", "metadata": {"minibert_task": "9.1"}, "source": WRONG}]
    (tmp_path / "ch09-small.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}}))
    return tmp_path


def run(folder: Path, script: str, before: str = "", **environment: str) -> tuple[int, str, str]:
    """Exit status, output and errors of a script in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", before + SETTING + script],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
            "MINIBERT_PROGRESS": str(folder / "progress.json"),
            **environment,
        },
        capture_output=True,
        check=False,
    )
    encoding = environment.get("PYTHONIOENCODING", "utf-8").split(":")[0]
    return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)


WINDOWS = "import windows\n"


def test_a_check_needs_nothing_that_windows_has_not(folder):
    script = "print(check('9.1', halve), check('9.1', double), hint('9.1'), solution('9.1'))\n"
    status, said, error = run(folder, script + "print(progress())", WINDOWS)
    assert (status, error) == (0, "")
    assert "not yet" in said
    assert "You halve" in said
    assert "9.1 passed: 100 points" in said
    assert "100 of 100 points" in said
    assert not list(folder.glob(".progress-*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in source.names() if n.startswith(("ch02", "ch05"))])
def test_checks_of_the_course_itself_work_there(folder, name):
    """One set of strings and one of tensors."""
    task = source.load(name).tasks[0]
    script = f"source.SOURCES = pathlib.Path({str(source.SOURCES)!r})\n"
    for code in (task.misconceptions[0].code, task.solution):
        script += f"exec({task.setup + code!r})\nprint(check({task.id!r}, {task.function}))\n"
    status, said, error = run(folder, script, "import torch\n" + WINDOWS)
    assert (status, error) == (0, "")
    assert f"{task.id}, not yet" in said
    assert f"{task.id} passed" in said


def test_ones_own_work_is_graded_under_a_clock_there(folder):
    status, said, error = run(folder, "sys.exit(commands.main(['grade']))", WINDOWS)
    assert status == 0
    assert "your code runs under a clock alone" in error
    assert "0 of 100 points" in said
    assert "You halve" in said


def test_the_clock_there_stops_what_does_not_end(folder):
    path = folder / "source" / "ch09-small.py"
    path.write_text(STRANGE.replace("minutes: 1", "minutes: 1; seconds: 0.2"), "utf-8")
    notebook = folder / "ch09-small.ipynb"
    notebook.write_text(notebook.read_text().replace("return x / 2", "while True: pass"))
    status, said, _ = run(folder, "sys.exit(commands.main(['grade']))", WINDOWS)
    assert status == 0
    assert "Your code was stopped after 0 seconds" in said


@pytest.mark.parametrize("way", ["auto", "limits", "clock"])
def test_a_class_is_not_graded_there_and_one_line_says_why(folder, way):
    (folder / "seed").write_text("words")
    command = ["grade", ".", "--seed-file", "seed", "--out", "report", "--isolation", way]
    status, said, error = run(folder, f"sys.exit(commands.main({command}))", WINDOWS)
    assert (status, said) == (2, "")
    assert len(error.splitlines()) == 1
    assert "needs Linux (bubblewrap) or macOS (limits), or on Windows WSL" in error
    assert not (folder / "report").exists()


@pytest.mark.parametrize("kind", ["clock", "fork"])
def test_what_keeps_nothing_apart_is_for_ones_own_work(kind, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    assert isolation.choose(kind, own=True).kind == kind
    with pytest.raises(ValueError, match="your own work"):
        isolation.choose(kind)


def test_a_child_without_limits_runs_all_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    limits.limit_resources(1.0, 1)  # would end the tests if it did anything
    monkeypatch.setattr(sys, "platform", "win32")
    limits.forget_limits()
    limits.die_with_parent()
    limits.forbid_calls(b"")
    assert allowed.program.__wrapped__() == b""


# --- consoles ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_whatever_a_console_cannot_show_is_legible(folder, encoding):
    script = "print(check('9.1', halve), check('9.1', double), progress(), progress(), sep='\\n')\n"
    script += "status = commands.main(['list']) + commands.main(['list', '--json'])\n"
    script += "sys.exit(status + commands.main(['grade']))"
    status, said, error = run(folder, script, PYTHONIOENCODING=encoding)
    assert (status, "Traceback" in error) == (0, False)
    shown = " ".join(said.split())
    if encoding == "utf-8":
        assert "You halve 一半: x ≤ 2 → “less”." in shown
        assert "■" in said
    else:
        assert r"You halve \u4e00\u534a: x <= 2 -> " in shown
        assert "ch09-small             #" in said
        assert r"Double -> \u52a0\u500d" in said
    rows = said[said.index("[\n") : said.index("\n]") + 2]
    assert json.loads(rows)[0]["title"] == "Double → 加倍"


def test_a_choice_of_the_users_own_is_left_alone(folder):
    status, said, _ = run(folder, "print('≤')", PYTHONIOENCODING="cp1252:replace")
    assert (status, said.strip()) == (0, "?")
