"""Warnings on the command line: a line each, as errors have it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def warnings_in_one_line(in_options: Callable[[str], str]) -> Iterator[None]:
    """Inside, a warning of the package is a line without file and line of code.

    Args:
        in_options: puts a message into the words of the command line.
    """
    show_as_ever = warnings.showwarning

    def show(
        message: Warning | str, category: type[Warning], filename: str, *more: Any, **others: Any
    ) -> None:
        if category is UserWarning and "minibert" in filename:
            print(f"minibert: warning: {in_options(str(message))}", file=sys.stderr)
        else:
            show_as_ever(message, category, filename, *more, **others)

    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning, module=r"minibert\.")
        warnings.showwarning = show
        yield
