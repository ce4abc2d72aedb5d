"""Ctrl-C and SIGTERM, deferred until a step is complete: half a step cannot be resumed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from minibert.training import distributed


class Terminated(SystemExit):
    """A run was stopped by SIGTERM, which schedulers send, and is saved: exit status 143."""

    def __init__(self, message: str = "") -> None:
        super().__init__(128 + signal.SIGTERM)
        self.message = message


class Interruption:
    """Whether somebody wants the run to stop.

    signal: what came to this process.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Ask all processes; every one must call."""
        return distributed.any_process(self.signal is not None)

    def error(self, message: str) -> KeyboardInterrupt | Terminated:
        """What to raise once the run is saved; the message is told by the first process alone."""
        message = message if distributed.is_main() else ""
        if self.signal == signal.SIGTERM:
            return Terminated(message)
        return KeyboardInterrupt(message) if message else KeyboardInterrupt()


@contextmanager
def deferred_interrupt() -> Iterator[Interruption]:
    """Inside, the first Ctrl-C and any SIGTERM only take note.

    A second Ctrl-C stops at once, except under `torchrun`: there the terminal and torchrun both
    pass on the first, and torchrun itself stops waiting after 30 seconds. Whoever sends SIGTERM
    sends SIGKILL if it takes too long.
    """
    noted = Interruption()
    numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.getsignal(number) for number in numbers}

    def note(number: int, _frame: FrameType | None) -> None:
        if noted.signal is None and distributed.is_main():
            # Not `print`: the signal may have come in the middle of one.
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nstopping ...\n")
        noted.signal = number
        if number == signal.SIGINT and distributed.world_size() == 1:
            signal.signal(number, previous[number])

    # Only the main thread may take signals; a job started to ignore one goes on ignoring it.
    is_main_thread = threading.current_thread() is threading.main_thread()
    ours = [n for n, handler in previous.items() if is_main_thread and handler != signal.SIG_IGN]
    for number in ours:
        signal.signal(number, note)
    try:
        yield noted
    finally:
        for number in ours:
            signal.signal(number, previous[number])
