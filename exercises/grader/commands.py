"""`python -m exercises`: build and check sets, list the tasks, grade, look for copies."""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from exercises.grader import isolation
from exercises.grader.grading import Grader, own_work
from exercises.grader.learners import PATTERNS, Names, looks_like_canvas, read_roster
from exercises.grader.results import TaskResult
from exercises.grader.submission import Submission, find_submissions
from exercises.grader.term import Term, say
from exercises.learner.judging import PUBLIC_SEED
from exercises.learner.source import FOLDER, SourceError, all_tasks, load, names


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
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        print(f"{row['id']:5} {row['kind']:8} {row['points']:3} points  {row['title']}")
    print(f"{len(rows)} tasks in {len(names())} sets")
    return 0


def make_notebooks(options: argparse.Namespace) -> int:
    """Write the notebooks and the instructor's pages of sets."""
    from exercises.grader.build import write_set  # needs nbformat, which a grader does without

    wanted = known_sets(options.names)
    lines = [line for name in wanted for line in write_set(name)]
    print("\n".join(lines or [f"{len(wanted)} sets: nothing has changed"]))
    return 0


def run_gates(options: argparse.Namespace) -> int:
    """The gates of sets, with every message, for their author."""
    from exercises.grader.gates import report  # needs nbformat, which a grader does without

    failed = []
    for name in known_sets(options.names):
        started = time.perf_counter()
        failed += report(load(name))
        print(f"{name}: {time.perf_counter() - started:.1f} s\n")
    print("\n".join(failed) if failed else "all gates hold")
    return 1 if failed else 0


def run_mutants(options: argparse.Namespace) -> int:
    """Which of the machine's wrong answers pass, for their author."""
    from exercises.grader.mutants import report  # needs the gates, and so nbformat

    survived = []
    for name in known_sets(options.names):
        started = time.perf_counter()
        found = report(load(name))
        print("\n".join([*found, f"{name}: {time.perf_counter() - started:.1f} s"]), flush=True)
        survived += found
    print(f"{len(survived)} mutants survive" if survived else "every mutant fails")
    return 1 if survived else 0


def known_sets(wanted: list[str] | None) -> list[str]:
    """The sets that are asked for, or all; the beginning of a name does for it.

    Raises:
        ValueError: if one is unknown; the message lists those there are.
    """
    chosen, unknown = [], []
    for word in wanted or []:
        found = [word] if word in names() else [n for n in names() if n.startswith(word)]
        chosen += found if len(found) == 1 else []
        unknown += [word] if len(found) != 1 else []
    if unknown:
        raise ValueError(f"no set {', '.join(sorted(unknown))}: known are {', '.join(names())}")
    return list(dict.fromkeys(chosen)) or names()


def the_class(options: argparse.Namespace) -> list[Submission]:
    """What a class has handed in, and by whom."""
    roster = read_roster(options.roster) if options.roster else None
    submissions = find_submissions(options.submissions, Names(options.name_pattern, roster))
    files = [p.name for one in submissions for p in one.paths if p.parent == options.submissions]
    if not options.name_pattern and looks_like_canvas(files):
        print(
            "exercises: these look like a download from Canvas, where each file is taken for a "
            "learner: --name-pattern canvas tells whose they are",
            file=sys.stderr,
        )
    return submissions


def grade(options: argparse.Namespace) -> int:
    """A class, or without a folder one's own work."""
    if options.submissions is None:
        return grade_own(options)
    if options.seed_file is None or options.out is None:
        raise ValueError("to grade a class give --seed-file FILE and --out FOLDER as well")
    if not options.seed_file.is_file() or not options.seed_file.read_bytes().strip():
        raise ValueError(
            f"{options.seed_file} holds no seed: write some random words into it, and keep it"
        )
    if options.jobs < 1:
        raise ValueError("--jobs is the number of submissions at a time, 1 or more")
    submissions = the_class(options)
    grader = Grader(
        known_sets(options.sets),
        options.seed_file.read_bytes().strip(),
        isolation.choose(options.isolation),
    )
    if grader.way.kind == "limits":
        print(
            "exercises: neither bubblewrap nor a container here: submissions run with limits only "
            "and can read what you can",
            file=sys.stderr,
        )
    from exercises.grader.workers import grade_all  # needs what Windows has not

    asked = tuple(grader.sets) if options.sets else ()
    term = Term(options.out, grader, asked, options.anonymous)
    term.given(submissions)  # a mistake in overrides.csv is told before hours of work
    bar = tqdm(total=len(submissions), unit=" submissions", desc="grading")
    for _ in grade_all(grader, submissions, term.store, options.jobs):
        bar.update()
    bar.close()
    everybody, gone = term.everybody(submissions)
    summary = term.write_report(everybody)
    print(f"{len(everybody)} learners: {options.out / 'index.html'}")
    say(summary, gone, print)
    return 0


def grade_own(options: argparse.Namespace) -> int:
    """The notebooks in this folder, with the public seed: what `check` would say, from a file."""
    wanted = known_sets(options.sets)
    way = isolation.choose(options.isolation, own=True)
    if "torch" not in sys.modules:  # a process can be forked that has no threads: none of a GPU's
        os.environ.update(OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="")
    if way.kind == "clock":
        print(
            "exercises: this system bounds no memory and no files: your code runs under a clock "
            "alone",
            file=sys.stderr,
        )
    grader = Grader(wanted, PUBLIC_SEED.encode(), way)
    work = own_work(grader.sets, FOLDER)
    if not work.paths:
        raise ValueError("there is no exercise notebook here yet: run make exercises")
    got = out_of = 0
    for name, exercises in tqdm(grader.sets.items(), unit=" sets", leave=False):
        one = Grader([name], grader.seed, grader.way)
        result = one.grade(own_work({name: exercises}, FOLDER))
        got, out_of = got + int(result.points), out_of + 100
        tasks: list[TaskResult] = result.tasks
        marks = "".join("■" if task.points else "□" for task in tasks)
        tqdm.write(f"{name:22} {marks:8} {result.points:3} of 100")
        for task in tasks:
            if not task.points and "nothing is written" not in task.message:
                tqdm.write(f"    {task.task}: {task.message}")
        for note in result.problems:
            tqdm.write(f"    {note}")
    print(f"{got} of {out_of} points")
    return 0


def find_copies(options: argparse.Namespace) -> int:
    """Pairs of submissions whose answers are alike."""
    from exercises.grader.similarity import similar

    submissions = the_class(options)
    way = isolation.choose()
    count = 0
    for name in tqdm(known_sets(options.sets), unit=" sets", leave=False):
        for pair in similar(submissions, load(name), way, options.least):
            count += 1
            tqdm.write(f"{pair.proportion:4.0%}  {pair.task:5} {pair.one} and {pair.other}")
    print(f"{count} pairs of answers are at least {options.least:.0%} alike")
    return 0


def summarise(options: argparse.Namespace) -> int:
    """A report's grades as a table in Markdown, for a page or a mail."""
    file = options.report / "grades.json"
    if not file.is_file():
        raise ValueError(f"{options.report} holds no report: grade with --out {options.report}")
    grades = json.loads(file.read_text(encoding="utf-8"))
    heads = [*grades["sets"], *(task["id"] for task in grades["tasks"])]
    print(f"| name | {' | '.join(heads)} |")
    print("|" + " --- |" * (1 + len(heads)))
    for row in grades["submissions"]:
        values = {**row["points"], **row["by_task"]}
        cells = ["" if values.get(head) is None else str(values[head]) for head in heads]
        # A page shows Markdown, and HTML in it; what a name holds is neither.
        name = re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(row["name"]))
        print(f"| {name} | {' | '.join(cells)} |")
    return 0


def make_handout(options: argparse.Namespace) -> int:
    """The learners' package."""
    from exercises.grader.handout import write_handout  # needs nbformat

    if options.hints < 0:
        raise ValueError("--hints is a number of hints, 0 or more")
    wanted = known_sets(options.sets)
    write_handout(options.out, wanted, options.hints)
    print(f"{options.out}: {len(wanted)} sets, {options.hints} hints a task, no solutions")
    return 0


def update_notebooks(_: argparse.Namespace) -> int:
    """A learner's notebooks, from what was handed out."""
    from exercises.learner.updating import update

    print("\n".join(update() or ["every notebook is of the version that was handed out"]))
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m exercises", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="every task of the course")
    listing.add_argument("--json", action="store_true", help="for a program")
    listing.set_defaults(run=list_tasks)
    building = commands.add_parser("build", help="for authors: make the notebooks from the sources")
    building.set_defaults(run=make_notebooks)
    gates = commands.add_parser("gates", help="for authors: check sets, show every message")
    breaking = commands.add_parser("mutants", help="for authors: break solutions, see who passes")
    breaking.set_defaults(run=run_mutants)
    for command in (building, gates, breaking):
        command.add_argument("names", nargs="*", metavar="NAME", help="such as ch05-attention; all")
    gates.set_defaults(run=run_gates)
    grading = commands.add_parser("grade", help="grade a class, or (no folder) your own work")
    grading.add_argument("submissions", nargs="?", type=Path, help="NAME.ipynb or NAME/*.ipynb")
    grading.add_argument("--seed-file", type=Path, help="a private file: what is drawn from it")
    grading.add_argument("--out", type=Path, help="folder for the report")
    grading.add_argument("--jobs", type=int, default=2, help="submissions at a time; default: 2")
    grading.add_argument("--isolation", default="auto", help="auto, bwrap, container or limits")
    grading.add_argument(
        "--anonymous", action="store_true", help="pages show an id in place of each name"
    )
    grading.set_defaults(run=grade)
    copies = commands.add_parser("similar", help="which submissions look like copies")
    copies.add_argument("submissions", type=Path)
    copies.add_argument("--least", type=float, default=0.8, help="proportion alike; default: 0.8")
    copies.set_defaults(run=find_copies)
    table = commands.add_parser("summary", help="a report's grades as a Markdown table")
    table.add_argument("report", type=Path)
    table.set_defaults(run=summarise)
    handing = commands.add_parser("handout", help="notebooks for learners, without solutions")
    handing.add_argument("--hints", type=int, default=2, help="hints of each task; default: 2")
    handing.add_argument("--out", type=Path, default=Path("dist/handout.zip"), help="the package")
    handing.set_defaults(run=make_handout)
    updating = commands.add_parser("update", help="for learners: notebooks of what was handed out")
    updating.set_defaults(run=update_notebooks)
    for command in (grading, copies, handing):
        command.add_argument(
            "--sets", nargs="+", metavar="SET", help="such as ch05-attention, ch05"
        )
    for command in (grading, copies):
        command.add_argument("--roster", type=Path, help="the class as a CSV file: who is expected")
        command.add_argument(
            "--name-pattern",
            metavar="PATTERN",
            help=f"whose a file is: {', '.join(PATTERNS)}, or a regular expression with a group "
            "(?P<name>...) or (?P<id>...)",
        )
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (SourceError, ValueError, OSError) as error:
        print(f"exercises: {error}", file=sys.stderr)
        return 2
