"""The grader against submissions that want points without work, or harm.

Each attack stands in for the answer to one task of a set of two. It scores zero there, its
neighbour in the same notebook keeps its points, and nothing outside has changed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from exercises.grader import isolation
from exercises.grader.grading import Grader
from exercises.grader.results import Result
from exercises.grader.submission import LARGEST, find_submissions
from exercises.learner import source
from exercises.learner.comparing import same

SET = """
# %% [markdown]
# # A set to attack
# %% setup
import numpy as np
# %% task 9.1: Double
# kind: write; points: 60; minutes: 1; function: double; seconds: 3
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
"""
_first = SET.index("# %% task 9.1")
SET += SET[_first:].replace("9.1", "9.2").replace("double", "halve").replace("2 * x", "x / 2")
SET = SET.replace("points: 60", "points: 40", 2)
SET = SET.replace("def halve(x):\n    return x + x", "def halve(x):\n    return x * 0.5")
TORCH_SET = SET.replace("import numpy as np", "import numpy as np\nimport torch").replace(
    'yield {"x": rng.normal(size=4)}', 'yield {"x": torch.from_numpy(rng.normal(size=4))}'
)
RIGHT = "def halve(x):\n    return x / 2"
WAYS = ["bwrap", "limits"]


def is_there(way: str) -> bool:
    """Whether this machine has a way to isolate."""
    try:
        return isolation.choose(way).kind == way
    except ValueError:
        return False


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> isolation.Isolation:
    """Each way to isolate that needs nothing but this machine."""
    if not is_there(request.param):
        pytest.skip(f"no {request.param} here")
    return isolation.choose(request.param)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A folder with what an attacker would like to see or to break."""
    folder = tmp_path / "course"
    (folder / "submissions").mkdir(parents=True)
    (folder / "seed.txt").write_text("the private seed")
    return folder


def submit(folder: Path, attack: str, name: str = "mallory") -> None:
    """Write a notebook with an attack as the answer to 9.1, and a right answer to 9.2."""
    cells = [
        {"cell_type": "code", "metadata": {"minibert_task": "9.1"}, "source": attack},
        {"cell_type": "code", "metadata": {"minibert_task": "9.2"}, "source": RIGHT},
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "submissions" / f"{name}.ipynb").write_text(json.dumps(notebook))


def grade(
    folder: Path, way: isolation.Isolation, monkeypatch: pytest.MonkeyPatch, text: str = SET
) -> list[Result]:
    """Grade the folder's submissions of the set."""
    exercises = source.parse(text, "ch99-attack")
    monkeypatch.setattr(source, "load", lambda name: exercises)
    monkeypatch.setattr(source, "SOURCES", folder)
    (folder / "ch99-attack.py").write_text(text)
    grader = Grader(["ch99-attack"], b"the private seed", way)
    return [grader.grade(one) for one in find_submissions(folder / "submissions")]


def points(results: list[Result]) -> list[list[int]]:
    """Points by task of each submission."""
    return [[task.points for task in result.tasks] for result in results]


def test_a_right_answer_scores_under_every_isolation(course, way, monkeypatch):
    submit(course, "def double(x):\n    return x + x")
    assert points(grade(course, way, monkeypatch)) == [[40, 40]]


IN_THE_CHILD = {
    "os._exit(0)": "import os\ndef double(x):\n    os._exit(0)",
    "sys.exit": "import sys\ndef double(x):\n    sys.exit(0)",
    "an endless loop": "def double(x):\n    while True:\n        pass",
    "sleep": "import time\ndef double(x):\n    time.sleep(3600)",
    "20 GB of bytes": "def double(x):\n    return len(bytearray(20 * 2**30)) and 2 * x",
    "20 GB, page by page": (
        "def double(x):\n    kept = []\n    while True:\n        kept.append(bytearray(2**26))\n"
        "        if len(kept) > 320:\n            return 2 * x"
    ),
    "a fork bomb": (
        "import os\ndef double(x):\n    for _ in range(40):\n        os.fork()\n    return 2 * x"
    ),
    "a process of its own": (
        "import subprocess\ndef double(x):\n    subprocess.run(['true'], check=True)\n"
        "    return 2 * x"
    ),
    "10 GB of output": (
        "import sys\ndef double(x):\n    for _ in range(10_000):\n"
        "        sys.stdout.write('x' * 2**20)\n        sys.stderr.write('x' * 2**20)\n"
        "    return x"
    ),
    "10 GB of results": "import numpy as np\ndef double(x):\n    return np.ones(10 * 2**27)",
    "10 GB of files": (
        "def double(x):\n    for i in range(640):\n        with open(f'/tmp/f{i}', 'wb') as f:\n"
        "            f.write(b'x' * 2**24)\n    return 2 * x"
    ),
    "a network call": (
        "import socket\ndef double(x):\n    s = socket.create_connection(('127.0.0.1', 9), 1)\n"
        "    return 2 * x"
    ),
    "an open port": (
        "import socket\ndef double(x):\n    s = socket.socket()\n    s.bind(('127.0.0.1', 0))\n"
        "    s.listen()\n    s.connect(s.getsockname())\n    return 2 * x"
    ),
    "an object equal to everything": (
        "class Yes:\n    def __eq__(self, other):\n        return True\n"
        "    def __array__(self, *a, **k):\n        return self\n"
        "def double(x):\n    return Yes()"
    ),
    "an array that is equal to everything": (
        "import numpy as np\nclass Yes(np.ndarray):\n"
        "    def __eq__(self, other):\n        return np.ones(self.shape, bool)\n"
        "    def __sub__(self, other):\n        return np.zeros(self.shape)\n"
        "def double(x):\n    return x.view(Yes)"
    ),
    "a forged result": (
        "import os\ndef double(x):\n    for fd in range(3, 20):\n        try:\n"
        '            os.write(fd, b\'{"passed": true, "points": 40}\')\n'
        "        except OSError:\n            pass\n    os._exit(0)"
    ),
    "a verdict instead of a value": (
        "def double(x):\n    return {'value': True, 'passed': True, 'points': 40}"
    ),
    "a frame of the caller": (
        "import sys\ndef double(x):\n    caller = sys._getframe(1)\n"
        "    while caller:\n        for value in list(caller.f_locals.values()):\n"
        "            if isinstance(value, dict) and 'solution' in value:\n"
        "                exec(value['solution'], globals())\n"
        "        caller = caller.f_back\n    return globals()['solution'](x)"
    ),
    "patched comparisons": (
        "import numpy as np\ndef double(x):\n    np.allclose = np.isclose = lambda *a, **k: True\n"
        "    np.array_equal = lambda *a, **k: True\n    return x"
    ),
    "a pickle that runs code": (
        "import numpy as np\nclass Run:\n    def __reduce__(self):\n"
        "        return (open, ('PWNED', 'w'))\n"
        "def double(x):\n    return np.array([Run()], dtype=object)"
    ),
    "a pickle on the wire": (
        "import os, pickle\nclass Run:\n    def __reduce__(self):\n"
        "        return (open, ('PWNED', 'w'))\n"
        "def double(x):\n    for fd in range(3, 20):\n        try:\n"
        "            os.write(fd, pickle.dumps(Run()))\n        except OSError:\n"
        "            pass\n    os._exit(0)"
    ),
    "NaN everywhere": "import numpy as np\ndef double(x):\n    return np.full(4, np.nan)",
    "infinity everywhere": "import numpy as np\ndef double(x):\n    return np.full(4, np.inf)",
    "a deep list": (
        "def double(x):\n    a = []\n    for _ in range(100_000):\n        a = [a]\n    return a"
    ),
    "millions of empty lists": "def double(x):\n    return [[] for _ in range(3_000_000)]",
    "a list that holds itself": "def double(x):\n    a = []\n    a.append(a)\n    return a",
    "a signal to the parent": (
        "import os, signal\ndef double(x):\n    os.kill(os.getppid(), signal.SIGKILL)\n"
        "    return 2 * x"
    ),
    "a signal to everybody": ("import os\ndef double(x):\n    os.kill(-1, 0)\n    return 2 * x"),
    "a crash": "import ctypes\ndef double(x):\n    ctypes.string_at(0)",
    "an endless definition": (
        "def forever():\n    while True:\n        pass\n\n\n"
        "def double(x, y=forever()):\n    return 2 * x"
    ),
}


# One of each kind while working. All of them take a minute, some of them seconds each.
WHILE_WORKING = {
    *("os._exit(0)", "a network call", "an object equal to everything", "a forged result"),
}


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(code, id=name, marks=[pytest.mark.slow] * (name not in WHILE_WORKING))
        for name, code in IN_THE_CHILD.items()
    ],
)
def test_an_attack_scores_zero_and_its_neighbour_keeps_its_points(
    course, way, monkeypatch, attack, tmp_path
):
    monkeypatch.chdir(tmp_path)
    submit(course, attack)
    assert points(grade(course, way, monkeypatch)) == [[0, 40]]
    assert not (tmp_path / "PWNED").exists()


MORE_HARM = [
    "open('{course}/seed.txt', 'a').write('x')",
    "import shutil; shutil.rmtree('{course}')",
    "import os; os.remove('{course}/seed.txt')",
    "import os; os.rename('{course}/seed.txt', '{course}/gone')",
    "import os; os.truncate('{course}/seed.txt', 0)",
    "import os; os.symlink('/', '{course}/root')",
    "import os; os.chmod('{course}', 0)",
    "import os; os.utime('{course}/seed.txt', (0, 0))",
    "import os; os.mkdir('{course}/folder')",
]


@pytest.mark.parametrize(
    "harm",
    [
        "open('{course}/new', 'w').write('x')",
        *(pytest.param(line, marks=pytest.mark.slow) for line in MORE_HARM),
    ],
)
def test_nothing_outside_can_be_written_moved_or_deleted(course, way, monkeypatch, harm):
    lines = harm.format(course=course).split("; ")
    submit(
        course, "def double(x):\n" + "".join(f"    {line}\n" for line in lines) + "    return 2 * x"
    )
    before = {p: p.stat().st_mtime_ns for p in course.rglob("*") if p.name != "ch99-attack.py"}
    assert points(grade(course, way, monkeypatch)) == [[0, 40]]
    after = {p: p.stat().st_mtime_ns for p in course.rglob("*") if p.name != "ch99-attack.py"}
    assert after == before
    assert (course / "seed.txt").read_text() == "the private seed"


@pytest.mark.skipif(not is_there("bwrap"), reason="bubblewrap is not here")
@pytest.mark.parametrize(
    "what",
    [
        "seed.txt",
        *(
            pytest.param(w, marks=pytest.mark.slow)
            for w in ("submissions/honest.ipynb", "ch99-attack.py")
        ),
    ],
)
def test_in_bubblewrap_neither_seed_nor_solutions_nor_other_work_can_be_read(
    course, monkeypatch, what
):
    submit(course, f"def double(x):\n    open('{course}/{what}').read()\n    return 2 * x")
    submit(course, "def double(x):\n    return x + x", name="honest")
    way = isolation.choose("bwrap")
    assert points(grade(course, way, monkeypatch)) == [[40, 40], [0, 40]]


@pytest.mark.skipif(not is_there("bwrap"), reason="bubblewrap is not here")
def test_in_bubblewrap_the_course_itself_is_not_to_be_seen(course, monkeypatch):
    here = source.FOLDER
    look = "import os\ndef double(x):\n    return 2 * x if not any(map(os.path.exists, {})) else x"
    paths = [str(here), str(here.parent / "tests"), str(here.parent / ".git")]
    submit(course, look.format(paths))
    way = isolation.choose("bwrap")
    assert points(grade(course, way, monkeypatch)) == [[40, 40]]


@pytest.mark.slow
@pytest.mark.parametrize("planted", ["conftest.py", "torch.py", "numpy.py", "json.py", "ast.py"])
def test_a_module_planted_beside_the_notebook_is_never_imported(
    course, way, monkeypatch, planted, tmp_path
):
    folder = course / "submissions" / "mallory"
    folder.mkdir()
    (folder / planted).write_text(f"open('{tmp_path}/PWNED', 'w')\nallclose = lambda *a: True\n")
    submit(course, "import torch\ndef double(x):\n    return x", name="mallory/ch99-attack")
    assert points(grade(course, way, monkeypatch)) == [[0, 40]]
    assert not (tmp_path / "PWNED").exists()


HOST_SET = SET.replace("def double(x)", "def double(count, x)").replace(
    "# %% check\n",
    """# %% run
def host(function, case):
    calls = []
    def count(number):
        calls.append(number)
        return len(calls)
    return {"result": function(count, case["x"]), "calls": len(calls)}
# %% check
""",
    1,
)
HOSTED = {
    "a right answer": ("def double(count, x):\n    return 2 * x", 40),
    "a call too many": ("def double(count, x):\n    count(3)\n    return 2 * x", 0),
    "a call that is taken back": (
        "def double(count, x):\n    count(3)\n    count.calls = 0\n    try:\n"
        "        count.__closure__[0].cell_contents.clear()\n    except Exception:\n        pass\n"
        "    return 2 * x",
        0,
    ),
    "a copy that is asked": (
        "import copy\ndef double(count, x):\n    copy.copy(count)(3)\n    return 2 * x",
        0,
    ),
    "a look for what counts": (
        "import gc\ndef double(count, x):\n    count(3)\n    for one in gc.get_objects():\n"
        "        if type(one) is list and one == [3]:\n            one.clear()\n    return 2 * x",
        0,
    ),
    "an answer in the host's words": (
        "def double(count, x):\n    count(3)\n    return {'result': 2 * x, 'calls': 0}",
        0,
    ),
    "an end": ("import os\ndef double(count, x):\n    os._exit(0)", 0),
    "a call with what is no value": (
        "def double(count, x):\n    count(open)\n    return 2 * x",
        0,
    ),
    "words of its own on the line": (
        "import os\ndef double(count, x):\n    for line in range(3, 20):\n        try:\n"
        "            os.write(line, b'\\xff' * 64)\n        except OSError:\n            pass\n"
        "    return 2 * x",
        0,
    ),
}


@pytest.mark.parametrize("name", HOSTED)
def test_what_counts_is_out_of_reach_of_what_is_counted(course, monkeypatch, name):
    answer, wanted = HOSTED[name]
    submit(course, answer)
    way = isolation.choose("auto")
    assert points(grade(course, way, monkeypatch, HOST_SET)) == [[wanted, 40]]


TORCH = {
    "20 GB of a tensor": "def double(x):\n    torch.ones(20 * 2**28)\n    return 2 * x",
    "a patched torch.allclose": (
        "def double(x):\n    torch.allclose = torch.equal = lambda *a, **k: True\n    return x"
    ),
    "a tensor with comparisons of its own": (
        "class Yes(torch.Tensor):\n    @classmethod\n"
        "    def __torch_function__(cls, f, types, args=(), kwargs=None):\n"
        "        if f.__name__ in ('eq', 'allclose', '__eq__'):\n            return True\n"
        "        return super().__torch_function__(f, types, args, kwargs or {})\n"
        "def double(x):\n    return x.as_subclass(Yes)"
    ),
    "NaN in a tensor": "def double(x):\n    return x * float('nan')",
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", TORCH.values(), ids=TORCH)
def test_an_attack_through_torch_scores_zero(course, way, monkeypatch, attack):
    submit(course, attack)
    assert points(grade(course, way, monkeypatch, TORCH_SET)) == [[0, 40]]


def test_a_file_that_is_no_notebook_is_a_zero_and_harms_nobody(course, way, monkeypatch):
    folder = course / "submissions"
    submit(course, "def double(x):\n    return x + x", name="honest")
    (folder / "a.ipynb").write_bytes(b"\x00\xff not JSON")
    (folder / "b.ipynb").write_text("[" * 100_000)
    (folder / "c.ipynb").write_text('{"cells": [{"cell_type": "code", "source": 7}, 8, null]}')
    (folder / "d.ipynb").symlink_to(course / "seed.txt")
    (folder / "e.ipynb").symlink_to("/dev/zero")
    os.mkfifo(folder / "f.ipynb")
    with (folder / "g.ipynb").open("wb") as stream:
        stream.truncate(200 * 2**20)
    (folder / "h").symlink_to(course)
    results = grade(course, way, monkeypatch)
    assert points(results) == [[], [], [0, 0], [], [], [], [], [], [40, 40]]
    notes = [" ".join(result.problems) for result in results]
    assert "not JSON" in notes[0]
    assert "not JSON" in notes[1]
    assert "symbolic link" in notes[3]
    assert "symbolic link" in notes[4]
    assert "not a regular file" in notes[5]
    assert "200 MB" in notes[6]
    assert "symbolic link" in notes[7]
    assert LARGEST < 200 * 2**20


def with_tree(data: bytes, change) -> bytes:
    """Packed bytes with another text."""
    size = int.from_bytes(data[:8], "little")
    text = change(data[8 : 8 + size])
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def test_an_array_whose_header_lies_is_refused():
    import numpy as np

    from exercises.learner.running import pack, unpack

    data = pack({"value": np.zeros(4)})
    assert unpack(data)["value"].shape == (4,)
    for lie in (b"[9999999999]", b"[4, -1]", b"[-4]", b"[4.0]", b'["4"]', b"[0, 999999999999]"):
        forged = with_tree(data, lambda tree, lie=lie: tree.replace(b"[4]", lie))
        with pytest.raises(ValueError, match="not an answer"):
            unpack(forged)
    with pytest.raises(ValueError, match="not an answer"):
        unpack(data[:-8])


def test_nan_is_equal_to_no_number():
    import numpy as np

    assert not same(np.full(3, np.nan), np.ones(3), 1e-4)
    assert not same(float("nan"), 1.0, 1e-4)
    assert not same(float("inf"), 1.0, 1e-4)
