"""For `pytest --nbval`: run the cells as book/build.py did, and say how many are compared."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from build import kernel_environment

os.environ.update(kernel_environment())  # before nbval starts a kernel

IGNORED = "nbval-ignore-output"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the share of code cells whose stored output is compared exactly."""
    cells = [
        cell
        for path in sorted((Path(__file__).parent / "notebooks").glob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    ]
    exact = sum(IGNORED not in cell.metadata.get("tags", []) for cell in cells)
    if cells:
        terminalreporter.write_line(
            f"{exact} of {len(cells)} code cells compared exactly ({exact / len(cells):.0%})"
        )
