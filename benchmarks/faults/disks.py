"""Disks that are full or may not be written: one line, nothing lost, and the run goes on later.

A small disk in memory, and one that is read-only, are mounted in a mount namespace that belongs to
a child alone: what is mounted there no other process sees, and it is gone with the child. Where the
system grants no such namespace (in most containers), a limit on the size of a file stands for the
full disk, and the read-only one is left out, with a warning.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from faults.commands import (
    COMMANDS,
    Commands,
    die_at,
    difference,
    limit_files,
    outcome,
    resumed,
    write_files,
)
from faults.tally import PLACES, Tally

_LARGE = 1 << 26
_NAMESPACE = "/proc/self/ns/mnt"


def disks(folder: Path, tries: int, names: Sequence[str], seed: int = 0) -> Iterator[Tally]:
    """Full at a random size so many times for each command, and read-only after a stop."""
    write_files(folder)
    alone = _alone()
    if alone is None:
        warnings.warn(
            "no mount namespace of its own is to be had here (`unshare --mount`): a limit on the "
            "size of files stands for the full disk, and the read-only disk is NOT TRIED",
            stacklevel=2,
        )
        (folder / "disk").mkdir()
        for name in names:
            yield _Trial(folder, name, seed, is_mounted=False).full(tries)
        return
    command = [*alone, sys.executable, "-m", "faults.disks", os.readlink(_NAMESPACE)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PLACES))}
    with subprocess.Popen(
        [*command, str(folder), str(tries), str(seed), *names],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            row = json.loads(line)
            tally = Tally(row["name"])
            tally.tried, tally.lost = row["tried"], row["lost"]
            yield tally
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}")


def _alone() -> list[str] | None:
    """The words that start a command in a mount namespace of its own, if there may be one."""
    if shutil.which("unshare") is None:
        return None
    private = ["--mount", "--propagation", "private"]
    for words in (["unshare", *private], ["unshare", "--user", "--map-root-user", *private]):
        # One in which nothing may be mounted would be of no use.
        mount = ["mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if subprocess.run([*words, *mount], capture_output=True).returncode == 0:
            return words
    return None


def _child(outside: str, folder: str, tries: str, seed: str, *names: str) -> None:
    """In the namespace: mount the disk, try, print a tally a line."""
    if os.readlink(_NAMESPACE) == outside:
        raise RuntimeError("this is nobody's own mount namespace: nothing is mounted in it")
    disk = Path(folder, "disk")
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_LARGE}", "tmpfs", str(disk)]
    subprocess.run(command, check=True)
    for name in names:
        trial = _Trial(Path(folder), name, int(seed), is_mounted=True)
        for tally in (trial.full(int(tries)), trial.read_only(max(1, int(tries) // 4))):
            row = {"name": tally.name, "tried": tally.tried, "lost": tally.lost}
            print(json.dumps(row), flush=True)


class _Trial:
    """One of the commands that train, with its output on a disk that is small."""

    def __init__(self, folder: Path, name: str, seed: int, is_mounted: bool) -> None:
        self.disk, self.name, self.is_mounted = folder / "disk", name, is_mounted
        self.commands, self.rng = Commands(folder), random.Random(seed)
        self.out, self.words = self.disk / "out", f"{COMMANDS[name]} disk/out"
        self._clear()
        status, said = self.commands.run(self.words)
        assert status == 0, f"the run with room: {said}"
        self.expected = outcome(self.out)
        self.size = sum(path.stat().st_size for path in self.out.iterdir())

    def full(self, tries: int) -> Tally:
        """Room for a random part of what the run writes, until it was too little so many times."""
        tally = Tally(f"{self.name} on a full disk: one line, and equal to the bit with more room")
        for _ in range(20 * tries):
            self._clear()
            status, said, room = self._run_with_little_room()
            how = f"room for {room} bytes: status {status}: {said}"
            if status == 0:  # it was enough
                if difference(self.out, self.expected):
                    tally.check(False, how)
                continue
            tally.check(status == 2 and _is_told(said) and self._goes_on(), how)
            if tally.tried == tries:
                break
        return tally

    def read_only(self, tries: int) -> Tally:
        """A disk that may only be read when a run that was killed is to go on."""
        tally = Tally(f"{self.name} on a read-only disk: one line, and equal to the bit later")
        for _ in range(tries):
            self._clear()
            fault = partial(die_at, self.rng.randint(20, 70), self.out)
            self.commands.run(self.words, fault)
            self._remount("ro")
            status, said = self.commands.run(resumed(self.words, self.out))
            self._remount("rw")
            how = f"status {status}: {said}"
            tally.check(status == 2 and _is_told(said) and self._goes_on(), how)
        return tally

    def _run_with_little_room(self) -> tuple[int, list[str], int]:
        if not self.is_mounted:
            room = self.rng.randint(0, self.size)
            return *self.commands.run(self.words, partial(limit_files, room)), room
        room = self.rng.randint(4096, 7 * self.size)  # two checkpoints, the best weights, the model
        self._remount(f"size={room}")
        try:
            return *self.commands.run(self.words), room
        finally:
            self._remount(f"size={_LARGE}")

    def _goes_on(self) -> bool:
        status, _ = self.commands.run(resumed(self.words, self.out))
        return status == 0 and not difference(self.out, self.expected)

    def _clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)

    def _remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.disk)], check=True)


def _is_told(said: list[str]) -> bool:
    """There are lines of ours alone, and no traceback."""
    return bool(said) and all(line.startswith("minibert: ") for line in said)


if __name__ == "__main__":
    arguments: Any = sys.argv[1:]
    _child(*arguments)
