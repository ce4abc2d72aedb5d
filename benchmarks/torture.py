"""Everything that can go wrong, made to go wrong: kills, disks, damage, odd input, dead processes.

    python benchmarks/torture.py [--only PART ...] [--quick]

Takes about 20 minutes on one core. Each row is printed as soon as it is there, with what was lost,
and goes into `results/torture.json`: name, tried, survived, lost. Of a part that is run alone the
rows are replaced, the others stay. The exit status is 1 where something was lost. The quick form, a
small number of everything, is for a first look and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from faults.tally import PLACES, Tally, scratch

TRAININGS = ("pre-training", "fine-tuning")
RESULTS = Path(__file__).with_name("results") / "torture.json"


def _kills(folder: Path, quick: bool) -> Iterator[Tally]:
    from faults.kills import killed

    return killed(folder, 2 if quick else 30, TRAININGS[:1] if quick else TRAININGS)


def _disks(folder: Path, quick: bool) -> Iterator[Tally]:
    from faults.disks import disks

    return disks(folder, 1 if quick else 12, TRAININGS[1:] if quick else TRAININGS)


def _damage(folder: Path, quick: bool) -> Iterator[Tally]:
    from faults.damage import damaged

    return damaged(folder, 8 if quick else 500, 1 if quick else 20)


def _fuzz(folder: Path, quick: bool) -> Iterator[Tally]:
    from faults.fuzz import fuzzed

    return fuzzed(folder, 300 if quick else 100_000)


def _metrics(_: Path, quick: bool) -> Iterator[Tally]:
    from faults.measures import measures

    return measures(20 if quick else 1_000)


def _processes(folder: Path, quick: bool) -> Iterator[Tally]:
    from faults.processes import processes

    return processes(folder, (2,) if quick else (2, 4))


PARTS: dict[str, Callable[[Path, bool], Iterator[Tally]]] = {
    "kills": _kills,
    "disks": _disks,
    "damage": _damage,
    "fuzz": _fuzz,
    "metrics": _metrics,
    "processes": _processes,
}


def run(part: str, quick: bool) -> list[dict[str, Any]]:
    """The rows of one part, each printed as soon as it is there."""
    rows, since = [], time.perf_counter()
    with scratch() as folder:
        for tally in PARTS[part](folder, quick):
            row = {**tally.row(), "name": f"{part}: {tally.name}"}
            rows.append(row)
            print(f"{row['tried']:7,} tried {row['lost']:5,} lost  {row['name']}", flush=True)
            for told in tally.lost[:10]:
                print(f"        {told}", file=sys.stderr, flush=True)
    print(f"        {part}: {time.perf_counter() - since:.0f} s", flush=True)
    return rows


def keep(part: str, rows: list[dict[str, Any]], seconds: float) -> None:
    """Put the rows of a part in the place of those that the results had of it."""
    content = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"seconds": {}, "rows": []}
    others = [row for row in content["rows"] if not row["name"].startswith(f"{part}: ")]
    rank = {name: number for number, name in enumerate(PARTS)}
    content = {
        "machine": f"{platform.machine()}, {platform.system()}, one thread",
        "seconds": {**content["seconds"], part: round(seconds)},
        "rows": sorted([*others, *rows], key=lambda row: rank[row["name"].split(":")[0]]),
    }
    RESULTS.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> int:
    """Run, print, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART",
                        help=f"some parts alone: {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="a small number of everything")
    options = parser.parse_args()
    # Before torch and tokenizers are imported: one thread is enough, and leaves room for others.
    os.environ.update(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    os.environ["PYTHONPATH"] = os.pathsep.join(
        map(str, PLACES)
    )  # of the processes that are started
    lost = 0
    for part in options.only:
        since = time.perf_counter()
        rows = run(part, options.quick)
        lost += sum(row["lost"] for row in rows)
        if not options.quick:
            keep(part, rows, time.perf_counter() - since)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
