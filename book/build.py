"""Build the course: executed notebooks from the chapters, and the site.

    python book/build.py notebooks [--force] [NAME ...]   chapters -> book/notebooks/*.ipynb
    python book/build.py site [--clean]                   chapters -> _build/html

A chapter (`book/chNN-*.md`, MyST Markdown) is the one source. Its notebook is made from it,
executed in a fresh kernel and committed: nbval compares the stored outputs, Colab opens it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import jupytext
import nbformat
from filelock import FileLock
from jupyter_cache import get_cache
from jupyter_cache.executors import load_executor
from nbclient import NotebookClient
from nbformat import NotebookNode
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this is a script, and its folder, not the checkout, is on the path

from book import live  # noqa: E402
from book.plain import plain  # noqa: E402
from book.questions import replace_in_notebook  # noqa: E402
from book.repository import address, install_cell  # noqa: E402

BOOK = ROOT / "book"
NOTEBOOKS = BOOK / "notebooks"
BUILD = ROOT / "_build"
HTML = BUILD / "html"

SECONDS_A_CELL = 600


def kernel_environment() -> dict[str, str]:
    """Environment variables under which every chapter runs the same.

    No progress bars (they are for people at a keyboard, and differ at every run), and none of
    the user's own IPython start-up files, which could change what a cell prints. The order of
    floating-point sums depends on the number of threads and on the widest vector unit: both are
    fixed, at what every x86 processor of the last ten years has.
    """
    profile = BUILD / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    # At the default level each kernel would warn that it talks to localhost unencrypted.
    (profile / "ipython_kernel_config.json").write_text('{"IPKernelApp": {"log_level": 40}}')
    return {
        "TQDM_DISABLE": "1",
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": str(profile.parent),
        "OMP_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "PASSIVE",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_CBWR": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    }


def chapters() -> list[Path]:
    """The chapters' sources, in order."""
    return sorted(BOOK.glob("ch[0-9][0-9]-*.md"))


def notebook_path(chapter: Path) -> Path:
    """Where the executed notebook of a chapter is stored."""
    return NOTEBOOKS / f"{chapter.stem}.ipynb"


def beside_notebooks(page: str) -> str:
    """Where a page is, seen from a stored notebook: a chapter beside it, all else in `book/`."""
    return f"{page}.ipynb" if re.match(r"ch\d\d-", page) else f"../{page}.md"


def to_notebook(chapter: Path) -> NotebookNode:
    """Convert a chapter, without executing it, to the same notebook every time.

    Jupytext draws random cell ids and records its own version: both are replaced. Directives, which
    nothing draws there, become plain Markdown. Where the course has an address, the first cell
    installs it from there.
    """
    notebook = jupytext.read(chapter, fmt="md:myst")
    cells = [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in notebook.cells]
    for cell, source in zip(notebook.cells, replace_in_notebook(cells), strict=True):
        cell.source = plain(source, beside_notebooks) if cell.cell_type == "markdown" else source
    if url := address():
        notebook.cells.insert(1, nbformat.v4.new_code_cell(install_cell(url)))
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:03d}"
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def differences(chapter: Path) -> list[str]:
    """Say where the stored notebook of a chapter no longer matches its source."""
    stored_path = notebook_path(chapter)
    if not stored_path.exists():
        return [f"{chapter.name}: no notebook yet; run `make notebooks`"]
    stored = nbformat.read(stored_path, as_version=4)
    wanted = to_notebook(chapter)

    def shape(notebook: NotebookNode) -> list[tuple[str, str, dict]]:
        return [(c.cell_type, c.source, dict(c.metadata)) for c in notebook.cells]

    pairs = list(zip(shape(wanted), shape(stored), strict=False))
    found = [
        f"{stored_path.name}, cell {number}: differs from {chapter.name}; run `make notebooks`"
        for number, (new, old) in enumerate(pairs)
        if new != old
    ]
    if len(wanted.cells) != len(stored.cells):
        found.append(
            f"{stored_path.name}: {len(stored.cells)} cells, {chapter.name} has "
            f"{len(wanted.cells)}; run `make notebooks`"
        )
    return found


def execute(chapter: Path) -> NotebookNode:
    """Run a chapter's cells in a fresh kernel and return the notebook with its outputs.

    Raises:
        RuntimeError: if a cell writes to stderr (a warning: in a course, a mistake).
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    notebook = to_notebook(chapter)
    total = sum(cell.cell_type == "code" for cell in notebook.cells)
    os.environ.update(kernel_environment())
    NOTEBOOKS.mkdir(exist_ok=True)
    with tqdm(total=total, desc=chapter.stem, unit="cell") as bar:
        client = NotebookClient(
            notebook,
            timeout=SECONDS_A_CELL,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        )
        client.on_cell_executed = lambda **_: bar.update()
        client.execute()
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                raise RuntimeError(f"{chapter.name}, cell {number} wrote to stderr: {output.text}")
    notebook.metadata["language_info"] = {"name": "python"}  # the kernel wrote its version here
    return notebook


def with_stored_outputs(chapter: Path) -> NotebookNode | None:
    """The notebook of a chapter whose prose alone has changed: outputs as they were stored.

    None if there is no notebook yet, or a code cell differs: then it has to be executed.
    """
    if not notebook_path(chapter).exists():
        return None
    notebook, stored = to_notebook(chapter), nbformat.read(notebook_path(chapter), as_version=4)
    new, old = ([c for c in one.cells if c.cell_type == "code"] for one in (notebook, stored))
    if [(c.source, c.metadata) for c in new] != [(c.source, c.metadata) for c in old]:
        return None
    for cell, before in zip(new, old, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    return notebook


def write_notebooks(names: Iterable[str], force: bool) -> int:
    """Execute and store the chapters whose notebook is stale; the number written.

    Chapters that are named, and all with `force`, are executed in any case; otherwise one whose
    code has not changed keeps its outputs.
    """
    wanted = set(names)
    unknown = wanted - {chapter.stem for chapter in chapters()}
    if unknown:
        raise ValueError(f"no chapter {', '.join(sorted(unknown))} in {BOOK}")
    written = 0
    for chapter in chapters():
        if wanted and chapter.stem not in wanted:
            continue
        if not force and not wanted and not differences(chapter):
            print(f"{chapter.stem}: up to date", file=sys.stderr)
            continue
        kept = None if force or wanted else with_stored_outputs(chapter)
        notebook = kept or execute(chapter)
        path = notebook_path(chapter)
        partial = path.with_suffix(".partial")
        nbformat.write(notebook, partial)
        os.replace(partial, path)
        written += 1
    return written


def fingerprint(paths: Iterable[Path]) -> str:
    """One hash over names and contents of files."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(paths):
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def files(folder: Path) -> list[Path]:
    """The files under a folder that matter to a build."""
    skip = {"__pycache__", ".ipynb_checkpoints", "notebooks"}
    found = [p for p in folder.rglob("*") if p.is_file() and not skip & set(p.parts)]
    return [p for p in found if not p.name.startswith(".")]  # a learner's progress, for one


def package_fingerprint() -> str:
    """What the chapters' results depend on besides their own cells."""
    return fingerprint([*files(ROOT / "minibert"), ROOT / "requirements.txt"])


def site_fingerprint() -> str:
    """What the built pages depend on."""
    own = [*files(BOOK), *files(ROOT / "exercises"), ROOT / "_config.yml", ROOT / "_toc.yml"]
    can_play = "" if live.can_fetch() else live.NO_NPM
    return package_fingerprint() + fingerprint(own) + can_play


def stamp_matches(stamp: Path, value: str) -> bool:
    """Whether a stamp file holds this value."""
    return stamp.exists() and stamp.read_text() == value


def site_is_fresh() -> bool:
    """Whether `_build/html` was built, without a warning, from the sources as they are."""
    return stamp_matches(BUILD / ".site", site_fingerprint())


def execute_ahead(cache_folder: Path) -> None:
    """Fill the cache that the site is built from, several chapters at a time.

    Sphinx would execute them one after the other. A chapter that fails here is left out, and fails
    there once more, with a message.
    """
    os.environ.update(kernel_environment())
    cache = get_cache(cache_folder)
    for chapter in chapters():
        cache.add_nb_to_project(str(chapter), read_data={"name": "myst_nb_md", "type": "plugin"})
    print("Executing the chapters whose results are not held", file=sys.stderr)
    load_executor("local-parallel", cache).run_and_cache(timeout=SECONDS_A_CELL)


def build_site(clean: bool = False) -> None:
    """Execute what changed and build `_build/html`; warnings are errors.

    Raises:
        RuntimeError: if a cell failed or Sphinx warned.
    """
    package, cache = package_fingerprint(), BUILD / ".jupyter_cache"
    BUILD.mkdir(exist_ok=True)
    if clean or not stamp_matches(BUILD / ".package", package):
        # The cache looks at the cells alone and would keep what an older package computed.
        shutil.rmtree(cache, ignore_errors=True)
    (BUILD / ".package").write_text(package)
    if not clean and site_is_fresh():
        print("the site is up to date", file=sys.stderr)
        return
    (BUILD / ".site").unlink(missing_ok=True)
    for old in (HTML, BUILD / ".doctrees"):  # a page that left the table of contents goes too
        shutil.rmtree(old, ignore_errors=True)
    before = site_fingerprint()
    execute_ahead(cache)
    live.prepare(BUILD / ".live")
    program = Path(sys.executable).parent / "jupyter-book"
    command = [str(program), "build", str(ROOT), "-W", "--keep-going"]
    done = subprocess.run(command, env={**os.environ, **kernel_environment()}, check=False)
    if done.returncode:
        raise RuntimeError("the book was not built: see the warnings above")
    (BUILD / ".site").write_text(before)


def main() -> int:
    """Run one of the two commands; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    notebooks = commands.add_parser("notebooks", help="execute chapters into book/notebooks")
    notebooks.add_argument("names", nargs="*", metavar="NAME", help="such as ch12-walkthrough")
    notebooks.add_argument("--force", action="store_true", help="also those up to date")
    site = commands.add_parser("site", help="build _build/html")
    site.add_argument("--clean", action="store_true", help="execute every chapter again")
    arguments = parser.parse_args()
    try:
        if arguments.command == "notebooks":
            write_notebooks(arguments.names, arguments.force)
        else:
            BUILD.mkdir(exist_ok=True)
            with FileLock(BUILD / ".lock"):  # two at once would build into one folder
                build_site(arguments.clean)
            print(f"Open {(HTML / 'index.html').as_uri()}\nor run `make serve`.")
    except (RuntimeError, ValueError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
