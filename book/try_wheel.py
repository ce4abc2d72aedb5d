"""Try the wheel: install it in a fresh environment and execute every notebook, far from here.

    python book/try_wheel.py [--wheel FILE] [NAME ...]      after `make wheel`

What a chapter imports has to be in the wheel. Here, in the checkout, nobody would notice if it
were not: so the environment, the notebooks and the folder they run in are all outside of it.
Versions are those of requirements.txt; pip fetches what it needs. Texts and weights come from the
usual cache.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from build import NOTEBOOKS, ROOT, SECONDS_A_CELL, kernel_environment

# Runs in the fresh environment: one notebook, in the folder where it lies.
EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
notebook = nbformat.read(sys.argv[1], as_version=4)
try:
    NotebookClient(notebook, timeout=int(sys.argv[2]), kernel_name="python3").execute()
except CellExecutionError as error:
    sys.exit(f"{error.ename}: {error.evalue}")
"""
# What lies beside the package in the checkout, and must not be needed.
OUTSIDE = """
from importlib.util import find_spec
import minibert
print(minibert.__file__)
print(*(name for name in ("book", "exercises", "tests") if find_spec(name)))
"""


def newest_wheel() -> Path:
    """The wheel that `make wheel` has built.

    Raises:
        FileNotFoundError: if there is none.
    """
    found = sorted((ROOT / "dist").glob("minibert_course-*.whl"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise FileNotFoundError("no wheel in dist/: run `make wheel`")
    return found[-1]


def environment(folder: Path) -> dict[str, str]:
    """The environment variables of the trial: no path leads back to the checkout."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, **kernel_environment(), "JUPYTER_PATH": str(folder / "jupyter")}


def install(wheel: Path, folder: Path) -> Path:
    """Make a virtual environment and install the wheel into it; its Python."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    pins = ["--constraint", str(ROOT / "requirements.txt")]
    subprocess.run([*pip, *pins, f"{wheel}[course]"], check=True, cwd=folder)
    return python


def execute(python: Path, notebook: Path) -> str:
    """Run a notebook; what went wrong, or nothing."""
    done = subprocess.run(
        [str(python), "-c", EXECUTE, notebook.name, str(SECONDS_A_CELL)],
        cwd=notebook.parent,
        env=environment(notebook.parent),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else lines[-1] if lines else f"exit status {done.returncode}"


def try_wheel(wheel: Path, names: list[str], folder: Path) -> int:
    """Install, execute and tell; how many notebooks failed."""
    notebooks = sorted(NOTEBOOKS.glob("*.ipynb"))
    if unknown := set(names) - {path.stem for path in notebooks}:
        raise ValueError(f"no notebook {', '.join(sorted(unknown))} in {NOTEBOOKS}")
    chosen = [path for path in notebooks if not names or path.stem in names]
    print(f"installing {wheel.name} into a fresh environment", flush=True)
    python = install(wheel, folder)
    there = folder / "notebooks"
    there.mkdir()
    asked = [str(python), "-c", OUTSIDE]
    answer = subprocess.run(
        asked, cwd=there, env=environment(there), capture_output=True, text=True, check=True
    )
    origin, importable = answer.stdout.split("\n")[:2]
    if not Path(origin).is_relative_to(folder) or importable:
        raise RuntimeError(f"the checkout is within reach: minibert is {origin}, and {importable}")
    failed: dict[str, str] = {}
    for path in chosen:
        start = time.perf_counter()
        error = execute(python, Path(shutil.copy(path, there)))
        if error:
            failed[path.stem] = error
        seconds = time.perf_counter() - start
        print(f"{path.stem:24} {seconds:5.0f} s  {error or 'executed'}", flush=True)
    imports = [f"{n}: {e}" for n, e in failed.items() if "ModuleNotFound" in e or "ImportErr" in e]
    print(f"{len(chosen) - len(failed)} of {len(chosen)} notebooks executed")
    print("imports that failed:", "; ".join(imports) or "none")
    return len(failed)


def main() -> int:
    """Run the trial; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as ch12-walkthrough")
    parser.add_argument("--wheel", type=Path, help="by default the newest in dist/")
    arguments = parser.parse_args()
    try:
        wheel = (arguments.wheel or newest_wheel()).resolve()
        with tempfile.TemporaryDirectory(prefix="minibert-wheel-") as folder:
            return min(1, try_wheel(wheel, arguments.names, Path(folder).resolve()))
    except (FileNotFoundError, RuntimeError, ValueError) as error:
        print(f"try_wheel: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
