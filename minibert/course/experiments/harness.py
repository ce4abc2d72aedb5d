"""Run an experiment seed by seed, keep what came out as JSON, and read it in a chapter.

A module `minibert.course.experiments.chNN_topic` measures, and can be interrupted at any time:

    from minibert.course.experiments.harness import run

    def measure(seed, *, steps, sizes):          # settings come by name; returns what JSON holds
        ...
        return {"accuracy": {"learned": 0.71, "sinusoidal": 0.69}}

    if __name__ == "__main__":
        run("chNN_topic", {"steps": 300, "sizes": [64, 128]}, seeds=[0, 1, 2], measure=measure,
            quick={"steps": 5})                  # with --quick: one seed, nothing written

`python -m minibert.course.experiments.chNN_topic` runs it. `--seed 1` measures that seed alone: on
a machine with many cores, several can run side by side.

The chapter reads, from whatever folder it runs in:

    from minibert.course.experiments.harness import results, values

    held = results("chNN_topic")                 # command, machine, settings, seconds, results
    held["results"]["0"]["accuracy"]["learned"]  # results are by seed, as text
    values(held, "accuracy", "learned")          # the same of every seed: [0.71, …]
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def _path(name: str) -> Path:
    return RESULTS / f"{name}.json"


def _command(name: str) -> str:
    return f"python -m {__package__}.{name}"


def results(name: str) -> dict[str, Any]:
    """What an experiment has left: command, seeds, machine, settings, seconds and results.

    Raises:
        FileNotFoundError: if it has not been run; the message names the command.
    """
    path = _path(name)
    if not path.is_file():
        raise FileNotFoundError(f"no results of {name} yet: run `{_command(name)}`")
    held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return held


def values(held: dict[str, Any], *keys: str) -> list[Any]:
    """One entry of the results, for every seed in order: `values(held, "accuracy", "bert")`."""
    found = [held["results"][str(seed)] for seed in held["seeds"]]
    for key in keys:
        found = [one[key] for one in found]
    return found


def processor() -> str:
    """The processor's model, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return (models or [platform.processor() or platform.machine()])[0]


def machine() -> dict[str, Any]:
    """Where the numbers come from: system, processor, cores in use, versions."""
    import torch

    return {
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all. No NaN: not every reader of JSON knows it."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _held(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What is there of an experiment, if it was obtained with these settings."""
    settings = json.loads(json.dumps(settings))  # tuples become lists, as when read back
    if not _path(name).is_file():
        return {
            "experiment": name,
            "command": _command(name),
            "settings": settings,
            "seeds": [],
            "machine": {},
            "seconds": {},
            "results": {},
        }
    held = results(name)
    if held["settings"] != settings:
        raise ValueError(
            f"{name}.json was obtained with other settings {held['settings']}: remove it to "
            f"start over with {settings}"
        )
    return held


def run(
    name: str,
    settings: dict[str, Any],
    seeds: Iterable[int],
    measure: Callable[..., Any],
    quick: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure every seed that is not held yet; each is written as soon as it is done.

    Args:
        name: of the module, and of the JSON file in `results`, the folder beside it.
        settings: everything the outcome depends on besides the seed; passed by name.
        seeds: one whole run each.
        measure: `measure(seed, **settings)`; what it returns must be what JSON can hold.
        quick: changed settings for `--quick`: one seed, to see that it still works.
            Its outcome is printed and not kept.

    Returns:
        What `results(name)` returns afterwards.

    Raises:
        ValueError: if what is held was obtained with other settings.
    """
    path, seeds, asked = _path(name), list(seeds), sys.argv[1:]
    if "--seed" in asked[:-1]:
        seeds = [int(asked[asked.index("--seed") + 1])]
    if "--quick" in asked:
        outcome = measure(seeds[0], **(settings | (quick or {})))
        print(json.dumps(outcome, ensure_ascii=False, allow_nan=False))
        return {"seeds": seeds[:1], "results": {str(seeds[0]): outcome}}
    held = _held(name, settings)
    for number, seed in enumerate(seeds, 1):
        told = f"{name}: seed {seed} ({number} of {len(seeds)})"
        if str(seed) in held["results"]:
            print(f"{told}: held already, skipped", file=sys.stderr)
            continue
        print(f"{told} …", file=sys.stderr, flush=True)
        start = time.perf_counter()
        outcome = measure(seed, **settings)
        held = _held(name, settings)  # another process may have written meanwhile
        held["results"][str(seed)] = outcome
        held["seconds"][str(seed)] = round(time.perf_counter() - start, 1)
        held["seeds"] = sorted(int(one) for one in held["results"])
        held["machine"] = machine()
        _write(path, held)
        print(f"{told}: {held['seconds'][str(seed)]} s", file=sys.stderr, flush=True)
    return held
