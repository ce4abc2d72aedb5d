"""The gates of an exercise set: what must hold before a learner sees it.

    python -m exercises gates ch05-attention

The solution and the other right one pass, the stub does not, every misconception draws its own
message and no other's, under the public seed and under others; the points sum to 100; nothing of a
solution stands in the learner's notebook; no misconception repeats the solution.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator

from exercises.grader.build import notebook
from exercises.learner.judging import PUBLIC_SEED, Bench, Verdict, forbidden
from exercises.learner.source import ExerciseSet, Task

SEEDS = (PUBLIC_SEED, "another seed")


def runs(task: Task, seed: str) -> Iterator[tuple[str, str, Verdict]]:
    """What is run, what it should be ("passed", "not passed", a mistake's name), what came out."""
    bench = Bench(task, seed, small=True)
    wanted = [
        ("the solution", task.solution, "passed"),
        ("another right solution", task.alternative, "passed"),
        ("the stub", task.stub, "not passed"),
        *[("the solution without a gradient", _without_gradient(task), "not passed")]
        * bool(task.gradient),
        *((f"misconception: {m.name}", m.code, m.name) for m in task.misconceptions),
    ]
    for what, code, want in wanted:
        unfit = forbidden(task, code)
        verdict = Verdict(False, unfit) if unfit else bench.verdict(bench.results_of(code))
        yield what, want, verdict


def _without_gradient(task: Task) -> str:
    return f"{task.solution}\n{task.function} = torch.no_grad()({task.function})\n"


def is_as_wanted(want: str, verdict: Verdict) -> bool:
    """Whether a verdict is the wanted one."""
    if want in ("passed", "not passed"):
        return verdict.passed == (want == "passed")
    return not verdict.passed and verdict.mistake == want


def leaks(exercises: ExerciseSet) -> list[str]:
    """Lines of solutions that stand in the learner's notebook.

    None of a solution block's lines of over 25 characters, nor two of its lines one after the
    other, may stand there, unless they stand in the stub of the task.
    """
    learner = [
        line.strip()
        for cell in notebook(exercises).cells
        for line in cell.source.splitlines()
        if line.strip()
    ]
    pairs = set(itertools.pairwise(learner))
    found = []
    for task in exercises.tasks:
        own = [line.strip() for line in task.stub.splitlines() if line.strip()]
        own_pairs = set(itertools.pairwise(own))
        for block in task.secret_lines:
            found += [
                f"{task.id}: {line}"
                for line in block
                if len(line) > 25 and line in learner and line not in own
            ]
            found += [
                f"{task.id}: {' / '.join(pair)}"
                for pair in itertools.pairwise(block)
                if pair in pairs and pair not in own_pairs
            ]
    return found


def repeats(exercises: ExerciseSet) -> list[str]:
    """Misconceptions written as a whole function of which half or more is the solution's."""
    found = []
    for task in exercises.tasks:
        for wrong in task.misconceptions:
            old, new = (
                [line for line in code.splitlines() if line.strip() and "def " not in line]
                for code in (task.solution, wrong.code)
            )
            blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
            edited = len(old) + len(new) - 2 * sum(block.size for block in blocks)
            if wrong.is_whole and edited <= len(new) / 2:
                found.append(f"{task.id}, {wrong.name}: {edited} lines of edits would do")
    return found


def report(exercises: ExerciseSet, verbose: bool = True) -> list[str]:
    """Run all gates of a set; a line for each that failed (and, verbose, print every message)."""
    failed = []
    points = sum(task.points for task in exercises.tasks)
    if points != 100:
        failed.append(f"{exercises.name}: the points sum to {points}, not to 100")
    failed += [f"leaks: {line}" for line in leaks(exercises)]
    failed += [f"repeats: {line}" for line in repeats(exercises)]
    for task in exercises.tasks:
        for seed in SEEDS[:1] if task.is_long else SEEDS:
            for what, want, verdict in runs(task, seed):
                line = f"{task.id} {what}: {verdict.message}"
                if verbose and seed == PUBLIC_SEED:
                    print(line)
                if not is_as_wanted(want, verdict):
                    failed.append(
                        f"{task.id}, seed “{seed}”, {what}: wanted {want}, got "
                        f"{verdict.mistake or ('passed' if verdict.passed else verdict.message)}"
                    )
    return failed
