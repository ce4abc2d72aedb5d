"""Stop code that takes too long, in this process."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class OutOfTime(BaseException):
    """The time is up. No `except Exception` in the code that is stopped takes it for its own."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Stop what runs in this block after some seconds, as ctrl-C would, wherever it is.

    In other threads than the first, which no signal reaches, there is no clock.

    Raises:
        OutOfTime: from inside the block.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if hasattr(signal, "setitimer"):
        before = signal.signal(signal.SIGALRM, stop)
        # Again and again: the first may be caught where it happens to arrive.
        signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return
    before = signal.signal(signal.SIGINT, stop)  # Windows: the only signal that can be sent here
    timer = threading.Timer(seconds, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
