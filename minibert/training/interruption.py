"""Ctrl-C, deferred until the running step is complete: half a step cannot be resumed."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from minibert.training import distributed


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Inside, the first Ctrl-C only takes note.

    A second one stops at once, except under `torchrun`: there the terminal and torchrun both pass
    on the first, and torchrun itself stops waiting after 30 seconds.

    Yields:
        a function that says whether any process was interrupted; every process must call it.
    """
    is_pressed = False
    previous = signal.getsignal(signal.SIGINT)

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_pressed
        if not is_pressed and distributed.is_main():
            # Not `print`: the signal may have come in the middle of one.
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"\nstopping ...\n")
        is_pressed = True
        if distributed.world_size() == 1:
            signal.signal(signal.SIGINT, previous)

    # Only the main thread may take signals; a job started to ignore Ctrl-C goes on ignoring it.
    is_ours = threading.current_thread() is threading.main_thread() and previous != signal.SIG_IGN
    if is_ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: distributed.any_process(is_pressed)
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, previous)
