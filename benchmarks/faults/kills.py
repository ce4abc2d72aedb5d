"""SIGKILL at random moments and in the middle of writing: what comes out is the same to the bit."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from faults.commands import COMMANDS, Commands, die_at, difference, outcome, resumed, write_files
from faults.tally import Tally

_CHAIN = 5  # kills before a run is left in peace


def killed(folder: Path, kills: int, names: Sequence[str], seed: int = 0) -> Iterator[Tally]:
    """Kill each command so many times, half by the clock and half while files are changed."""
    write_files(folder)
    commands, rng = Commands(folder), random.Random(seed)
    for name in names:
        yield _killed(commands, name, COMMANDS[name], kills, rng)


def _killed(commands: Commands, name: str, words: str, kills: int, rng: random.Random) -> Tally:
    tally = Tally(f"{name} killed (SIGKILL), up to {_CHAIN} times a run, ends equal to the bit")
    out = commands.folder / "out"
    words = f"{words} out"
    shutil.rmtree(out, ignore_errors=True)
    before = time.perf_counter()
    status, said = commands.run(words)
    duration = time.perf_counter() - before
    if status:
        tally.check(False, f"the run that is not killed: {said}")
        return tally
    expected = outcome(out)
    while tally.tried < kills:
        shutil.rmtree(out, ignore_errors=True)
        history: list[str] = []
        while len(history) < min(_CHAIN, kills - tally.tried):
            how = _kill(commands, resumed(words, out), len(history), duration, rng)
            if how is None:  # it was finished before
                break
            history.append(how)
        status, said = commands.run(resumed(words, out))
        if status and "there is nothing to resume" in said[-1]:  # it was finished before
            status = 0
        differs = f"status {status}: {said}" if status else difference(out, expected)
        for how in history:  # all of a run are lost with its end
            tally.check(differs is None, f"{differs} after {history}, {how}")
    return tally


def _kill(
    commands: Commands, words: str, number: int, duration: float, rng: random.Random
) -> str | None:
    """Kill one run: when and where; `None` where it ended before."""
    if number % 2:
        at = rng.randint(1, 100)
        status, _ = commands.run(words, partial(die_at, at, commands.folder / "out"))
        return f"at change {at}" if status == -signal.SIGKILL else None
    delay = rng.uniform(0.0, duration)
    child = commands.start(words)
    time.sleep(delay)
    child.kill()
    child.join()
    return f"after {delay:.2f} s" if child.exitcode == -signal.SIGKILL else None
