"""What a submission must not reach: the grades of others, their time, and what others are given.

Attacks of the kinds of `test_grader_attacks.py` that were thought of later.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from exercises.grader import grading, isolation, workers
from exercises.grader.conversation import LOST, Child
from exercises.grader.grading import Grader
from exercises.grader.results import Result, Store
from exercises.grader.submission import find_submissions
from exercises.grader.workers import grade_all
from exercises.learner import source
from exercises.learner.judging import Verdict
from tests.test_grader_attacks import HOST_SET, SET, grade, points, submit
from tests.test_grading import REPLY, SCALE, notebook, put_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for submissions to the sets to attack."""
    (tmp_path / "submissions").mkdir()
    return tmp_path


# An answer in the form in which the host sends them, to every descriptor that is open.
FORGED = """
import json, os, struct
def double(count, x):
    count(3)
    answer = {"": "dict", "of": [["results", [{"": "dict", "of": [["value", {"": "dict", "of": [
        ["result", {"": "array", "type": "<f8", "shape": [4]}], ["calls", 0]]}]]}]]]}
    text = json.dumps(answer).encode()
    data = struct.pack("<Q", len(text)) + text + (2 * x).tobytes()
    for stream in range(64):
        try:
            os.write(stream, data)
        except OSError:
            pass
    os._exit(0)
"""
# What is there of tasks that are run later: their inputs, and with another version of this answer
# the same inputs as here, which a host may hide.
LOOKING = """
import gc
def double(x):
    later = [one for one in gc.get_objects() if type(one) is dict and {"cases", "run"} <= set(one)]
    return x if later else 2 * x
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there is no host where nothing is forked")
def test_an_answer_cannot_be_sent_in_the_place_of_the_host(folder, monkeypatch):
    submit(folder, FORGED)
    way = isolation.choose("auto")
    assert points(grade(folder, way, monkeypatch, HOST_SET)) == [[0, 40]]


@pytest.mark.skipif(sys.platform != "linux", reason="there each task has a process of its own")
def test_inputs_of_other_tasks_are_out_of_sight(folder, monkeypatch):
    submit(folder, LOOKING)
    assert points(grade(folder, isolation.choose("auto"), monkeypatch, SET)) == [[40, 40]]


# --- time and size, of many together --------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for submissions to the small set."""
    put_source(tmp_path, monkeypatch)
    (tmp_path / "class").mkdir()
    yield tmp_path / "class"
    source.load.cache_clear()


def test_notebooks_that_are_slow_to_read_share_one_budget(small, monkeypatch):
    monkeypatch.setattr(isolation, "READING_ALL", 0.001)
    (small / "mallory").mkdir()
    for name in "abc":
        (small / "mallory" / f"{name}.ipynb").write_text(notebook(SCALE, REPLY))
    (one,) = find_submissions(small)
    result = Grader(["ch09-small"], b"seed", isolation.choose("auto")).grade(one)
    said = "not read: the notebooks before had used all the time for that"
    assert [file.problem for file in result.files][1:] == [said, said]


def test_results_that_are_slow_to_judge_share_one_budget(small, monkeypatch):
    monkeypatch.setattr(grading, "JUDGING", 0.0)
    (small / "mallory.ipynb").write_text(notebook(SCALE, REPLY))
    (one,) = find_submissions(small)
    grader = Grader(["ch09-small"], b"seed", isolation.choose("auto"))
    result = grader.grade(one, None, lambda _, sets: grader.solve(sets, mistakes=True))
    assert {task.message.split(":")[0] for task in result.tasks} == {"Not judged"}
    assert result.points == 0


def test_a_message_of_megabytes_is_cut(small):
    task = source.load("ch09-small").tasks[0]
    kept = grading._result(task, Verdict(False, "x" * 10**6), None, several=False)
    assert len(kept.message) < 5000


# --- what an attack on the machine does to others -------------------------------------------------


class FirstTimeLost:
    """A child that is gone before it answers, once."""

    def __init__(self, child: Child) -> None:
        self.child, self.runs = child, 0

    def run(self, jobs: list[Any]) -> Any:
        """Lost the first time."""
        self.runs += 1
        if self.runs == 1:
            return iter([{"error": {"kind": "Stopped", "message": LOST, "line": ""}}] * len(jobs))
        return self.child.run(jobs)


def test_an_answer_whose_child_was_lost_is_run_again(small):
    grader = Grader(["ch09-small"], b"seed", isolation.choose("auto"))
    grader._judging = 30.0
    ways = [
        grading._Way(task, (("", code),), "a.ipynb")
        for task, code in zip(grader.sets["ch09-small"].tasks, (SCALE, REPLY), strict=True)
    ]
    verdicts: dict[str, Any] = {}
    with Child(grader.way, (), 60) as child:
        grader._run(ways, FirstTimeLost(child), verdicts)
    assert [verdict.passed for verdict, _ in verdicts.values()] == [True, True]


class Shaky(Grader):
    """A grader on a machine that has no room for another process, once for each submission."""

    def grade(self, one: Any, *rest: Any) -> Result:
        """Fails the first time."""
        mark = Path(f"{one.paths[0]}.tried")
        if not mark.exists():
            mark.touch()
            raise BlockingIOError("no room for another process")
        return super().grade(one, *rest)


@pytest.mark.slow
def test_a_submission_that_met_a_full_machine_is_graded_again(small, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "PAUSE", 0.0)
    (small / "anna.ipynb").write_text(notebook(SCALE, REPLY))
    grader = Shaky(["ch09-small"], b"seed", isolation.choose("auto"))
    (result,) = grade_all(grader, find_submissions(small), Store(tmp_path / "out"), jobs=1)
    assert result.points == 100


@pytest.mark.skipif(sys.platform != "linux", reason="cores are chosen on Linux alone")
def test_threads_without_number_have_one_core(small, tmp_path):
    looks = "import os\ndef reply():\n    return 41 + len(os.sched_getaffinity(0))"
    (small / "mallory.ipynb").write_text(notebook(SCALE, looks))
    grader = Grader(["ch09-small"], b"seed", isolation.choose("auto"))
    (result,) = grade_all(grader, find_submissions(small), Store(tmp_path / "out"), jobs=1)
    assert result.points == 100
    assert json.loads((tmp_path / "out" / "mallory" / "ch09-small.json").read_text())
