"""The exercise sets hold what they promise; a learner's calls say what helps."""

from __future__ import annotations

import ast
import dataclasses
import json
import linecache
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

import exercises.grader
import exercises.learner
from book.register import CHAPTERS
from exercises import case, check, hint, progress, solution
from exercises.grader import build, gates
from exercises.grader.commands import main
from exercises.learner import calls, checking, judging, record, source
from exercises.learner.comparing import difference
from exercises.learner.extraction import take
from exercises.learner.source import SourceError, parse
from exercises.learner.statements import read
from minibert import BertForSequenceClassification, BertModel, Tokenizer

ROOT = Path(__file__).resolve().parent.parent
NAMES = source.names()
CAPSTONE = "capstone-your-own-bert"
NEEDS_WEIGHTS = {n for n in NAMES if any("minilm" in t.needs for t in source.load(n).tasks)}
# Whose gates take no second, of strings and of numbers. The others take minutes in all.
QUICK = {"ch02-tokens", "ch15-tagging"}
SMALL = """# %% [markdown]
# # Small
# %% setup
import math
# %% task 9.1: Double
# kind: write; points: 100; minutes: 1; function: double
#
# Write `double(x)`. *Example.* `double(2)` is `4`.
# %% stub
def double(x: float) -> float:
    # BEGIN SOLUTION
    the_result_of_it_all = math.ldexp(x, 1)
    return the_result_of_it_all
    # END SOLUTION
# %% check
def cases(rng):
    yield {"x": 3.5}
    yield {"x": float(rng.uniform(4, 9))}
def numbers(case, got, expected):
    return {"got": got, "x": case["x"]}
# %% another right solution
def double(x):
    return x + x
# %% misconception: squared
# says: You give {got:.2f} for {x}: that is its square.
# - the_result_of_it_all = math.ldexp(x, 1)
# + the_result_of_it_all = x * x
# %% misconception: halved
# says: You halve.
# edit: math.ldexp(x, 1) => x / 2
# %% misconception: unchanged
# says: You give back what you got.
def double(x):
    return x
# %% hints
# 1. Twice.
# 2. Add it to itself.
# %% explanation
# Adding a number to itself doubles it.
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> source.Task:
    """A course of one small set, and a record of one's own."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "ch09-small.py").write_text(SMALL, encoding="utf-8")
    monkeypatch.setattr(source, "SOURCES", tmp_path / "source")
    monkeypatch.setenv("MINIBERT_PROGRESS", str(tmp_path / "progress.json"))
    source.load.cache_clear()
    checking.bench.cache_clear()
    calls._last.clear()
    yield source.load("ch09-small").tasks[0]
    source.load.cache_clear()


# --- the sets -----------------------------------------------------------------------------------


def test_every_chapter_has_a_set_then_comes_the_capstone_and_there_are_sixty_tasks():
    assert [*CHAPTERS, CAPSTONE] == NAMES
    tasks = list(source.all_tasks().values())
    assert len(tasks) >= 60
    assert {task.kind for task in tasks} == set(source.KINDS)
    for task in tasks:
        number = "C" if task.set_name == CAPSTONE else str(int(task.set_name[2:4]))
        assert task.id.split(".")[0] == number


def test_each_part_has_a_project():
    projects = {t.set_name[:4] for t in source.all_tasks().values() if t.kind == "project"}
    parts = (range(1, 6), range(6, 12), range(12, 18), range(18, 19))
    for part in parts:
        assert projects & {f"ch{number:02}" for number in part}, part


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=[pytest.mark.slow] * (name not in QUICK)
            + [pytest.mark.data] * (name in NEEDS_WEIGHTS),
        )
        for name in NAMES
    ],
)
def test_right_solutions_pass_the_stub_does_not_and_each_mistake_draws_its_own_message(name: str):
    assert gates.report(source.load(name), verbose=False) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_learners_notebook_is_the_one_that_the_source_makes(name: str):
    stored = (source.FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    made = nbformat.writes(build.notebook(source.load(name)), indent=1) + "\n"
    assert stored == made, "run make exercises"
    page = (build.INSTRUCTOR / f"{name}.md").read_text(encoding="utf-8")
    assert page == build.solution_page(source.load(name)), "run make exercises"
    nbformat.validate(nbformat.reads(stored, as_version=4))


def test_the_list_as_json_has_every_task(capsys: pytest.CaptureFixture[str]):
    assert main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == list(source.all_tasks())
    for row in rows:
        assert set(row) == {
            *("id", "chapter", "title", "kind", "points", "minutes", "misconceptions")
        }
        assert len(row["misconceptions"]) >= 3


def test_points_that_do_not_sum_to_a_hundred_and_a_dead_misconception_are_found(small):
    broken = SMALL.replace("points: 100", "points: 90").replace("=> x / 2", "=> x + x")
    found = gates.report(parse(broken, "ch09-small"), verbose=False)
    assert any("90" in line for line in found)
    assert any("halved: wanted halved, got passed" in line for line in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    # END SOLUTION\n", "", "has no END"),
        ("    # BEGIN SOLUTION\n", "", "END SOLUTION without its BEGIN"),
        ("    # END SOLUTION\n", "    # END STUB\n", "END STUB without its BEGIN"),
        ("    # BEGIN SOLUTION\n", "    # BEGIN SOLUTION\n    # BEGIN STUB\n", "inside"),
        ("    # BEGIN SOLUTION\n", "    # BEGIN SOLUTION: here\n", "a marker stands alone"),
        ("    # BEGIN SOLUTION\n", "    # BEGIN_SOLUTION\n", "a marker stands alone"),
        ("kind: write", "kind: guess", "kinds are write"),
        ("; minutes: 1", "", "missing field minutes"),
        ("task 9.1: Double", "task 9.1", "the task has no title"),
        ("# says: You halve.\n", "", "no line “# says: ...”"),
        ("# %% explanation", "# %% explanatoin", "no such cell"),
        ("=> x / 2", "-> x / 2", "neither edits nor a function"),
        ("# edit: math.ldexp(x, 1) => x / 2\n", "", "neither edits nor a function"),
        ("# + the", "# +the", "no edit: “# [+]the_result_of_it_all = x [*] x”"),
    ],
)
def test_a_source_that_is_not_in_the_format_is_refused_with_its_place(old, new, said):
    assert old in SMALL
    with pytest.raises(SourceError, match=said) as caught:
        parse(SMALL.replace(old, new, 1), "ch09-small")
    assert "ch09-small" in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("# edit: ldexp(y => ldexp(z", "line 30: “ldexp[(]y” stands nowhere in the solution"),
        ("# edit: result => outcome", "line 30: “result” stands 2 times in the solution"),
        ("# edit: ldexp => ldexp", "line 30: the edit changes nothing"),
        ("# - return it\n# + return x", "line 30: “return it” stands nowhere"),
        ("#\n# - return it\n# + return x", "line 31: “return it” stands nowhere"),
        ("# - return\n# - ...\n# + return x", "line 30: “return” stands nowhere"),
        ("# - return the_result_of_it_all\n# + return the_result_of_it_all", "30: .* nothing"),
        ("# edit: x, 1 => 1, x\n# edit: 1) => 2)", "line 3[01]: two edits replace the same"),
        ("# + return x", "line 30: “# [+]” follows no “# -”"),
        ("# edit: x, 1 => 1, x\ndef double(x): ...", "line 31: no edit: “def double"),
    ],
)
def test_an_edit_that_is_none_of_the_solution_is_refused_with_its_line(edit: str, said: str):
    text = SMALL.replace("# edit: math.ldexp(x, 1) => x / 2", edit)
    with pytest.raises(SourceError, match=f"ch09-small, {said}" if "line" in said else said):
        parse(text, "ch09-small")


LOOP = """    # BEGIN SOLUTION
    if x:
        for _ in range(2):
            x = x + 0

        y = x
    return y + x
    # END SOLUTION
"""


@pytest.mark.parametrize(
    ("edit", "body"),
    [
        (
            "# edit: range(2) => range(3)\n# edit: y + x =>  y - x",
            "if x:|    for _ in range(3):|        x = x + 0||    y = x|return  y - x",
        ),
        (
            "# - for _ in range(2):\n# -     x = x + 0\n# + while x:\n# +     x = 0\n# +     y = 1"
            "\n# - return y + x\n# + return y",
            "if x:|    while x:|        x = 0|        y = 1||    y = x|return y",
        ),
        (
            "# - if x:\n# - ...\n# -     y = x\n# + y = 2\n#\n# - return y + x",
            "y = 2",
        ),
        (
            "# -     y = x\n# + y = 1",
            "if x:|    for _ in range(2):|        x = x + 0||y = 1|return y + x",
        ),
        ("# edit: y +  =>", "if x:|    for _ in range(2):|        x = x + 0||    y = x|return x"),
    ],
)
def test_edits_keep_the_indentation_and_whatever_they_do_not_name(edit: str, body: str):
    start, end = SMALL.index("    # BEGIN"), SMALL.index("# %% check")
    text = SMALL[:start] + LOOP + SMALL[end:]
    text = text.replace("# - the_result_of_it_all = math.ldexp(x, 1)\n", "# - return y + x\n")
    text = text.replace("# edit: math.ldexp(x, 1) => x / 2", edit)
    wrong = parse(text, "ch09-small").tasks[0].misconceptions[1]
    head = "def double(x: float) -> float:\n"
    indented = [f"    {line}" if line else "" for line in body.split("|")]
    assert wrong.code == head + "\n".join(indented) + "\n"
    assert not wrong.is_whole


def test_nearly_every_misconception_is_written_as_edits():
    wrong = [m for task in source.all_tasks().values() for m in task.misconceptions]
    assert sum(m.is_whole for m in wrong) < len(wrong) / 50


def test_a_whole_function_that_repeats_the_solution_is_found():
    assert gates.repeats(parse(SMALL, "ch09-small")) == []
    whole = "def double(x):\n    the_result_of_it_all = x\n    return the_result_of_it_all\n"
    text = SMALL.replace("def double(x):\n    return x\n", whole)
    assert gates.repeats(parse(text, "ch09-small")) == []
    line = "    the_result_of_it_all = math.ldexp(x, 1)\n"
    text = SMALL.replace(
        "def double(x):\n    return x\n", whole.replace("x\n    ret", f"x\n{line}    ret")
    )
    found = gates.repeats(parse(text, "ch09-small"))
    assert found == ["9.1, unchanged: 1 lines of edits would do"]


@pytest.mark.parametrize(
    "leak",
    [
        "# Try the_result_of_it_all = math.ldexp(x, 1)",
        "#     the_result_of_it_all = math.ldexp(x, 1)",
    ],
)
def test_a_solution_that_stands_in_the_learners_text_is_found(leak: str):
    line = "    the_result_of_it_all = math.ldexp(x, 1)"
    text = SMALL.replace("# Write `double(x)`.", f"# Write `double(x)`.\n{leak}\n#")
    found = gates.leaks(parse(text, "ch09-small"))
    assert bool(found) == (leak.lstrip("# ") == line.strip())


# --- the tasks that put pieces together ---------------------------------------------------------


@pytest.mark.data
def test_the_encoder_of_task_6_6_is_that_of_minilm():
    bench = judging.Bench(source.find_task("6.6"))
    model = BertModel.from_pretrained("minilm").eval()
    for inputs, expected in zip(bench.cases, bench.expected, strict=True):
        with torch.no_grad():
            out = model(inputs["input_ids"], inputs["attention_mask"], output_hidden_states=True)
        states = torch.stack(out.hidden_states[1 : inputs["layers"] + 1])
        assert torch.allclose(states, expected, rtol=0, atol=1e-5)


def test_the_step_of_task_10_7_is_that_of_torch():
    bench = judging.Bench(source.find_task("10.7"), "any seed")
    for inputs, expected in zip(bench.cases, bench.expected, strict=True):
        weights = [torch.nn.Parameter(weight.clone()) for weight in inputs["weights"]]
        options = {"weight_decay": inputs["decay"], "betas": inputs["betas"], "eps": inputs["eps"]}
        optimizer = torch.optim.AdamW(weights, **options)
        steps = zip(inputs["rates"], inputs["gradients"], expected, strict=True)
        for rate, gradients, after in steps:
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
            for weight, right in zip(weights, after, strict=True):
                assert torch.allclose(weight, right, atol=1e-6)


def test_the_reader_of_task_12_6_is_the_shipped_classifier():
    bench = judging.Bench(source.find_task("12.6"))
    tokenizer = Tokenizer.from_pretrained("course-zh-reviews")
    model = BertForSequenceClassification.from_pretrained("course-zh-reviews").eval()
    for inputs, (ids, probabilities, name) in zip(bench.cases, bench.expected, strict=True):
        batch = tokenizer([inputs["text"]])
        with torch.no_grad():
            right = model(**batch).logits.softmax(-1)[0]
        assert batch["input_ids"][0].tolist() == ids
        assert tokenizer.vocab["[UNK]"] in ids or inputs is not bench.cases[-1]
        assert torch.allclose(right, probabilities, atol=1e-5)
        assert name == ("negative", "positive")[int(right.argmax())]


# --- the two rooms ------------------------------------------------------------------------------


def imports(path: Path) -> set[str]:
    """Names of the course that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("exercises")}


@pytest.mark.parametrize("room", [exercises.learner, exercises.grader], ids=lambda r: r.__name__)
def test_a_room_lists_its_modules_so_that_each_imports_only_those_above_it(room):
    folder = Path(room.__file__).parent
    order = re.findall(r"^- `(\w+)`", room.__doc__, re.MULTILINE)
    assert sorted(order) == sorted(p.stem for p in folder.glob("*.py") if p.stem != "__init__")
    for place, name in enumerate(order):
        below = {f"{room.__name__}.{other}" for other in order[place:]}
        assert not imports(folder / f"{name}.py") & below, name


def test_the_learners_room_imports_nothing_of_the_graders_and_running_nothing_at_all():
    folder = source.FOLDER / "learner"
    found = {path.name: imports(path) for path in folder.glob("*.py")}
    assert not any(name.startswith("exercises.grader") for each in found.values() for name in each)
    assert not found["running.py"]


# --- generating ---------------------------------------------------------------------------------


def test_generating_again_changes_nothing(small, tmp_path: Path):
    folders = tmp_path / "out", tmp_path / "instructor"
    folders[0].mkdir()
    assert len(build.write_set("ch09-small", *folders)) == 2
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert build.write_set("ch09-small", *folders) == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == before


def test_a_notebook_that_somebody_has_worked_in_is_left_alone(small, tmp_path: Path):
    folders = tmp_path, tmp_path / "instructor"
    build.write_set("ch09-small", *folders)
    path = tmp_path / "ch09-small.ipynb"
    mine = nbformat.read(path, as_version=4)
    next(c for c in mine.cells if c.metadata.get("minibert_task")).source = "def double(x): ..."
    nbformat.write(mine, path)
    kept = path.read_bytes()
    said = build.write_set("ch09-small", *folders)
    assert path.read_bytes() == kept
    assert "somebody has worked in it" in said[0]


def test_a_notebook_that_was_only_run_is_renewed(small, tmp_path: Path):
    build.write_set("ch09-small", tmp_path, tmp_path / "instructor")
    path = tmp_path / "ch09-small.ipynb"
    run = nbformat.read(path, as_version=4)
    run.cells[1].outputs = [nbformat.v4.new_output("stream", text="…")]
    nbformat.write(run, path)
    assert build.write_set("ch09-small", tmp_path, tmp_path / "instructor") == [
        "ch09-small.ipynb: written"
    ]


# --- the learner's calls ------------------------------------------------------------------------


def double(x):
    """A learner's answer, as wrong as it gets squared."""
    return x * x


def test_check_takes_the_function_of_its_caller_and_names_the_mistake(small):
    said = str(check("9.1"))
    assert "You give 12.25 for 3.5: that is its square." in " ".join(said.split())


def test_check_passes_a_right_answer_by_another_road(small):
    assert "9.1 passed: 100 points" in str(check("9.1", lambda x: sum([x, x])))


def test_a_mistake_that_is_unknown_gets_expected_and_got(small):
    said = str(check("9.1", lambda x: x + 1))
    assert "you have 4.5, expected is 7" in said
    assert 'hint("9.1")' in said


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: None, "you return None (is there a `return`?)"),
        (lambda x: "7", "you return a value of type str"),
        (lambda y: 2 * y, "unexpected keyword argument"),
        (lambda x: object(), "can be compared"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_whatever_goes_wrong_is_said_in_a_sentence(small, function, said):
    assert said in " ".join(str(check("9.1", function)).split())


def test_an_error_points_at_the_learners_own_line_and_never_into_the_checker(small):
    def mine(x):
        nothing = None
        return nothing.shape

    said = " ".join(str(check("9.1", mine)).split())
    assert "in the line `return nothing.shape`: AttributeError" in said
    assert "Traceback" not in said
    assert "judging" not in said


def test_an_unknown_task_lists_the_known(small):
    for call in (check, hint, solution):
        assert "there is no task 7.7: known are 9.1" in str(call("7.7"))


@pytest.mark.parametrize("typed", ["9.1 ", "task 9.1", "9,1", "9.1.", 9.1, "Task 9.1:".strip(":")])
def test_an_id_is_taken_as_it_is_typed(small, typed):
    assert "9.1 passed" in str(check(typed, lambda x: 2 * x))


def test_an_id_that_is_nearly_one_is_asked_about():
    said = " ".join(str(check("5.11")).split())
    assert "there is no task 5.11: did you mean 5.1" in said


def test_a_case_is_one_on_which_the_function_is_wrong(small):
    given = case("9.1", lambda x: 2 * x if x < 3.6 else x)
    assert set(given.inputs) == {"x"}
    assert given.inputs["x"] > 3.6
    assert given.expected == 2 * given.inputs["x"]
    assert given.run() == given.inputs["x"]
    assert f"`{given.inputs['x']!r}`" in given.text
    assert case("9.1", lambda x: 2 * x).inputs == {"x": 3.5}
    with pytest.raises(ZeroDivisionError):
        case("9.1", lambda x: x / 0).run()
    assert "there is no task 7.7" in str(case("7.7"))


def test_a_case_of_a_prediction_gives_its_result_not_away(small, monkeypatch):
    for kind in ("predict", "project"):
        task = dataclasses.replace(small, kind=kind)
        monkeypatch.setattr(calls, "find_task", lambda _, task=task: task)
        given = case("9.1", lambda x: 0)
        assert given.expected is None
        assert "Expected" not in given.text


def test_a_loop_that_does_not_end_is_stopped_in_its_line(small, monkeypatch):
    task = dataclasses.replace(small, seconds=0.3)
    monkeypatch.setattr(calls, "find_task", lambda _: task)

    def mine(x):
        while True:
            try:
                x += 1
            except Exception:
                x = 0

    said = " ".join(str(check("9.1", mine)).split())
    assert "was stopped after 0 seconds, in the line `" in said
    assert "Does it end?" in said


def test_an_error_shows_the_learners_own_lines_in_whichever_cell_they_stand(small):
    cells = ["def half(x):\n    return x / nothing", "def double(x):\n    return 4 * half(x)"]
    namespace = {}
    for i, cell in enumerate(cells):
        name = f"/tmp/ipykernel_7/{i}.py"
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        exec(compile(cell, name, "exec"), namespace)
    for said in (
        checking.judge(small, namespace["double"], cells[1], None).message,
        checking.judge(small, namespace["double"], cells[1], cells).message,
    ):
        assert (
            "in the line `return x / nothing`, called from `return 4 * half(x)`: NameError" in said
        )


WARNS = """def double(x):
    import warnings
    warnings.warn("divide by zero", RuntimeWarning)
    return x
"""


def test_no_warning_of_the_courses_own_mistakes_reaches_a_learner(small, recwarn):
    noisy = SMALL.replace("def double(x):\n    return x\n", WARNS)
    (source.SOURCES / "ch09-small.py").write_text(noisy, encoding="utf-8")
    source.load.cache_clear()
    assert "9.1, not yet" in str(check("9.1", lambda x: x + 1))
    assert not recwarn.list


def test_a_function_that_is_not_there_is_asked_for(small, monkeypatch):
    monkeypatch.delitem(globals(), "double")
    assert "There is no function `double` here yet" in str(check("9.1"))


def test_the_stub_is_no_attempt(small):
    def stub(x):
        raise NotImplementedError("9.1: write me")

    assert "nothing is written yet" in str(check("9.1", stub))
    assert record.entry("9.1").attempts == 0


def test_hints_come_one_after_the_other(small):
    assert "Twice." in str(hint("9.1"))
    assert "Add it" not in str(hint("9.1")).split("Hint 2")[0]
    assert "Add it to itself." in str(hint("9.1"))
    assert "no further hint" in str(hint("9.1"))


def test_the_solution_comes_after_a_try(small):
    assert "Try first" in str(solution("9.1"))
    check("9.1", lambda x: x)
    assert "math.ldexp(x, 1)" in str(solution("9.1"))
    assert "doubles it" in str(solution("9.1"))
    assert "BEGIN" not in str(solution("9.1"))


def test_progress_survives_a_restart(small, tmp_path: Path):
    check("9.1", lambda x: 2 * x)
    code = "import exercises.learner.source as s, pathlib; "
    code += f"s.SOURCES = pathlib.Path({str(source.SOURCES)!r}); "
    done = subprocess.run(
        [sys.executable, "-c", code + "from exercises import progress; print(progress())"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "100 of 100 points" in done.stdout
    assert "■" in done.stdout


def test_what_was_passed_before_a_task_went_away_is_kept_and_not_counted(small):
    record.write("9.7", record.Entry(attempts=1, passed="2025-01-01"))
    assert "0 of 100 points" in str(progress())
    check("9.1", lambda x: 2 * x)
    assert "100 of 100 points" in str(progress())
    assert record.entry("9.7").passed == "2025-01-01"


def test_progress_goes_on_in_the_set_at_hand(small, monkeypatch):
    for number in ("07", "11"):
        text = SMALL.replace("9.1", f"{int(number)}.1")
        (source.SOURCES / f"ch{number}-other.py").write_text(text, encoding="utf-8")
    assert "Next: 7.1" in str(progress())  # nothing is known
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/exercises/ch11-other.ipynb")
    assert "Next: 11.1" in str(progress())
    check("9.1", lambda x: x)
    assert "Next: 9.1" in str(progress())
    check("9.1", lambda x: 2 * x)
    assert "Next: 11.1" in str(progress())
    check("11.1", lambda x: 2 * x)
    assert "Next: 7.1" in str(progress())
    check("7.1", lambda x: 2 * x)
    assert "All done." in str(progress())


def test_a_record_that_cannot_be_read_is_kept_aside(small, tmp_path: Path):
    record.path().write_text("{broken", encoding="utf-8")
    assert "0 of 100 points" in str(progress())
    check("9.1", lambda x: 2 * x)
    assert record.entry("9.1").passed
    assert record.path().with_suffix(".unreadable.json").read_text() == "{broken"


def test_a_task_to_be_written_by_hand_does_not_take_the_package(small):
    def mine(x):
        import minibert

        return 2 * x if minibert else 0

    assert "without `minibert`" in str(check("9.1", mine))


def test_notes_are_escaped_in_a_notebook(small):
    def mine(x):
        raise ValueError("<script>alert(1)</script>")

    shown = check("9.1", mine)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


# --- what is said of a mistake ------------------------------------------------------------------


def told(task_id: str, code: str) -> str:
    """What `check` says of an answer, written in a file as a notebook's cell is."""
    task = source.find_task(task_id)
    namespace: dict = {"__name__": "notebook"}
    exec(compile(task.setup + code, "<cell>", "exec"), namespace)
    lines = (task.setup + code).splitlines(keepends=True)
    linecache.cache["<cell>"] = (len(code), None, lines, "<cell>")
    function = namespace[task.function]
    return checking.judge(task, function, calls.source_of(function), None).message


def edited(task_id: str, old: str, new: str) -> str:
    solution = source.find_task(task_id).solution
    assert solution.count(old) == 1
    return solution.replace(old, new)


SEEDS = ["public", "a class", "another class", "1", "2", "3"]
SECOND = "documents[other][there], 1", "documents[other][1], 1"
IN_ORDER = "pairs = []", "pairs, rng = [], np.random.default_rng(len(documents))"
EXACTLY = (
    "(first < 0.15) & ~special_tokens_mask",
    "first <= first[~special_tokens_mask].quantile(0.15)) & ~special_tokens_mask",
)
NEVER_MET = "random > met - random"
SHIFTED = "is_sep.cumsum(1) - is_sep"
OLD_PASSES = [
    ("8.1", EXACTLY[0], "(" + EXACTLY[1], "a fixed number is selected"),
    ("9.1", *SECOND, "a random b is always the second sentence"),
    ("9.1", *IN_ORDER, "the generator is not used"),
    ("9.5", NEVER_MET, "random >= met - random", "at a tie and at a new length it says 1"),
    ("9.5", NEVER_MET, f"({NEVER_MET}) | (met == 0)", "at a length never met it says 1"),
    ("14.2", SHIFTED, "is_sep.roll(1).cumsum(1)", "a separator goes over into the next text"),
    ("14.2", SHIFTED, "is_sep.roll(1, 1).cumsum(1)", "a separator comes back at the beginning"),
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("task_id", "old", "new", "name"), OLD_PASSES)
def test_a_rule_that_once_went_untried_is_tried_by_every_seed(task_id, old, new, name, seed):
    bench = judging.Bench(source.find_task(task_id), seed)
    assert bench.verdict(bench.results_of(edited(task_id, old, new))).mistake == name


@pytest.mark.parametrize(
    ("task_id", "old", "new", "said"),
    [
        ("1.3", "answers.flatten())", "answers.flatten()).item()", "no gradient comes out"),
        ("5.3", '"query": (batch', '"query": (1 + batch', "`scores` and `divisor` and"),
        ("15.2", "return spans", "return iter(spans)", "Your code runs, but it returned list_it"),
        ("15.2", "(tags: ", "(words: ", "cannot be called as the task says: TypeError"),
        ("6.1", "centred = x", "F.layer_norm(x, x.shape[-1:]); centred = x", "`layer_norm`"),
        ("13.1", "one = total", "one = -logits.log_softmax(-1)[0] + total", "`log_softmax`"),
        ("5.1", "-torch.inf", "-1", "Is their score set to a number such as 0 or -1?"),
        ("3.2", "cosine - 2 * torch.eye(len(cosine))", "cosine.fill_diagonal_(-9)", "a copy"),
        ("13.4", "bucket < 8", "bucket <= 8", "leaves the remainder 8, and that is for 'dev'"),
        ("4.1", "angle.sin()", "2 * angle.sin()", "The first that is not stands at [1, 0]: 1.683"),
        ("3.1", "one_hot, one_hot @ table", "one_hot @ table, one_hot", "in the other order"),
        ("10.1", "(total - step)", "(total - step) ** 2", "stands at ["),
        ("12.5", "return [whole - ", "return [2 * whole - 2 * ", "is 2 times what it should be"),
        ("6.3", "return x if", "return 2 * x if", "`order='post'`: each of your values is 2 times"),
        ("5.4", "return pieces", "return -pieces", "`heads=2`: your values are right but for"),
        ("6.1", "gain *", "3 * gain *", "`: none of your values is right: the first is"),
    ],
)
def test_a_mistake_is_told_by_what_was_seen(task_id, old, new, said):
    assert said in told(task_id, edited(task_id, old, new))


SOME = "2 of 3 values are right. The first that is not stands at [1]: 2.5, expected is 2."
ROW, SQUARE = np.array([1.0, 2.0, 5.0]), np.array([[1.0, 2.0], [3.0, 5.0]])


@pytest.mark.parametrize(
    ("got", "want", "said"),
    [
        (2 * ROW, ROW, "each of your values is 2 times what it should be."),
        ([-1.0, 2.0], [1.0, -2.0], "your values are right but for the sign."),
        (SQUARE.T, SQUARE, "your values are right, but with rows and columns exchanged."),
        (ROW + 3, ROW, "each of your values is 3 too large."),
        (ROW[::-1], ROW, "your values are right, but stand in other places."),
        ([1, 2.5, 5], [1, 2, 5], SOME),
        ((ROW, -ROW), (ROW, ROW), "`result[1]`: your values are right but for the sign."),
        ({"a": 3 * ROW, "b": 0}, {"a": ROW, "b": 0}, "`result['a']`: each of"),
        (np.array(4.0), np.array(2.0), "you have 4, expected is 2."),
        (ROW**2, ROW, "1 of 3 values are right. The first that is not stands at [1]: 4"),
        (ROW**2 + 1, ROW, "none of your values is right: the first is 2, not 1."),
        (ROW * np.nan, ROW, "none of your values is right: the first is nan, not 1."),
    ],
)
def test_how_numbers_differ_is_said_where_it_is_simple(got, want, said):
    assert difference(got, want, 1e-4, "result").startswith(said)


def test_an_untouched_repair_is_told_its_symptom_and_no_cause():
    said = told("9.3", source.find_task("9.3").stub)
    assert said.startswith("This is still what you were given. Your loss of the pairs is 0.77")
    assert "ignore_index" not in said
    said = told("5.2", source.find_task("5.2").stub)
    assert said.endswith(
        "Your first position may attend to 2 positions, and 2 rows attend to nothing."
    )
    stub = source.find_task("9.3").stub
    changed = told("9.3", stub.replace("(ignore_index=0)", "(None, None, 0)"))
    assert "0 is what `ignore_index=0` leaves out" in changed


REPAIRS = [task for task in source.all_tasks().values() if task.kind == "repair"]


def test_an_untouched_repair_is_nothing_that_a_grader_would_speak_of():
    for task in REPAIRS:
        stubs = {one.id: one.stub for one in source.load(task.set_name).tasks}
        ways, problem = take(read(stubs.items()), task.id, task.function, task.setup, stubs)
        assert not ways
        assert "nothing is written yet" in problem


@pytest.mark.slow
@pytest.mark.parametrize("task", REPAIRS, ids=lambda task: task.id)
def test_every_untouched_repair_is_told_one_sentence_that_asks_for_no_cause(task):
    said = told(task.id, task.stub).removeprefix("This is still what you were given. ")
    assert said.endswith(".")
    assert "?" not in said
    known = [m.says for m in task.misconceptions]
    assert not any(said == says for says in known)


def test_a_loss_has_to_have_the_gradient_of_the_solution():
    half = "losses = losses / 2 + losses.detach() / 2; weighted = losses"
    said = told("8.3", edited("8.3", "weighted = losses", half))
    assert "their gradient at the inputs is another" in said
