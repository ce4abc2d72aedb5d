"""The learners' package: notebooks and checks, without sources, solutions and later hints.

    python -m exercises handout --sets ch05 ch06 --hints 2 --out handout.zip

It needs Python with what the course needs (`make wheel` makes a file to install), and no checkout.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat

from exercises.grader.build import notebook
from exercises.learner.packed import pack_set
from exercises.learner.source import FOLDER, load
from exercises.learner.updating import GIVEN

# Of the grader's room a learner needs what grades one's own work, not what makes sets.
AUTHORS = {"build.py", "gates.py", "mutants.py", "handout.py", "similarity.py"}
README = """The exercises of the course
===========================

1. Unpack this anywhere, and again over it whenever there is a newer one: your work is not touched.
2. Install the course: python -m pip install './minibert_course-....whl[course]'
3. Here, where this file is: python -m exercises update
   It makes the notebooks in exercises/, or renews them, and keeps what you have written.
4. jupyter lab, and open a notebook in exercises/.

python -m exercises grade prints your score, from the notebooks as they are saved.
"""


def contents(sets: Sequence[str], hints: int) -> Iterator[tuple[str, bytes]]:
    """The files of the package, by name."""
    yield "README.txt", README.encode()
    for path in sorted(FOLDER.glob("*.py")):
        yield f"exercises/{path.name}", path.read_bytes()
    for room in ("learner", "grader"):
        for path in sorted((FOLDER / room).glob("*.py")):
            if room == "learner" or path.name not in AUTHORS:
                yield f"exercises/{room}/{path.name}", path.read_bytes()
    for name in sets:
        exercises = load(name)
        yield f"exercises/source/{name}.pack", pack_set(exercises, hints)
        text = nbformat.writes(notebook(exercises), indent=1) + "\n"
        yield f"exercises/{GIVEN}/{name}.ipynb", text.encode()


def write_handout(path: Path, sets: Sequence[str], hints: int) -> None:
    """Write the package: equal for equal sources."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in contents(sets, hints):
            package.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    partial.replace(path)
