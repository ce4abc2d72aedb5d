"""For `pytest --nbval`: run the cells as book/build.py did, and say how many are compared.

With `--as-built` the cells are not run once more: nbval compares the stored outputs with what
`make book` computed, in fresh kernels, when it built the site. It must have been built from the
sources as they are.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from build import BUILD, kernel_environment, package_fingerprint, stamp_matches
from jupyter_cache import get_cache
from nbformat import NotebookNode
from nbval.plugin import IPyNbCell, IPyNbFile, coalesce_streams

os.environ.update(kernel_environment())  # before nbval starts a kernel

NOT_COMPARED = {"nbval-ignore-output", "nbval-skip"}
LEAST = 0.85


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option, beside those of nbval."""
    help_text = "compare with the outputs that the site was built from, and run nothing"
    parser.addoption("--as-built", action="store_true", help=help_text)


def pytest_configure(config: pytest.Config) -> None:
    """Let nbval take outputs from the build instead of from a kernel."""
    if not config.getoption("--as-built"):
        return
    if not stamp_matches(BUILD / ".package", package_fingerprint()):
        raise pytest.UsageError(
            "--as-built: the site was built from another package; run make book"
        )
    IPyNbFile.setup = _take_from_build
    IPyNbFile.teardown = lambda self: None
    IPyNbCell.setup = lambda self: None
    IPyNbCell.teardown = lambda self: None
    IPyNbCell.runtest = _compare


def _code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _take_from_build(self: IPyNbFile) -> None:
    """Find the chapter's executed cells. Raises where the cache has none of exactly these cells."""
    stored = nbformat.read(self.path, as_version=4)
    record = get_cache(BUILD / ".jupyter_cache").match_cache_notebook(stored)
    executed = get_cache(BUILD / ".jupyter_cache").get_cache_bundle(record.pk).nb
    self.built = [cell.outputs for cell in _code_cells(executed)]
    self.setup_sanitize_files()


def _compare(self: IPyNbCell) -> None:
    """As nbval compares, what the build computed with what is stored."""
    cells = _code_cells(self.parent.nb)
    number = next(i for i, cell in enumerate(cells) if cell is self.cell)
    outputs = coalesce_streams(self.parent.built[number])
    if any(output.output_type == "error" for output in outputs):
        self.raise_cell_error("Cell execution caused an exception")
    if self.options["check"] and not self.compare_outputs(
        outputs, coalesce_streams(self.cell.outputs)
    ):
        self.raise_cell_error("Cell outputs differ", "\n".join(self.comparison_traceback))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the share of code cells whose stored output is compared exactly, and by chapter."""
    exact, total = 0, 0
    for path in sorted((Path(__file__).parent / "notebooks").glob("*.ipynb")):
        cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        own = sum(not NOT_COMPARED & set(c.metadata.get("tags", [])) for c in cells)
        exact, total = exact + own, total + len(cells)
        if own < LEAST * len(cells):
            terminalreporter.write_line(
                f"{path.stem}: only {own} of {len(cells)} code cells compared exactly", yellow=True
            )
    if total:
        terminalreporter.write_line(
            f"{exact} of {total} code cells compared exactly ({exact / total:.0%}); "
            f"tests/test_book.py asks for {LEAST:.0%}"
        )
