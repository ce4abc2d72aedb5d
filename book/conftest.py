"""For `pytest --nbval`: run the cells as book/build.py did, and say how many are compared."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from build import kernel_environment

os.environ.update(kernel_environment())  # before nbval starts a kernel

NOT_COMPARED = {"nbval-ignore-output", "nbval-skip"}
LEAST = 0.85


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
