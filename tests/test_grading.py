"""A class is graded: what is taken from notebooks, what is drawn, what the report says."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from exercises.grader import isolation
from exercises.grader.commands import main
from exercises.grader.conversation import Child
from exercises.grader.grading import Grader
from exercises.grader.results import Result, Store, read_set, safe_name
from exercises.grader.similarity import similar
from exercises.grader.submission import find_submissions
from exercises.grader.workers import grade_all
from exercises.learner import source
from exercises.learner.judging import Bench

SET = """# %% [markdown]
# # A small set
# %% setup
import numpy as np
# %% task 9.1: Scale
# kind: write; points: 70; minutes: 1; function: scale
#
# Scale it.
# %% stub
def scale(x, by):
    # BEGIN SOLUTION
    return by * x
    # END SOLUTION
# %% check
def cases(rng):
    yield {"x": rng.normal(size=4), "by": float(rng.normal())}
# %% another right solution
def scale(x, by):
    return np.array([by * one for one in x])
# %% misconception: adds
# says: You add.
def scale(x, by):
    return x + by
# %% misconception: divides
# says: You divide.
def scale(x, by):
    return x / by
# %% misconception: drops
# says: You give back what you got.
def scale(x, by):
    return x
# %% hints
# 1. A product.
# %% explanation
# A product.
# %% task 9.2: Answer
# kind: predict; points: 30; minutes: 1; function: reply
#
# The answer.
# %% stub
def reply():
    # BEGIN SOLUTION
    return 42
    # END SOLUTION
# %% check
def cases(rng):
    yield {}
# %% another right solution
def reply():
    return 6 * 7
# %% misconception: one less
# says: One more.
def reply():
    return 41
# %% misconception: one more
# says: One less.
def reply():
    return 43
# %% misconception: turned round
# says: Turn it round.
def reply():
    return 24
# %% hints
# 1. Think.
# %% explanation
# So it is.
"""
SCALE = "def scale(x, by):\n    return x * by"
REPLY = "def reply():\n    return 42"


@pytest.fixture
def small_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> source.ExerciseSet:
    """The set above as the only one of the course."""
    put_source(tmp_path, monkeypatch)
    yield source.load("ch09-small")
    source.load.cache_clear()


def put_source(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Write the set into a folder, and make it the only one."""
    (folder / "source").mkdir()
    (folder / "source" / "ch09-small.py").write_text(SET, encoding="utf-8")
    patch.setattr(source, "SOURCES", folder / "source")
    source.load.cache_clear()


def notebook(*cells: str | tuple[str, str]) -> str:
    """A notebook of code cells; of a pair the first says which task's cell it is."""
    made = []
    for cell in cells:
        task, text = cell if isinstance(cell, tuple) else ("", cell)
        metadata = {"minibert_task": task} if task else {}
        made.append({"cell_type": "code", "metadata": metadata, "source": text})
    content = {"cells": made, "metadata": {"minibert_exercises": {"set": "ch09-small"}}}
    return json.dumps(content | {"nbformat": 4, "nbformat_minor": 5})


def grade(*cells: str | tuple[str, str], tmp_path: Path, seed: bytes = b"seed") -> Result:
    """Grade one notebook of the small set."""
    folder = tmp_path / "submissions"
    folder.mkdir(exist_ok=True)
    (folder / "anna.ipynb").write_text(notebook(*cells), encoding="utf-8")
    grader = Grader(["ch09-small"], seed, isolation.choose("auto"))
    return grader.grade(find_submissions(folder)[0])


def points(result: Result) -> list[int]:
    """Points by task."""
    return [task.points for task in result.tasks]


def test_a_right_notebook_scores_all_and_a_mistake_is_named(small_set, tmp_path):
    wrong = ("9.2", "def reply():\n    return 24")
    result = grade(("9.1", SCALE), wrong, tmp_path=tmp_path)
    assert points(result) == [70, 0]
    assert result.tasks[1].mistake == "turned round"
    assert result.tasks[1].message == "Turn it round."


def test_a_missing_cell_costs_its_task_alone(small_set, tmp_path):
    result = grade(("9.2", REPLY), tmp_path=tmp_path)
    assert points(result) == [0, 30]
    assert result.tasks[0].message == "There is no function `scale` in the notebook."


def test_a_syntax_error_costs_its_task_alone_and_the_line_is_named(small_set, tmp_path):
    result = grade(("9.1", "def scale(x, by):\n    return by *"), ("9.2", REPLY), tmp_path=tmp_path)
    assert points(result) == [0, 30]
    assert "not Python" in result.tasks[0].message
    assert "line 2" in result.tasks[0].message


def test_extra_cells_with_helpers_errors_and_unknown_imports_cost_nothing(small_set, tmp_path):
    result = grade(
        "import a_module_that_is_not_here",
        "TWO = 2\ndef half(x):\n    return x / TWO",
        "print('hello'); 1 / 0",
        "this is not Python",
        ("9.1", "def scale(x, by):\n    return half(x) * by * 2"),
        ("9.2", REPLY),
        tmp_path=tmp_path,
    )
    assert points(result) == [70, 30]


def test_magics_shell_escapes_and_calls_are_not_run(small_set, tmp_path):
    mark = tmp_path / "mark"
    cell = f"%pip install x\n!touch {mark}\nopen('{mark}', 'w')\n{SCALE}\nscale(1, 2)"
    assert points(grade(("9.1", cell), ("9.2", REPLY), tmp_path=tmp_path)) == [70, 30]
    assert not mark.exists()


def test_a_function_is_found_where_the_cells_have_lost_their_names(small_set, tmp_path):
    assert points(grade(REPLY, SCALE, tmp_path=tmp_path)) == [70, 30]


def test_the_same_seed_draws_the_same_and_another_seed_others(small_set):
    task = small_set.tasks[0]
    first, again, other = (Bench(task, seed).cases[0]["by"] for seed in (b"a", b"a", b"b"))
    assert first == again != other


def test_what_is_graded_does_not_depend_on_the_public_inputs(small_set, tmp_path):
    """Somebody who looks up what `check` expects has learned nothing about the class's seed."""
    public = Bench(small_set.tasks[0]).expected[0].tolist()
    cheat = f"import numpy as np\ndef scale(x, by):\n    return np.array({public})"
    assert points(grade(("9.1", cheat), ("9.2", REPLY), tmp_path=tmp_path)) == [0, 30]


def test_notebooks_nested_in_a_learners_folder_are_one_submission(small_set, tmp_path):
    folder = tmp_path / "submissions" / "ben" / "work"
    folder.mkdir(parents=True)
    (folder / "a.ipynb").write_text(notebook(("9.1", SCALE)))
    (folder / "b.ipynb").write_text(notebook(("9.2", REPLY)))
    grader = Grader(["ch09-small"], b"seed", isolation.choose("auto"))
    (one,) = find_submissions(tmp_path / "submissions")
    assert one.name == "ben"
    assert points(grader.grade(one)) == [70, 30]


@pytest.mark.slow
@pytest.mark.parametrize("name", source.names())
def test_right_solutions_of_every_set_pass_in_the_child_too(name):
    """The child has what a task needs, and the task needs no more than the child has."""
    way = isolation.choose("auto")
    task = source.load(name).tasks[-1]
    bench = Bench(task, b"a class", small=True)
    codes = [f"{task.before}\n{code}" for code in (task.solution, task.alternative)]
    with Child(way, {"minibert", "minilm"} & set(task.needs), 120) as child:
        jobs = [(task, [("cell 1, line 1", code)], bench.cases) for code in codes]
        for came in child.run(jobs):
            assert "results" in came, came
            verdict = bench.verdict(came["results"])
            assert verdict.passed, verdict.message


# --- the command --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report on a class, to be read."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("graded")
        put_source(folder, patch)
        report = grade_class(folder)
    source.load.cache_clear()
    return report


def grade_class(tmp_path: Path) -> Path:
    """Grade a class of four through the command; the folder of the report."""
    folder = tmp_path / "class"
    folder.mkdir()
    wrong = ("9.2", "def reply():\n    return 41")
    (folder / "anna.ipynb").write_text(notebook(("9.1", SCALE), ("9.2", REPLY)))
    (folder / "ben.ipynb").write_text(notebook(("9.1", SCALE), wrong))
    (folder / "=cmd()<b>.ipynb").write_text(notebook(wrong))
    (folder / "李明.ipynb").write_text("no notebook")
    (tmp_path / "seed.txt").write_text("some random words")
    assert main(command(tmp_path)) == 0
    return tmp_path / "report"


def command(tmp_path: Path) -> list[str]:
    """The command line that grades that class."""
    seed, out = str(tmp_path / "seed.txt"), str(tmp_path / "report")
    return ["grade", str(tmp_path / "class"), "--seed-file", seed, "--out", out]


def test_the_report_shows_tasks_mistakes_and_a_page_for_each_submission(graded):
    page = (graded / "index.html").read_text(encoding="utf-8")
    assert "Learners: 4, of whom 3 have something graded" in page
    assert "one less (2)" in page
    assert "&lt;b&gt;" in page
    assert "<b>.html" not in page
    pages = sorted(path.name for path in (graded / "submissions").iterdir())
    assert len(pages) == 4
    ben = (graded / "submissions" / "ben.html").read_text(encoding="utf-8")
    assert "70 of 100 points" in ben
    assert "One more." in ben
    assert "anna" not in ben  # can be handed back
    data = json.loads((graded / "grades.json").read_text(encoding="utf-8"))
    assert {row["name"]: row["points"] for row in data["submissions"]}["ben"] == {"ch09-small": 70}


def test_the_summary_is_a_table(graded, capsys):
    assert main(["summary", str(graded)]) == 0
    assert "| ben | 70 | 70 | 0 |" in capsys.readouterr().out


@pytest.mark.slow
def test_grading_again_runs_nothing_that_is_graded_and_all_that_has_changed(small_set, tmp_path):
    graded = grade_class(tmp_path)

    def written() -> dict[str, int]:
        found = (graded / "results").glob("*/*.json")
        return {p.parent.name: p.stat().st_mtime_ns for p in found if p.stem != "files"}

    before, files = written(), [(graded / f).read_bytes() for f in ("grades.csv", "index.html")]
    assert main(command(tmp_path)) == 0
    assert written() == before
    assert [(graded / f).read_bytes() for f in ("grades.csv", "index.html")] == files
    (tmp_path / "class" / "ben.ipynb").write_text(notebook(("9.1", SCALE), ("9.2", REPLY)))
    assert main(command(tmp_path)) == 0
    assert {name for name, time in written().items() if time != before[name]} == {"ben"}
    (tmp_path / "seed.txt").write_text("other words")
    assert main(command(tmp_path)) == 0
    assert all(time != before[name] for name, time in written().items())


@pytest.mark.slow
def test_an_interrupted_grading_goes_on_where_it_stopped(small_set, tmp_path):
    folder = tmp_path / "class"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.ipynb").write_text(notebook(("9.1", SCALE), ("9.2", REPLY)))
    grader = Grader(["ch09-small"], b"seed", isolation.choose("auto"))
    submissions = find_submissions(folder)
    store = Store(tmp_path / "out")
    next(iter(grade_all(grader, submissions, store, jobs=1)))
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/ch*.json")}
    assert kept
    results = list(grade_all(grader, submissions, store, jobs=1))
    assert [result.points for result in results] == [100] * 3
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())


def test_a_result_that_was_cut_short_is_not_read(tmp_path):
    (tmp_path / "a.json").write_text('{"name": "a", "tasks": [')
    assert read_set(tmp_path / "a.json") is None
    assert read_set(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grade", "{tmp}/class"], "give --seed-file FILE and --out FOLDER"),
        (["grade", "{tmp}/none", "--seed-file", "{tmp}/seed", "--out", "{tmp}/o"], "no folder of"),
        (["grade", "{tmp}/void", "--seed-file", "{tmp}/seed", "--out", "{tmp}/o"], "no submission"),
        (["grade", "{tmp}", "--seed-file", "{tmp}/gone", "--out", "{tmp}/o"], "holds no seed"),
        (["grade", "{tmp}", "--seed-file", "{tmp}/empty", "--out", "{tmp}/o"], "holds no seed"),
        (["grade", "--sets", "ch77"], "no set ch77: known are ch09-small"),
        (["grade", "--isolation", "hope"], "no isolation hope: known are auto, bwrap"),
        (["summary", "{tmp}"], "holds no report"),
        (["similar", "{tmp}/none"], "no folder of submissions"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_status_2(
    small_set, tmp_path, capsys, arguments, said
):
    (tmp_path / "seed").write_text("words")
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "void").mkdir()
    (tmp_path / "source").rename(tmp_path / ".source")
    source.SOURCES = tmp_path / ".source"
    assert main([word.replace("{tmp}", str(tmp_path)) for word in arguments]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_ones_own_work_is_graded_without_a_folder(small_set, tmp_path, monkeypatch, capfd):
    from exercises.grader import commands

    monkeypatch.setattr(commands, "FOLDER", tmp_path)
    noisy = "def scale(x, by):\n    print('noise')\n    return x * by"
    (tmp_path / "ch09-small.ipynb").write_text(notebook(("9.1", noisy)))
    assert main(["grade"]) == 0
    said = capfd.readouterr().out
    assert "noise" not in said
    assert "■□" in said
    assert "70 of 100 points" in said
    assert "9.2: There is no function `reply` in the notebook." in said


@pytest.mark.parametrize("name", ["../up", "a/b", "x" * 300, ".hidden", "con\nsole", "a b"])
def test_a_name_never_leaves_its_folder(name, tmp_path):
    path = tmp_path / f"{safe_name(name)}.html"
    assert path.parent == tmp_path
    path.write_text("")
    assert safe_name(name) != safe_name(name + "!")


# --- copies -------------------------------------------------------------------------------------

LOOP = """def scale(x, by):
    out = np.empty_like(x)
    for i, value in enumerate(x):
        if value > 0:
            out[i] = value * by
        else:
            out[i] = -(-value * by)
    return out
"""
RENAMED = """def scale(x, by):
    # all my own work
    result = np.empty_like(x)
    for index, element in enumerate(x):

        if (element > 0):
            result[index] = element * by
        else:
            result[index] = -(-element * by)
    return result
"""
OTHER = """def scale(x, by):
    parts = [one.item() for one in np.split(x, len(x))]
    while len(parts) < len(x):
        parts.append(0.0)
    return np.asarray(list(map(lambda part: part * by, parts)))
"""


def test_a_renamed_copy_is_found_and_independent_work_is_not(small_set, tmp_path):
    for name, code in (("a", LOOP), ("b", RENAMED), ("c", OTHER)):
        (tmp_path / f"{name}.ipynb").write_text(notebook(("9.1", code), ("9.2", REPLY)))
    (tmp_path / "d.ipynb").write_text("no notebook")
    pairs = similar(find_submissions(tmp_path), small_set, isolation.choose("auto"), least=0.5)
    assert [(pair.task, pair.one, pair.other) for pair in pairs] == [("9.1", "a", "b")]
    assert pairs[0].proportion > 0.9


# --- a container --------------------------------------------------------------------------------


def test_a_container_is_started_without_network_and_with_a_clock(small_set, tmp_path, monkeypatch):
    """With a stand-in for podman that says yes to the image and runs what it is told."""
    log = tmp_path / "said"
    engine = tmp_path / "podman"
    engine.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\n[ $1 = image ] && exit 0\n'
        f"exec {sys.executable} -I -B {isolation.CHILD}\n"
    )
    engine.chmod(engine.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    isolation._has_image.cache_clear()
    way = isolation.choose("container")
    assert way == isolation.Isolation("container", str(engine))
    task = small_set.tasks[0]
    with Child(way, (), 60) as child:
        (came,) = child.run([(task, [("cell 1, line 1", SCALE)], Bench(task).cases)])
    assert Bench(small_set.tasks[0]).verdict(came["results"]).passed
    run = log.read_text().splitlines()[-1]
    for word in ("--network=none", "--read-only", "--cap-drop=ALL", "--pids-limit", "-s KILL"):
        assert word in run
    isolation._has_image.cache_clear()


def test_the_image_holds_what_a_child_runs_where_it_looks_for_it():
    written = isolation.CHILD.with_name("Containerfile").read_text(encoding="utf-8")
    root = source.FOLDER.parent
    for file, inside in isolation.INSIDE.items():
        assert f"COPY {file.relative_to(root).as_posix()} {inside}\n" in written
    assert f"podman build -t {isolation.IMAGE} -f" in written
