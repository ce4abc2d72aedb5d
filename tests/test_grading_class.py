"""A class with hostile work in it is graded to its end, and everybody has a row."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest

from exercises.grader import conversation, grading, isolation
from exercises.grader.commands import main
from exercises.grader.conversation import Child
from exercises.grader.gradebook import harmless
from exercises.grader.grading import Grader
from exercises.grader.results import Store
from exercises.grader.submission import find_submissions
from exercises.learner import source
from exercises.learner.judging import Bench
from exercises.learner.note import printable
from exercises.learner.running import LONGEST, pack, unpack
from tests.test_grading import REPLY, SCALE, notebook, put_source

RIGHT = (("9.1", SCALE), ("9.2", REPLY))
GBK = "张伟".encode("gb18030")
# An answer to 9.2, which is right beside it in 9.1: each costs its own task and nothing else.
HOSTILE = {
    "a number of four hundred digits": "def reply():\n    return 10**400",
    "one of five thousand in the code": f"def reply():\n    return {'7' * 5000}",
    "one that is computed": "def reply():\n    return int('7' * 4000)",
    "half a character in an error": 'def reply():\n    raise ValueError("\\ud800")',
    "half a character": 'def reply():\n    return "\\ud800"',
    "half a character as a key": 'def reply():\n    return {"\\ud800": "\\ud801"}',
    "half a character in the code": "def reply():\n    return '\ud800'",
    "an error that cannot be printed": (
        "class Mine(Exception):\n    def __str__(self):\n        raise self\n"
        "def reply():\n    raise Mine"
    ),
    "an error with a name of its own": (
        "def reply():\n    raise type('<b>\\x1b[31m', (Exception,), {})('\\x1b]0;mine\\x07')"
    ),
    "a name of a class that is no text": (
        "class Meta(type):\n    __name__ = property(lambda self: 7)\n"
        "class Mine(Exception, metaclass=Meta):\n    pass\ndef reply():\n    raise Mine"
    ),
    "a key that is none": "def reply():\n    return {(1, (2,)): {None: 3}, 1.5: []}",
    "not a number as a key": "def reply():\n    return {float('nan'): 1}",
    "a negative nought": "def reply():\n    return -0.0",
    "all of two thousand arrays": (
        "import numpy as np\ndef reply():\n    return [np.zeros(1)] * 50_000"
    ),
    "an array without axes, of times": (
        "import numpy as np\ndef reply():\n    return np.array('2000', dtype='M8[Y]')"
    ),
    "a chain of three thousand functions": (
        "def f0(): return 41\n"
        + "\n".join(f"def f{i}(): return f{i - 1}" for i in range(1, 3000))
        + "\ndef reply():\n    return f2999()"
    ),
    "a function that is not there at the end": "def reply(): return 42\nreply = 3",
    "a zero byte": "def reply():\n    return 42\0",
    "brackets in brackets": "def reply():\n    return " + "(" * 5000 + "42" + ")" * 5000,
    "minus minus": "def reply():\n    return " + "-" * 50_000 + "42",
    "an attribute of an attribute": "def reply():\n    return a" + ".b" * 30_000,
    "a statement in a statement": "def reply():\n"
    + "".join(" " * i + "if 1:\n" for i in range(1, 99)),
}


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for submissions; the set is the only one of the course."""
    put_source(tmp_path, monkeypatch)
    (tmp_path / "class").mkdir()
    (tmp_path / "seed.txt").write_text("some random words")
    yield tmp_path
    source.load.cache_clear()


def put(course: Path, name: str | bytes, *cells: tuple[str, str], text: str = "") -> None:
    """Hand in a notebook, under a name or under bytes that are one."""
    path = os.path.join(os.fsencode(course / "class"), os.fsencode(name))
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text or notebook(*cells))


def grade(course: Path) -> dict[str, str]:
    """Grade the class through the command: the points of each row of the table."""
    seed, out = str(course / "seed.txt"), str(course / "report")
    assert main(["grade", str(course / "class"), "--seed-file", seed, "--out", out]) == 0
    text = (course / "report" / "grades.csv").read_text(encoding="utf-8-sig")
    return {row["name"]: row["ch09-small"] for row in csv.DictReader(text.splitlines())}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """Points and message of each task, for each hostile answer: all in one child."""
    folder = tmp_path_factory.mktemp("hostile")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        put_source(folder, patch)
        grader = Grader(["ch09-small"], b"seed", isolation.choose("auto"))
        (folder / "class").mkdir()
        with Child(grader.way, (), 300) as child:
            patch.setattr(grading, "Child", lambda *_: child)
            patch.setattr(Child, "__exit__", lambda *_: None)
            for name, code in HOSTILE.items():
                put(folder, "mallory.ipynb", RIGHT[0], ("9.2", code))
                (one,) = find_submissions(folder / "class")
                result = grader.grade(one)
                found[name] = [(task.points, task.message) for task in result.tasks]
                json.dumps(found[name], ensure_ascii=False).encode()  # can be written
            patch.undo()
            child.__exit__()
    source.load.cache_clear()
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_costs_its_own_task_and_says_something_printable(verdicts, name):
    (right, _), (wrong, message) = verdicts[name]
    assert (right, wrong) == (70, 0)
    assert message
    assert printable(message) == message


def test_whatever_is_handed_in_has_a_row_and_the_class_is_graded(course):
    folder = course / "class"
    put(course, "anna.ipynb", *RIGHT)
    put(course, "ben.IPYNB", *RIGHT)
    put(course, "_carl.ipynb", *RIGHT)
    put(course, GBK + b".ipynb", *RIGHT)
    put(course, b"\xff\xfe\xfd.ipynb", *RIGHT)
    put(course, "\x1b[31mdora\n.ipynb", *RIGHT)
    put(course, "<b>emil.ipynb", ("9.2", HOSTILE["a number of four hundred digits"]))
    put(course, "flora.py", text=SCALE)
    put(course, "gus.zip", text="PK")
    put(course, "hanna.pdf", text="%PDF")
    put(course, "noend", text="x")
    put(course, "empty.ipynb", text=" ")
    (folder / "empty.ipynb").write_bytes(b"")
    (folder / "ida").mkdir()
    (folder / "jo" / "work").mkdir(parents=True)
    (folder / "jo" / "work" / "mine.py").write_text(SCALE)
    (folder / "link").symlink_to(folder / "ida")
    (folder / ".DS_Store").write_text("")
    (folder / "__MACOSX").mkdir()
    results = course / "report" / "results"
    results.mkdir(parents=True)
    for name, text in (("anna", "null"), ("ben", "[1]"), ("_carl", '{"tasks": 3}'), ("ida", "7")):
        (results / name).mkdir()
        for file in ("ch09-small", "files"):
            (results / name / f"{file}.json").write_text(text)
    rows = grade(course)
    full, none = "100", ""
    assert rows == {
        **dict.fromkeys(["anna", "ben", "_carl", "张伟", "\\x1b[31mdora\\n"], full),
        next(name for name in rows if "dcff" in name or "xff" in name): full,
        "<b>emil": "0",
        **dict.fromkeys(["flora", "gus", "hanna", "noend", "empty"], none),
        **dict.fromkeys(["ida", "jo", "link"], none),
    }
    store = Store(results)
    kept = map(store.read_folder, store.names())
    notes = {result.name: " ".join(result.problems) for result in kept}
    for name, said in {
        "flora": "Python, but no notebook",
        "gus": "an archive. Unpack it",
        "hanna": "no notebook",
        "noend": "no notebook",
        "empty": "not JSON",
        "ida": "an empty folder",
        "jo": "a folder without a notebook: it holds mine.py",
        "link": "a symbolic link",
    }.items():
        assert said in notes[name], name
    page = (course / "report" / "index.html").read_text(encoding="utf-8")
    assert "<b>emil" not in page
    assert "\x1b" not in page
    before = {p: p.read_bytes() for p in (course / "report").rglob("*") if p.is_file()}
    assert grade(course) == rows
    assert {p: p.read_bytes() for p in before} == before


def test_equal_classes_give_equal_files_whoever_is_done_first(course, monkeypatch):
    for name in "abcdef":
        wrong = "def reply():\n    return " + ("41" if name in "ace" else "43")
        put(course, f"{name}.ipynb", RIGHT[0], ("9.2", wrong))
    grade(course)
    files = ("index.html", "grades.csv", "grades.json")
    first = {name: (course / "report" / name).read_bytes() for name in files}
    for path in (course / "report" / "results").glob("[ad]/*.json"):
        path.unlink()  # so that the others, which are read, are ready before these
    grade(course)
    assert {name: (course / "report" / name).read_bytes() for name in files} == first
    assert b"one less (3)<br>one more (3)" in first["index.html"]


def test_of_several_notebooks_the_best_counts_and_the_page_says_which(course):
    folder = course / "class" / "kim"
    (folder / "old").mkdir(parents=True)
    stub = "def scale(x, by):\n    raise NotImplementedError('9.1: write me')"
    older = notebook(("9.1", "def scale(x, by):\n    return x + by"), ("9.2", REPLY))
    (folder / "a copy.ipynb").write_text(notebook(("9.1", stub)))
    (folder / "old" / "ch09.ipynb").write_text(older)
    (folder / "solved.ipynb").write_text(notebook(("9.1", SCALE)))
    (folder / "z.ipynb").write_text("no notebook")
    assert grade(course)["kim"] == "100"
    page = (course / "report" / "submissions" / "kim.html").read_text(encoding="utf-8")
    assert "from solved.ipynb" in page
    assert "from ch09.ipynb" in page
    assert "z.ipynb: not a notebook" in page


TWO = ("ch01-one", "ch02-two")


@pytest.mark.parametrize(
    ("metadata", "file", "cells", "said"),
    [
        ({}, "x.ipynb", [SCALE], "ch01-one"),
        ({}, "x.ipynb", ["def enlarge(x, by):\n    return x"], "ch02-two"),
        ({}, "x.ipynb", [("2.2", "z = 1")], "ch02-two"),
        ({}, "ch02-two (1).ipynb", [SCALE], "ch02-two"),
        ({"minibert_exercises": {"set": "ch02-two"}}, "ch01-one.ipynb", [SCALE], "ch02-two"),
        ({"minibert_exercises": {"set": "ch77"}}, "x.ipynb", [SCALE], "ch01-one"),
        ({"minibert_exercises": 7}, "x.ipynb", ["z = 1"], "of which set it is cannot be told"),
        ({}, "x.ipynb", [REPLY], "of which set it is cannot be told"),  # both have it
    ],
)
def test_a_set_is_told_by_metadata_file_name_tasks_or_functions(
    two_sets, metadata, file, cells, said
):
    content = json.loads(notebook(*cells)) | {"metadata": metadata}
    child, sets = two_sets
    found = child.read(json.dumps(content).encode(), file, sets)
    assert found.get("set", found.get("problem")) == said


@pytest.fixture(scope="module")
def two_sets():
    """A child, and two sets that have a function in common."""
    from tests.test_grading import SET

    first = source.parse(SET.replace("9.1", "1.1").replace("9.2", "1.2"), TWO[0])
    other = SET.replace("9.1", "2.1").replace("9.2", "2.2").replace("scale", "enlarge")
    sets = {TWO[0]: first, TWO[1]: source.parse(other, TWO[1])}
    with Child(isolation.choose("auto"), (), 60) as child:
        yield child, sets


# --- budgets --------------------------------------------------------------------------------------


def test_the_budgets_of_a_submission_are_stated_when_they_are_hit(course, monkeypatch):
    monkeypatch.setattr(grading, "SECONDS", 0.5)
    endless = ("9.1", "def scale(x, by):\n    while True:\n        pass")
    put(course, "a.ipynb", endless, ("9.2", REPLY))
    put(course, "b.ipynb", RIGHT[0], ("9.2", REPLY + "\n" + "#" * (conversation.SOURCE)))
    table = "T = " + repr(["x" * 70] * 1000) + "\ndef reply():\n    return len(T) and 42"
    put(course, "c.ipynb", RIGHT[0], ("9.2", table))
    grader = Grader(["ch09-small"], b"seed", isolation.choose("auto"))
    results = [grader.grade(one) for one in find_submissions(course / "class")]
    said = [" ".join([*r.problems, *(t.message for t in r.tasks)]) for r in results]
    assert "Your code was stopped after" in said[0]
    assert "Not run: the tasks before had used all the time that a submission has." in said[0]
    assert "its code is 256 KB: at most 256 KB are read" in said[1]
    assert "KB long: at most 64 KB are judged" in said[2]
    assert [result.points for result in results] == [0, 0, 70]


def test_a_judge_that_is_led_astray_costs_the_task_alone(course, monkeypatch):
    """Whatever an answer does to its judge, it does to itself."""
    grader = Grader(["ch09-small"], b"seed", isolation.choose("auto"))
    task = grader.sets["ch09-small"].tasks[1]
    for harm, said in (
        (lambda *_: [1 for _ in iter(int, 1)], "OutOfTime"),
        (lambda *_: 1 / 0, "ZeroDivisionError"),
        (lambda *_: "x" * 2**62, "MemoryError"),
    ):
        monkeypatch.setattr(Bench, "verdict", harm)
        grader._judging = 0.2
        verdict = grader._verdict(task, {"results": [{"value": 42}]})
        assert not verdict.passed
        assert verdict.message == f"Your result cannot be judged: {said}."


LOST = """
# %% check
import os, numpy
def cases(rng):
    yield {}
def judge(case, got, expected):
    if got == 1:
        os._exit(0)
    if got == 2:
        numpy.ones(2**27).sum()  # a gigabyte
        return None
    return None if got == expected else ""
"""


@pytest.mark.slow
def test_a_worker_that_is_lost_is_replaced_and_its_submission_has_a_zero(
    course, monkeypatch, capsys
):
    text = (course / "source" / "ch09-small.py").read_text()
    at = text.rindex("# %% check\ndef cases(rng):\n    yield {}\n")
    end = at + len("# %% check\ndef cases(rng):\n    yield {}\n")
    (course / "source" / "ch09-small.py").write_text(text[:at] + LOST.strip() + "\n" + text[end:])
    source.load.cache_clear()
    for name, value in (("a", 42), ("b", 1), ("c", 2), ("d", 42), ("e", 1), ("f", 42)):
        put(course, f"{name}.ipynb", RIGHT[0], ("9.2", f"def reply():\n    return {value}"))
    rows = grade(course)
    assert rows == {
        "a": "100",
        "b": "0",
        "c": "70",
        "d": "100",
        "e": "0",
        "f": "100",
    }
    page = (course / "report" / "submissions" / "b.html").read_text(encoding="utf-8")
    assert "The grader could not finish with this submission" in page


# --- what a child sends ---------------------------------------------------------------------------


def forged(tree: object, data: bytes = b"") -> bytes:
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return len(text).to_bytes(8, "little") + text + data


ARRAY = {"": "array", "type": "<f8", "shape": [2**18]}


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xff" * 8,
        forged([ARRAY] * 50, bytes(2**21)),  # one array's numbers for fifty
        forged([{**ARRAY, "shape": [0]}] * 3000),
        forged({**ARRAY, "shape": [0, 2**40]}),
        forged({**ARRAY, "shape": [True]}, bytes(8)),
        forged({**ARRAY, "shape": "4"}, bytes(8)),
        forged({**ARRAY, "type": "O"}, bytes(8)),
        forged({**ARRAY, "type": "V8"}, bytes(8)),
        forged({**ARRAY, "type": "f8,f8"}, bytes(64)),
        forged({**ARRAY, "type": "((" * 9999}, bytes(8)),
        forged({"": "pickle", "of": 0}),
        forged({"of": 0}),
        forged({"": "dict", "of": [[[], 1]]}),
        forged({"": "dict", "of": 7}),
        forged(b"1" * 5000),
        forged(b"1" + b"0" * 25),
        forged(b"[" * 200_000),
        forged(b"[" * 30 + b"]" * 30),
        forged(b"\xff"),
        forged(1, b"\0"),
        forged(1) + forged(1),
        forged({"": "dict", "of": [[{"": "tuple", "of": [i]}, 0] for i in range(10_001)]}),
    ],
)
def test_bytes_that_are_no_answer_are_refused(sent):
    with pytest.raises(ValueError, match="not an answer"):
        unpack(sent)


def test_what_is_plain_arrives_as_it_was():
    import numpy as np

    for value in (
        [1, -(2**63), 2.5, None, True, "\ud800", (1, (2,)), {"a": [1], (1, 2): "b"}],
        {"x": np.arange(6).reshape(2, 3), "empty": np.zeros((0, 3)), "none": np.array(3.5)},
    ):
        again = unpack(pack(value))
        assert repr(again) == repr(value)
    assert unpack(pack(np.arange(3, dtype=">i4"))).tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match="more than 2000 arrays"):
        pack([np.zeros(1)] * 2001)
    assert LONGEST <= 8 * 2**20


@pytest.mark.parametrize(
    "text",
    [
        *("=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", " =1", "\u200b=1", "\ufeff@x"),
        *("＝1", "＋1", "－1", "＠x", "a;=1", "a, +1", "a\n-1", "a|@b", "a;\t＝1"),
    ],
)
def test_a_cell_of_a_spreadsheet_is_never_a_formula(text):
    cells = [harmless(text)]
    for separator in (";", ",", "\t", "\n", "\r", "|"):
        cells = [part for cell in cells for part in cell.split(separator)]
    for cell in cells:
        assert not cell.strip(" \t\r\n\u200b\ufeff").startswith(tuple("=+-@＝＋－＠"))


@pytest.mark.parametrize("text", ["Anna-Marie", "Müller - Anna", "李明", "a=b", "o'neil", ""])
def test_a_name_that_is_harmless_stays_as_it_is(text):
    assert harmless(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("李明 é", "李明 é"),
        ("a\x1b[2J\x00\x7f", "a\\x1b[2J\\x00\\x7f"),
        ("exe\u202egpj", "exe\\u202egpj"),
        ("a\u2028b\n", "a\\u2028b\\n"),
        (os.fsdecode(GBK) if os.name == "posix" else "张伟", "张伟"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_stranger_wrote_is_printable(text, shown):
    assert printable(text) == shown
    printable(text).encode()
