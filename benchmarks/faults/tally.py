"""How often something was tried, and how often it went wrong."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
# Where the package is, this one, and the tests', whose tiny models and files are used.
PLACES = [_ROOT, _ROOT / "benchmarks", _ROOT / "tests"]
sys.path[:0] = map(str, PLACES)


class Hang(BaseException):
    """A case did not end."""


class Tally:
    """One row of the result.

    lost: what was tried and went wrong, in words.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.tried = 0
        self.lost: list[str] = []

    def row(self) -> dict[str, Any]:
        """As it stands in `results/torture.json`."""
        lost = len(self.lost)
        return {
            "name": self.name,
            "tried": self.tried,
            "survived": self.tried - lost,
            "lost": lost,
        }

    def check(self, holds: bool, what: str) -> None:
        """One try, and whether it went well."""
        self.tried += 1
        if not holds:
            self.lost.append(what)

    @contextmanager
    def case(self, what: Any, limit: float = 20.0) -> Iterator[None]:
        """One try: lost if it ends in any exception, or takes longer than so many seconds."""
        self.tried += 1

        def stop(_number: int, _frame: FrameType | None) -> None:
            raise Hang(f"no end after {limit:g} s")

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            yield
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # whatever it is, it is what we look for
            self.lost.append(f"{what!r}: {type(error).__name__}: {error}"[:600])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one, because thousands of files are written."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="torture-", dir=where) as folder:
        yield Path(folder)
