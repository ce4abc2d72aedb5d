"""The two commands that train, on small files, in processes of their own."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import faults.tally  # noqa: F401  (where the package and tests/tiny.py are found)

_FAST = "--steps 12 --device cpu --precision float32 --batch-size 8 --save-every 1 --eval-every 3"
COMMANDS = {
    "pre-training": "pretrain --corpus corpus.txt --tokenizer base --preset tiny --max-length 24 "
    f"{_FAST} --out",
    "fine-tuning": "finetune classify --base base --train train.jsonl --dev dev.jsonl "
    f"--test dev.jsonl {_FAST} --out",
}


def write_files(folder: Path) -> None:
    """A base model, a corpus and examples."""
    import tiny

    tiny.save(folder / "base")
    tiny.reviews(folder / "train.jsonl", 64)
    tiny.reviews(folder / "dev.jsonl", 16)
    text = "the film {} was great and fine\nanna lives in rome {}\n"
    (folder / "corpus.txt").write_text("\n".join(text.format(i % 10, i) for i in range(80)))


# ---------------------------------------------------------------------- what befalls a command


def die_at(count: int, watched: Path) -> None:
    """Die by SIGKILL just before something below a folder is changed for the so-manieth time."""
    left = count

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        changes = event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link")
        if event == "open" and isinstance(arguments[1], str):
            changes = bool(set(arguments[1]) & set("wax+"))
        if changes and _place(event, arguments).startswith(str(watched)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def _place(event: str, arguments: tuple[Any, ...]) -> str:
    """The file's absolute name; `shutil.rmtree` gives one beside the folder that it has open."""
    folder = arguments[1] if event in ("os.remove", "os.rmdir") else -1
    above = os.readlink(f"/proc/self/fd/{folder}") if folder >= 0 else os.getcwd()
    return os.path.normpath(os.path.join(above, str(arguments[0])))


def limit_files(size: int) -> None:
    """No file may be larger: to whoever writes it, that is a disk which is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _child(folder: Path, words: list[str], fault: Callable[[], None] | None) -> None:
    os.chdir(folder)
    output = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ["MINIBERT_HOME"] = str(folder / "home")
    import torch
    from tqdm import tqdm

    from minibert.cli.main import main

    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # by default one of the system's, which a kill would leave
    if fault is not None:
        fault()
    sys.exit(main(words))


# ---------------------------------------------------------------------- starting them


# Also what the commands import on their way.
_IMPORTED = [
    "minibert.cli.main",
    "minibert.cli.finetune",
    "minibert.cli.pretrain",
    "torch._dynamo",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
]


class Commands:
    """Start commands in `folder`, in children of a process that has imported everything once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_IMPORTED)
        first = self._context.Process(target=int)  # so that no command waits for the imports
        first.start()
        first.join()

    def start(self, words: str, fault: Callable[[], None] | None = None) -> ForkServerProcess:
        """Start one and do not wait for it.

        Args:
            words: of the command line.
            fault: called in the process before the command is, such as a `partial` of `die_at`.
        """
        child = self._context.Process(target=_child, args=(self.folder, words.split(), fault))
        child.start()
        return child

    def run(self, words: str, fault: Callable[[], None] | None = None) -> tuple[int, list[str]]:
        """Run one to its end: its exit status, and what it said without progress bars."""
        child = self.start(words, fault)
        child.join(300)
        if child.is_alive():
            child.kill()
            child.join()
            return -1, ["no end after 300 s"]
        return child.exitcode or 0, self.said()

    def said(self) -> list[str]:
        """What the last command said, without progress bars."""
        text = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        lines = text.replace("\r", "\n").splitlines()
        return [line for line in lines if line.strip() and "steps/s" not in line]


def resumed(words: str, out: Path) -> str:
    """What a user types to go on: `--resume` where a run has begun, the same command where not."""
    from minibert.training.resume import SETTINGS_FILE

    return f"{words} --resume" if (out / SETTINGS_FILE).exists() else words


# ---------------------------------------------------------------------- comparing their ends


def outcome(out: Path) -> dict[str, Any]:
    """All that must be the same at the end: weights to the bit, metrics, the steps of the log."""
    metrics = json.loads((out / "metrics.json").read_text())
    metrics.get("train", {}).pop("seconds", None)
    entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    for entry in entries:  # of time, and means over the steps since the last entry or start
        for name in ("tokens_per_second", "loss"):
            entry.pop(name, None)
    return {
        "files": sorted(path.name for path in out.iterdir()),
        "weights": (out / "model.safetensors").read_bytes(),
        "metrics": metrics,
        "log": entries,
    }


def difference(out: Path, expected: dict[str, Any]) -> str | None:
    """What of a run's outcome is not as it should be, if anything."""
    try:
        found = outcome(out)
    except (OSError, ValueError) as error:
        return str(error)
    name = next((name for name in expected if found[name] != expected[name]), None)
    if name in (None, "weights"):
        return name
    return f"{name} ({found[name]} instead of {expected[name]})"
