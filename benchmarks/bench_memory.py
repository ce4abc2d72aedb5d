"""Memory of whole commands, each in a process of its own: the most that it ever held.

What a process holds is its resident memory, pages of mapped files included (Linux). A corpus ten
and a hundred times as large is pre-trained on for a few steps; a CSV of a million rows, about 100
MB, is fine-tuned on for two.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import Row, row, void

from minibert.data.download import home

MIB = 2**20
# A process begins with the peak of the one that started it, which here holds models and their
# peers. So a small one stands between, starts the command and says what that came to.
MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""
WORDS = 20_000  # different ones in the corpus, the frequent ones far more often


def peak(command: list[str], cache: Path) -> tuple[float, float]:
    """MiB and seconds of `minibert ...`.

    Raises:
        RuntimeError: with what it said, if it failed.
    """
    environment = {**os.environ, "MINIBERT_HOME": str(cache)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, sys.executable, "-m", "minibert.cli", *command],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-500:])
    return int(done.stdout) * 1024 / MIB, time.perf_counter() - started


def write_corpus(path: Path, size: int) -> None:
    """Documents of ten sentences of some twelve words, so many bytes in all."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=2 + n % 9)) for n in range(WORDS)]
    weights = [1 / (n + 1) for n in range(WORDS)]
    written = 0
    with path.open("w") as file:
        while written < size:
            drawn = iter(rng.choices(words, weights, k=120))
            lines = [" ".join(next(drawn) for _ in range(12)) for _ in range(10)]
            written += file.write("\n".join(lines) + "\n\n")


def write_table(path: Path, rows: int) -> None:
    """A text of some ninety characters and one of two labels a row."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=2 + n % 9)) for n in range(5000)]
    with path.open("w") as file:
        file.write("text,label\n")
        for number in range(rows):
            file.write(f"{' '.join(rng.choices(words, k=14))},{'good' if number % 2 else 'bad'}\n")


def memory(quick: bool) -> Iterator[Row]:
    """Rows of the growing corpus and of the large table."""
    if not sys.platform.startswith("linux"):
        yield void("memory of whole commands", "MiB", "it is read as Linux tells it")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        yield from growth(folder, 20_000 if quick else 250_000)
        yield table(folder, 2_000 if quick else 1_000_000)


def growth(folder: Path, smallest: int) -> Iterator[Row]:
    """A corpus of so many bytes, of ten and of a hundred times as many."""
    first = None
    for factor in (1, 10, 100):
        corpus = folder / f"corpus-{factor}.txt"
        write_corpus(corpus, factor * smallest)
        # Small, so that the evaluation at the end, over a fifth of the corpus, does not take long.
        command = ["pretrain", "--preset", "tiny", "--corpus", str(corpus), "--steps", "3"]
        command += ["--max-length", "32", "--out", str(folder / f"run-{factor}")]
        held, taken = peak([*command, "--device", "cpu"], folder / f"home-{factor}")
        first = first or held
        name = f"memory of pre-training, corpus of {factor * smallest / 1e6:g} MB"
        yield row(
            name, "MiB, and with 1x", held, first, [first / held], 0.95, command_seconds=taken
        )
        corpus.unlink()


def table(folder: Path, rows: int) -> Row:
    """Two steps on a CSV."""
    train, dev = folder / "train.csv", folder / "dev.csv"
    write_table(train, rows)
    write_table(dev, 200)
    size = train.stat().st_size / 1e6
    command = ["finetune", "classify", "--base", "minilm", "--train", str(train), "--dev", str(dev)]
    command += ["--steps", "2", "--out", str(folder / "tuned"), "--device", "cpu"]
    held, taken = peak(command, home())
    allowed = 1500 * 1e6 / MIB
    name = f"memory of fine-tuning, a CSV of {rows:,} rows, {size:.0f} MB, 2 steps"
    return row(
        name, "MiB, and allowed", held, allowed, [allowed / held], 1.0, command_seconds=taken
    )
