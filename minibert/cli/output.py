"""Where a command writes its lines: to standard output, or to a file that is whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from minibert.weights.files import replace


def check_new_file(path: str | None) -> None:
    """Refuse a file that is there already, and one in a folder that is not.

    Raises:
        ValueError: saying which.
    """
    if path is None:
        return
    if os.path.lexists(path):
        raise ValueError(f"{path} is there already: choose another file")
    if not Path(path).parent.is_dir():
        raise ValueError(f"{path}: there is no folder {Path(path).parent}")


@contextmanager
def lines_to(path: str | None) -> Iterator[Callable[[list[str]], None]]:
    """A function that writes lines, which can be read at once on standard output.

    A file gets its name when all of it is written. Whatever ends the command before leaves none.

    Raises:
        ValueError: if the file is there already.
    """
    if path is None:
        yield lambda lines: print("\n".join(lines), flush=True) if lines else None
        return
    check_new_file(path)
    final = Path(path)
    aside = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8", newline="\n", errors="backslashreplace") as file:
            yield lambda lines: file.writelines(f"{line}\n" for line in lines)
        check_new_file(path)  # nobody else's, made meanwhile
        replace(aside, final)
    finally:
        aside.unlink(missing_ok=True)
