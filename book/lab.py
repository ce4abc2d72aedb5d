"""A reader's own copy of the course, and JupyterLab on it.

    python book/lab.py                        copy what is new to my-course/, and open JupyterLab
    python book/lab.py again ch05-attention   start a page again; the old one is kept beside it

What a reader opens is a copy, so that opening, running or changing it touches no file of the course
and the next `git pull` collides with nothing. A copy in which the reader has changed nothing
follows the course; one that was changed stays as it is, and is never overwritten.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this is a script, and its folder, not the checkout, is on the path

from book.plain import plain  # noqa: E402

BOOK = ROOT / "book"
MINE = ROOT / "my-course"
STYLE = BOOK / "_lab" / "custom"  # JupyterLab loads its custom.css
KNOWN = ".originals.json"  # the hash of each page as it was copied
PAGES = (
    "install",
    "exercises",
    "running-this-course",
    "documents-checked",
    "glossary",
    "notation",
    "intro-zh",
)
FRONT = "start"  # the course's front page, `book/intro.md`
LEFT_OUT = {"api": "`help(minibert.BertModel)` and its like"}


def address(page: str) -> str:
    """Where a page is in a reader's folder."""
    if re.match(r"ch\d\d-", page):
        return f"{page}.ipynb"
    return f"{FRONT}.md" if page == "intro" else f"{page}.md"


def originals() -> dict[str, str]:
    """Every page as a reader gets it: file name and content. Outputs are for the reader to make."""
    made = {}
    for path in sorted((BOOK / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            else:
                cell.source = re.sub(r"\]\(\.\./(\w[\w-]*)\.md", r"](\1.md", cell.source)
                cell.source = cell.source.replace("](intro.md", f"]({FRONT}.md")
        made[path.name] = nbformat.writes(notebook) + "\n"
    for page in ("intro", *PAGES, "bibliography"):
        text = plain((BOOK / f"{page}.md").read_text(encoding="utf-8"), address)
        for left, instead in LEFT_OUT.items():
            text = re.sub(rf"\[([^\]]*)\]\({left}\.md[^)]*\)", rf"\1 ({instead})", text)
        made[address(page)] = text.replace("](_static/", "](../book/_static/") + "\n"
    return made


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _untouched(path: Path, known: str | None) -> bool:
    """Whether a copy is still what was copied; JupyterLab writes a notebook's metadata anew."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return known == _hash(_without_traces(path.name, text))


def _without_traces(name: str, text: str) -> str:
    """A page without what opening and running it leaves: outputs, counts, metadata."""
    if not name.endswith(".ipynb"):
        return text
    try:
        cells = json.loads(text)["cells"]
        return json.dumps([[c["cell_type"], "".join(c["source"])] for c in cells])
    except (ValueError, KeyError, TypeError):
        return text


def prepare(folder: Path = MINE) -> list[str]:
    """Copy what is new, and follow what has changed; a line on each page that the reader changed.

    A copy in which only outputs have changed counts as untouched, and keeps them unless the page of
    the course has changed.
    """
    folder.mkdir(exist_ok=True)
    try:
        known = json.loads((folder / KNOWN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        known = {}
    told = []
    for name, text in originals().items():
        path, new = folder / name, _hash(_without_traces(name, text))
        if path.exists():
            if known.get(name) == new:
                continue
            if not _untouched(path, known.get(name)):
                told.append(
                    f"{name} has changed in the course, and you have changed yours, which is kept; "
                    f"for the new one: make again PAGE={path.stem}"
                )
                continue
        _write(path, text)
        known[name] = new
    _write(folder / KNOWN, json.dumps(known, indent=1, sort_keys=True))
    return told


def again(page: str, folder: Path = MINE) -> str:
    """Put the original of a page back, and keep what the reader had beside it; says what was done.

    Raises:
        ValueError: if there is no such page.
    """
    pages = originals()
    name = next((n for n in pages if n in (page, f"{page}.ipynb", f"{page}.md")), None)
    if name is None:
        raise ValueError(f"no page {page!r}; there are {', '.join(Path(n).stem for n in pages)}")
    prepare(folder)
    path = folder / name
    if path.read_text(encoding="utf-8", errors="replace") == pages[name]:
        return f"{path} is as it was"
    kept = next(
        one
        for number in range(1, 10_000)
        if not (one := path.with_name(f"{path.stem}.mine-{number}{path.suffix}")).exists()
    )
    shutil.copy2(path, kept)
    _write(path, pages[name])
    known = json.loads((folder / KNOWN).read_text(encoding="utf-8"))
    known[name] = _hash(_without_traces(name, pages[name]))
    _write(folder / KNOWN, json.dumps(known, indent=1, sort_keys=True))
    return f"{path} is as it was at the beginning; what you had is {kept.name}"


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def lab_command() -> list[str]:
    """JupyterLab on the reader's front page, with the course's own style."""
    return [
        str(Path(sys.executable).parent / "jupyter"),
        "lab",
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url=/lab/tree/{MINE.name}/{FRONT}.md",
        "--LabApp.custom_css=True",
        f"--ServerApp.static_custom_path={STYLE}",
    ]


def main() -> int:
    """Copy, then become JupyterLab; or start one page again."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", nargs="?", choices=("open", "again"), default="open")
    parser.add_argument("page", nargs="?", help="such as ch05-attention")
    arguments = parser.parse_args()
    if arguments.command == "again":
        if not arguments.page:
            print("lab: which page? Such as: make again PAGE=ch05-attention", file=sys.stderr)
            return 2
        try:
            print(again(arguments.page))
        except ValueError as error:
            print(f"lab: {error}", file=sys.stderr)
            return 2
        return 0
    for line in prepare():
        print(f"lab: {line}", file=sys.stderr)
    config = os.pathsep.join(
        filter(None, [str(BOOK / "_lab"), os.environ.get("JUPYTER_CONFIG_PATH")])
    )
    os.environ["JUPYTER_CONFIG_PATH"] = config
    program, *options = lab_command()
    os.execv(program, [program, *options])


if __name__ == "__main__":
    sys.exit(main())
