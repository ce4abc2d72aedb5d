"""The fine-tuning figures that the README quotes: each a command, three seeds, test side once.

    python benchmarks/figures.py [NAME ...] [--seeds 0 1 2]
    python benchmarks/figures.py first-run [NAME ...] [--seeds 0 1 2]   # see `first_run.py`

Runs `minibert finetune` for each name and seed that `benchmarks/results/figures.jsonl` does not
hold yet, adds a line with the command, its seconds and its held-out figures, and prints the means.
Every choice (epochs, learning rate, length) was made on the dev side.
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
from pathlib import Path

import first_run

RESULTS = Path(__file__).parent / "results" / "figures.jsonl"

COMMANDS = {
    "movies": "--base minilm --train movies --epochs 3 --learning-rate 1e-4 --batch-size 32",
    "reviews-zh": "--base course-zh --train reviews-zh --max-length 256 --epochs 3 "
    "--learning-rate 2e-4 --batch-size 32",
    "bbc": "--base minilm --train bbc --max-length 256 --epochs 2 "
    "--learning-rate 1e-4 --batch-size 16",
}


def measure(name: str, seed: int) -> dict:
    """Run one command and return its line."""
    words = ["minibert", "finetune", "classify", *COMMANDS[name].split(), "--seed", str(seed)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "minibert.cli", *words[1:], "--out", str(out)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        figures = json.loads((out / "metrics.json").read_text())
        return {
            "name": name,
            "seed": seed,
            "command": " ".join(words),
            "whole_process_seconds": round(time.perf_counter() - started),
            "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
            "machine": platform.machine(),
            **figures,
        }


def main() -> None:
    """Measure what is missing; print the means."""
    if sys.argv[1:2] == ["first-run"]:
        first_run.main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(COMMANDS)}; all if none")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    options = parser.parse_args()
    unknown = set(options.names) - set(COMMANDS)
    if unknown:
        parser.error(f"unknown {', '.join(sorted(unknown))}: choose from {', '.join(COMMANDS)}")
    RESULTS.parent.mkdir(exist_ok=True)
    lines = RESULTS.read_text().splitlines() if RESULTS.is_file() else []
    done = [json.loads(line) for line in lines]
    for name in options.names or COMMANDS:
        for seed in options.seeds:
            if any(entry["name"] == name and entry["seed"] == seed for entry in done):
                continue
            entry = measure(name, seed)
            done.append(entry)
            with RESULTS.open("a") as file:
                file.write(json.dumps(entry) + "\n")
            print(name, seed, entry["test"]["accuracy"], f"{entry['whole_process_seconds']} s")
        tests = [entry["test"]["accuracy"] for entry in done if entry["name"] == name]
        if tests:
            print(
                f"{name}: test accuracy {statistics.mean(tests):.4f}, mean of {len(tests)} seeds "
                f"({min(tests):.4f} to {max(tests):.4f})"
            )


if __name__ == "__main__":
    main()
