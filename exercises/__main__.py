"""`python -m exercises`: list the tasks, check a set's gates, grade, look for copies."""

from __future__ import annotations

import argparse
import json
import sys
import time

from exercises.source import SourceError, all_tasks, load, names


def list_tasks(options: argparse.Namespace) -> int:
    """Every task of the course, as a table or as JSON."""
    rows = [
        {
            "id": task.id,
            "chapter": task.set_name,
            "title": task.title,
            "kind": task.kind,
            "points": task.points,
            "minutes": task.minutes,
            "misconceptions": [wrong.name for wrong in task.misconceptions],
        }
        for task in all_tasks().values()
    ]
    if options.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    for row in rows:
        print(f"{row['id']:5} {row['kind']:8} {row['points']:3} points  {row['title']}")
    print(f"{len(rows)} tasks in {len(names())} sets")
    return 0


def run_gates(options: argparse.Namespace) -> int:
    """The gates of sets, with every message, for their author."""
    from exercises.gates import report

    failed = []
    for name in options.names or names():
        started = time.perf_counter()
        failed += report(load(name))
        print(f"{name}: {time.perf_counter() - started:.1f} s\n")
    print("\n".join(failed) if failed else "all gates hold")
    return 1 if failed else 0


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m exercises", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="every task of the course")
    listing.add_argument("--json", action="store_true", help="for a program")
    listing.set_defaults(run=list_tasks)
    gates = commands.add_parser("gates", help="for authors: check sets, show every message")
    gates.add_argument("names", nargs="*", metavar="NAME", help="such as ch05-attention; all")
    gates.set_defaults(run=run_gates)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (SourceError, ValueError, OSError) as error:
        print(f"exercises: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
