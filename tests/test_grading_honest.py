"""Honest work loses no points: what `check` passes in a notebook, `grade` passes from its file.

Every way to write an answer that is here is run as cells in a real IPython, where `check` judges
it, and is graded from a notebook of the same cells, under each isolation.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from exercises.grader import isolation
from exercises.grader.conversation import Child
from exercises.learner import checking, source
from exercises.learner.judging import Bench
from tests.test_grader_attacks import is_there

SET = """# %% [markdown]
# # A set
# %% setup
import numpy as np

SCALE = 2
# %% task 9.1: Double
# kind: write; points: 60; minutes: 1; function: double
#
# Double it.
# %% stub
def double(x):
    # BEGIN SOLUTION
    return 2 * x
    # END SOLUTION
# %% check
def cases(rng):
    yield {"x": rng.normal(size=4)}
# %% another right solution
def double(x):
    return x + x
# %% misconception: one
# says: one
def double(x):
    return x
# %% misconception: two
# says: two
def double(x):
    return x * x
# %% misconception: three
# says: three
def double(x):
    return -x
# %% hints
# 1. Twice.
# %% explanation
# Twice.
# %% task 9.2: Count
# kind: repair; points: 40; minutes: 1; function: count
#
# Count letters.
# %% stub
def letters(text):
    # BEGIN STUB
    return text
    # END STUB
    # BEGIN SOLUTION
    return text.replace(" ", "")
    # END SOLUTION
def count(text):
    return {letter: letters(text).count(letter) for letter in letters(text)}
# %% check
def cases(rng):
    yield {"text": "to be or not " + "".join(rng.choice(list("abc"), 5))}
# %% another right solution
def count(text):
    from collections import Counter
    return dict(Counter(text.replace(" ", "")))
# %% misconception: four
# says: four
def count(text):
    return {}
# %% misconception: five
# says: five
def count(text):
    return {letter: 1 for letter in text}
# %% misconception: six
# says: six
def count(text):
    return len(text)
# %% hints
# 1. One by one.
# %% explanation
# So many.
"""
CALLS = "from exercises import case, check, hint, progress, solution"
SETUP = f"import numpy as np\n\nSCALE = 2\n\n{CALLS}"
STUB = 'def double(x):\n    raise NotImplementedError("9.1: write me")'
COUNT = """def letters(text):
    return text.replace(" ", "")
def count(text):
    return {letter: letters(text).count(letter) for letter in letters(text)}"""
DOUBLE = "def double(x):\n    return 2 * x"

# The cells of a notebook; the first is the cell of task 9.1 where nothing else is said.
HONEST = {
    "nothing special": [DOUBLE],
    # What failed once.
    "a constant that is computed": ["HALF = 1 / 2\ndef double(x):\n    return x / HALF"],
    "a sum beside it": ["N = 1 + 1\ndef double(x):\n    return N * x"],
    "a constant below it": ["def double(x):\n    return N * x\n\nN = 1 + 1"],
    "a compiled pattern": [
        "import re\nDIGIT = re.compile(r'\\d')\ndef double(x):\n"
        "    return int(DIGIT.search('a2').group()) * x"
    ],
    "a helper as a lambda": ["twice = lambda x: 2 * x\ndef double(x):\n    return twice(x)"],
    "an import that is tried": [
        "try:\n    import not_here as fast\nexcept ImportError:\n    fast = None\n"
        "def double(x):\n    return fast.double(x) if fast else 2 * x"
    ],
    "the answer in a new cell below the stub": [STUB, DOUBLE],
    "a better second version below a first": ["def double(x):\n    return x", DOUBLE],
    "help in the cell": ["np.sum?\n" + DOUBLE + "\n?np.sum\nnp.sum??"],
    "a magic in the cell": [DOUBLE + "\n%time double(3)\n%timeit -n1 -r1 double(3)"],
    "a magic with a statement": ["%time N = 1 + 1\ndef double(x):\n    return N * x"],
    "an import that is not installed": ["import not_here_at_all", DOUBLE],
    "one in the answer's own cell, unused": [
        "try:\n    import not_here_at_all\nfinally:\n    pass",
        DOUBLE,
    ],
    "a package that writes when it is imported": [
        "import matplotlib.pyplot as plt\n" + DOUBLE + "\ndef show(x):\n    plt.plot(double(x))"
    ],
    "an OrderedDict": [
        DOUBLE,
        "from collections import OrderedDict\ndef count(text):\n    text = text.replace(' ', '')\n"
        "    return OrderedDict((a, text.count(a)) for a in sorted(text))",
    ],
    # Of the same kinds.
    "a magic for the cell": ["%%time\n" + DOUBLE],
    "a magic that keeps what is printed": ["%%capture said\nprint(1)\n" + DOUBLE],
    "a cell of another language": ["%%html\n<b>def double(x): return 7</b>", DOUBLE],
    "a shell escape with half a quote": ["!echo it's >/dev/null\n" + DOUBLE],
    "what a shell says": ["lines = !echo hello\n" + DOUBLE],
    "text that looks like magics": [
        'TEXT = """\n%d\n!bang\nwhy?\n"""\nN = TEXT.count("!") + 1\n%time 1\n'
        "def double(x):\n    return N * x"
    ],
    "a table that a loop fills": [
        "TABLE = []\nfor i in range(3):\n    TABLE.append(i)\ndef double(x):\n"
        "    return TABLE[2] * x"
    ],
    "a dictionary filled below": [
        "FACTOR = {}\ndef double(x):\n    return FACTOR['two'] * x\nFACTOR['two'] = 2"
    ],
    "a list sorted in place": [
        "L = [3, 2]\nL.sort()\ndef double(x):\n    return L[0] * x",
    ],
    "a function that sets a global": [
        "def begin():\n    global N\n    N = 2\nbegin()\ndef double(x):\n    return N * x"
    ],
    "an attribute of the function": [
        "def double(x):\n    return double.by * x\ndouble.by = 2",
    ],
    "a chain of values": ["A = 1\nB = A + 1\nA = 5\ndef double(x):\n    return B * x"],
    "a helper of the same name for each task": [
        "def helper(x):\n    return 2 * x\ndef double(x):\n    return helper(x)",
        "def helper(t):\n    return t.replace(' ', '')\ndef count(text):\n"
        "    return {a: helper(text).count(a) for a in helper(text)}",
    ],
    "a helper made better in a cell below": [
        "def helper(x):\n    return x\ndef double(x):\n    return helper(x)",
        "def helper(x):\n    return 2 * x",
    ],
    "only the helper repaired": [
        DOUBLE,
        'def letters(text):\n    return "".join(text.split())',
    ],
    "unpacked": ["ONE, (TWO, *_) = 1, (2, 3)\ndef double(x):\n    return TWO * x"],
    "a walrus": ["print(TWO := 2)\ndef double(x):\n    return 2 * x"],
    "with and if": [
        "import io\nwith io.StringIO('2') as f:\n    N = int(f.read())\n"
        "if __name__ == '__main__':\n    M = N\ndef double(x):\n    return M * x"
    ],
    "a dataclass and annotations of the future": [
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "from typing import ClassVar\n@dataclass\nclass Factor:\n    one: ClassVar[int] = 1\n"
        "    by: int = 2\ndef double(x: NotDefined) -> Nowhere:\n    return Factor().by * x"
    ],
    "an object that is called": [
        "class Twice:\n    def __call__(self, x):\n        return 2 * x\ndouble = Twice()"
    ],
    "partial": [
        "from functools import partial\ndef times(by, x):\n    return by * x\n"
        "double = partial(times, 2)"
    ],
    "wrapped below": [
        DOUBLE.replace("2", "1"),
        "once = double\ndef double(x):\n    return once(x) * 2",
    ],
    "decorated": [
        "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def inner(*a, **k):\n"
        "        return 2 * f(*a, **k)\n    return inner\n@twice\ndef double(x):\n    return x"
    ],
    "a star import": ["from math import *\ndef double(x):\n    return floor(e) * x"],
    "what the setup gives": ["def double(x):\n    return SCALE * np.asarray(x)"],
    "Windows's ends of lines": ["N = 2\r\ndef double(x):\r\n    return N * x\r\n"],
    "several statements on a line": ["N = 1; N += 1; M = 0\ndef double(x): return N * x"],
    "identifiers in Chinese": ["倍 = 2\ndef double(x):\n    'é'; return 倍 * x"],
    "a cell below that fails": [DOUBLE, "double(None)\n1 / 0"],
    "a cell that is no Python": [DOUBLE, "this is not Python"],
    "a test below it": [DOUBLE + "\nassert double(2) == 4\nprint(double(3))"],
    "a scratch value that is named like a helper": [
        "def double(x):\n    two = 2\n    return two * x",
        "for two in range(3):\n    pass",
    ],
    "a default from a cell below": [
        "N = 2",
        "def double(x, n=N):\n    return n * x",
    ],
    "quiet": [
        "import warnings\nwarnings.simplefilter('error')\ndef double(x):\n    return 2 * x",
    ],
    "recursion with a cache": [
        "from functools import lru_cache\n@lru_cache(None)\ndef two(n):\n"
        "    return 2 if n == 0 else two(n - 1)\ndef double(x):\n    return two(5) * x"
    ],
    "the course's star": ["from exercises import *\n" + DOUBLE],
    "an attribute of a module": ["np.two = 2\ndef double(x):\n    return np.two * x"],
    "its own text": [
        "import inspect\ndef double(x):\n    return len(inspect.getsource(double)[:2]) * x"
    ],
}
# Right in the kernel alone, where something is that is nowhere in the notebook.
NOT_IN_THE_NOTEBOOK = {
    "a name made in passing": ["globals()['N'] = 2\ndef double(x):\n    return N * x"],
    "a file of one's own": ["import my_own_work as mine\ndef double(x):\n    return mine.twice(x)"],
    "a function from a file": ["from my_own_work import twice as double"],
}
WRONG = {
    "nothing": [STUB],
    "the stub with a comment": [STUB + "  # later"],
    "a wrong answer": ["def double(x):\n    return x"],
    "a wrong answer below a right one": [DOUBLE, "def double(x):\n    return x"],
}
EVERY = {**HONEST, **NOT_IN_THE_NOTEBOOK, **WRONG}
WAYS = [way for way in ("bwrap", "limits") if is_there(way)]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[source.ExerciseSet]:
    """The set above as the only one, a record, and a file of a learner's own."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "ch09-small.py").write_text(SET, encoding="utf-8")
    (folder / "my_own_work.py").write_text("def twice(x):\n    return 2 * x\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "SOURCES", folder)
        patch.setenv("MINIBERT_PROGRESS", str(folder / "progress.json"))
        patch.syspath_prepend(str(folder))
        source.load.cache_clear()
        checking.bench.cache_clear()
        yield source.load("ch09-small")
    source.load.cache_clear()
    checking.bench.cache_clear()


def notebook(cells: list[str]) -> bytes:
    """The cells of a learner, below the setup cell, the first of them that of task 9.1."""
    made = [{"cell_type": "code", "metadata": {}, "source": SETUP.splitlines(keepends=True)}]
    for i, text in enumerate(cells):
        metadata = {"minibert_task": "9.1"} if i == 0 else {}
        made.append({"cell_type": "code", "metadata": metadata, "source": text})
    made.append({"cell_type": "code", "metadata": {}, "source": 'check("9.1")'})
    return json.dumps({"cells": made, "metadata": {}}).encode()


@pytest.fixture(scope="module")
def checked(course: source.ExerciseSet) -> dict[str, dict[str, bool]]:
    """What `check` says in a notebook of each, by task."""
    path, main = list(sys.path), sys.modules["__main__"]  # IPython puts its own in their place
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    shell = InteractiveShell.instance(config=config)
    shell.displayhook.flush = lambda: None  # collects garbage, which takes a second a time
    found: dict[str, dict[str, bool]] = {}
    kept = warnings.catch_warnings()
    kept.__enter__()
    try:
        for name, cells in EVERY.items():
            shell.reset(new_session=True)
            for cell in [SETUP, *cells]:
                shell.run_cell(cell, store_history=True)
            for task in ("9.1", "9.2"):
                shell.run_cell(f'said = check("{task}")', store_history=True)
                found.setdefault(name, {})[task] = "passed" in shell.user_ns["said"].text
    finally:
        kept.__exit__(None, None, None)
        InteractiveShell.clear_instance()
        sys.path[:], sys.modules["__main__"] = path, main
    return found


@pytest.fixture(scope="module")
def graded(course: source.ExerciseSet) -> dict[tuple[str, str], dict[str, bool]]:
    """What the grader says of the file of each, by task, under each isolation."""
    found: dict[tuple[str, str], dict[str, bool]] = {}
    benches = {task.id: Bench(task) for task in course.tasks}
    for way in WAYS:
        with Child(isolation.choose(way), (), 300) as child:
            jobs, whose = [], []
            for name, cells in EVERY.items():
                answers = child.read(notebook(cells), "a.ipynb", {course.name: course})["answers"]
                found[way, name] = dict.fromkeys(answers, False)
                for task in course.tasks:
                    for pieces in answers[task.id][0]:
                        jobs.append((task, pieces, benches[task.id].cases))
                        whose.append((name, task.id))
            for (name, task_id), came in zip(whose, child.run(jobs), strict=True):
                if "results" in came and benches[task_id].verdict(came["results"]).passed:
                    found[way, name][task_id] = True
    return found


@pytest.mark.parametrize("name", EVERY)
def test_check_and_grade_judge_the_same(name, checked, graded):
    for way in WAYS:
        assert graded[way, name] == checked[name], way
    assert checked[name]["9.1"] == (name in HONEST)


def test_a_value_that_is_in_the_kernel_alone_is_said_at_once(course, capsys):
    said = checking.judge(
        course.tasks[0], lambda x: 2 * x, "", [SETUP, "def double(x):\n    return N * x"]
    )
    assert not said.passed
    assert "passes here, but not as the grader takes it" in said.message
    assert "name 'N' is not defined" in said.message
