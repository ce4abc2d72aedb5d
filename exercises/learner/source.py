"""The one source of an exercise set: `exercises/source/chNN-name.py`, in percent format.

The capstone's, `capstone-your-own-bert.py`, is in the same format.

A file is a row of cells, each opened by a line `# %% ...`:

    # %% [markdown]                     the introduction, once, at the top
    # %% setup                          imports, shown to the learner and part of every run
    # %% bring                          optional: tasks of other sets, to be brought along
    # %% task 5.1: its title            fields (`kind: write; points: 25; ...`), an empty
                                        comment line, then the text of the task
    # %% stub                           the learner's cell, with the solution between its markers
    # %% run                            optional: run(function, case), how the function is called,
                                        in the child; or host(function, case), which the function
                                        cannot reach: for what counts, or hides something
    # %% check                          cases(rng), and optional judge, family, numbers, score
    # %% another right solution
    # %% misconception: its name        `# says: ...`, then the lines that differ
    # %% hints                          `# 1. ...`, from a nudge to nearly everything
    # %% explanation                    what `solution` says beside the code
    # %% free choices                   optional: what in the solution is one way among many, for
                                        the mutants of `exercises/grader/mutants.py`

Between `# BEGIN SOLUTION` and `# END SOLUTION` stands what the learner has to find. Lines
between `# BEGIN STUB` and `# END STUB` stand in the learner's cell in its place (the broken
lines of a repair); without them the stub raises `NotImplementedError`.

A misconception is the solution with edits, comments that stand below `says`:

    # edit: dim=-1 => dim=-2            this fragment of one line becomes that one
    # - scores = query @ key.mT         these lines
    # + scores = query @ key.mT         become those
    # + scores = scores.masked_fill(~mask, 0.0)

What is replaced stands exactly once in the solution. Whole lines are found whatever their
indentation, and those that come are indented relative to the first that goes; `# - ...` is any
lines between two, and `#` alone parts two edits. Only a different program is written out as a
whole function.

`builds: C.1` in the fields names tasks of the set whose functions this one calls. In a learner's
notebook they are there; the course's own code has their solutions in front of it.

`family(case, got, expected)` names the misconception that a wrong result belongs to when it equals
none of theirs: the mistake with another number in it.

Misconceptions are compared in their order, on the inputs on which the learner is wrong: of two that
agree there, the more special one comes first.
"""

from __future__ import annotations

import ast
import difflib
import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from exercises.learner.gradients import run_cell

FOLDER = Path(__file__).resolve().parent.parent  # `exercises/`, with the notebooks in it
SOURCES = FOLDER / "source"
KINDS = {
    "write": "Write it",
    "repair": "Repair it",
    "predict": "Predict it",
    "measure": "Measure it",
    "project": "Project",
}
NEEDS = ("minibert", "minilm", "sklearn")
_CELL = re.compile(r"# %% ?(.*)")
_FIELD = re.compile(r"(\w+): ([^;]+)")
_CHOICE = re.compile(r"`([^`]+)`(?: => `([^`]*)`)?(,|:)\s+")
_EDIT = re.compile(r"# ([-+]) (.*)|# edit: (.+?) =>(?: (.*))?")


class SourceError(ValueError):
    """An exercise source that is not in the format; the message names file and line."""


@dataclass(frozen=True)
class Misconception:
    """A wrong solution that somebody would write, and what to say to whoever behaves like it."""

    name: str
    says: str
    code: str
    is_whole: bool = False  # written as a whole function


@dataclass(frozen=True)
class Choice:
    """A fragment of the solution that may be otherwise: in any way, or only as `new`; and why."""

    old: str
    new: str | None
    reason: str


@dataclass
class _Edit:
    """What stands in the solution, and what a misconception has in its place.

    line: of the source. within: a fragment of one line, not whole lines.
    """

    line: int
    old: list[str]
    new: list[str]
    within: bool = False

    def places(self, solution: str) -> list[tuple[int, int, str]]:
        """Where the old is: from, to, and what comes there."""
        if self.within:
            found = [m.start() for m in re.finditer(re.escape(self.old[0]), solution)]
            return [(at, at + len(self.old[0]), self.new[0] or "") for at in found]
        lines = solution.splitlines(keepends=True)
        places = []
        for first in range(len(lines)):
            last = self._end(lines, first)
            if last is not None:
                shift = _indent(lines[first]) - _indent(self.old[0])
                new = [" " * max(0, _indent(n) + shift) + n.strip() + "\n" for n in self.new]
                start = sum(map(len, lines[:first]))
                end = start + sum(map(len, lines[first:last]))
                places.append((start, end, "".join(new)))
        return places

    def _end(self, lines: list[str], at: int) -> int | None:
        """The line behind the old ones, if they begin at one; `...` is any lines between."""
        skipping = False
        for old in (one.strip() for one in self.old):
            if old == "...":
                skipping = True
                continue
            while skipping and at < len(lines) and lines[at].strip() != old:
                at += 1
            if at == len(lines) or lines[at].strip() != old:
                return None
            skipping, at = False, at + 1
        return None if skipping else at


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


@dataclass(frozen=True)
class Task:
    """One task of a set.

    kind: a key of `KINDS`. before: solutions that its own builds on, which are of the tasks in
    `builds`. needs: of `NEEDS`, what the answer may use besides numpy and torch.
    without: names that the answer is not to use. gradient: inputs that its losses must reach.
    seconds: of CPU time for all cases. tolerance: relative and absolute, of floats.
    """

    id: str
    set_name: str
    title: str
    kind: str
    points: int
    minutes: int
    function: str
    text: str
    setup: str
    cell: str = ""
    before: str = ""
    run: str = ""
    check: str = ""
    alternative: str = ""
    misconceptions: tuple[Misconception, ...] = ()
    hints: tuple[str, ...] = ()
    explanation: str = ""
    choices: tuple[Choice, ...] = ()
    builds: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    gradient: str = ""
    seconds: float = 10.0
    tolerance: float = 1e-4
    # What programs give on the public inputs, where they themselves are not at hand (`packed`).
    behaviours: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    @property
    def is_long(self) -> bool:
        """Whether it takes minutes: then `cases(rng, small=True)` draws what the gates run."""
        return self.seconds > 60

    @property
    def withheld(self) -> set[str]:
        """Names that an answer is not to use: those in `without`, and the package itself."""
        own = {"minibert", "minilm"} & set(self.needs)
        return {*self.without, *(() if own else ("minibert",))}

    @property
    def is_called_plainly(self) -> bool:
        """Whether what is compared is what the function returned, and not what a `run` makes."""
        return self.run in ("", run_cell("", self.gradient))

    @cached_property
    def arguments(self) -> set[str]:
        """The names of what the function is given."""
        tree = ast.parse(self.solution)
        return {one.arg for one in ast.walk(tree) if isinstance(one, ast.arg)}

    @cached_property
    def stub(self) -> str:
        """The learner's cell."""
        return _between(self.cell, f"{self.set_name}, {self.id}", keep="STUB", task=self.id)

    @cached_property
    def solution(self) -> str:
        """The cell with the solution in it."""
        return _between(self.cell, f"{self.set_name}, {self.id}", keep="SOLUTION", task=self.id)

    @cached_property
    def secret_lines(self) -> list[list[str]]:
        """The lines of each solution block, stripped, without empty ones."""
        blocks: list[list[str]] = []
        inside = False
        for line in self.cell.splitlines():
            mark = line.strip()
            if mark == "# BEGIN SOLUTION":
                inside = True
                blocks.append([])
            elif mark == "# END SOLUTION":
                inside = False
            elif inside and mark:
                blocks[-1].append(mark)
        return blocks


@dataclass(frozen=True)
class ExerciseSet:
    """The tasks of one chapter. brings: tasks of other sets whose answers it takes."""

    name: str
    intro: str
    setup: str
    tasks: tuple[Task, ...] = field(default=())
    brings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The first heading of the introduction."""
        return self.intro.splitlines()[0].lstrip("# ")


def _between(cell: str, where: str, keep: str, task: str) -> str:
    """The cell with one kind of block unwrapped and the other left out.

    Raises:
        SourceError: if markers are unbalanced, nested, or none.
    """
    lines, inside, opened, counts = [], "", 0, {"SOLUTION": 0, "STUB": 0}
    for number, line in enumerate(cell.splitlines(), start=1):
        mark = re.fullmatch(r"\s*# (BEGIN|END) (SOLUTION|STUB)\s*", line)
        if not mark:
            if re.search(r"(BEGIN|END)[ _]*(SOLUTION|STUB)", line):
                raise SourceError(f"{where}, line {number} of the stub: a marker stands alone")
            if not inside or inside == keep:
                lines.append(line)
            continue
        verb, kind = mark.groups()
        if verb == "BEGIN":
            if inside:
                raise SourceError(
                    f"{where}, line {number} of the stub: BEGIN {kind} inside the {inside} block "
                    f"opened on line {opened}"
                )
            inside, opened = kind, number
            counts[kind] += 1
            if kind == "SOLUTION" and keep == "STUB" and "# BEGIN STUB" not in cell:
                indent = line[: len(line) - len(line.lstrip())]
                lines.append(f'{indent}raise NotImplementedError("{task}: write me")')
        elif inside != kind:
            raise SourceError(
                f"{where}, line {number} of the stub: END {kind} without its BEGIN {kind}"
            )
        else:
            inside = ""
    if inside:
        raise SourceError(f"{where}: BEGIN {inside} on line {opened} of the stub has no END")
    if not counts["SOLUTION"]:
        raise SourceError(f"{where}: the stub has no # BEGIN SOLUTION")
    return "\n".join(lines).strip("\n") + "\n"


def _prose(lines: list[str]) -> str:
    """Comment lines as the text they hold."""
    return "\n".join(re.sub(r"^# ?", "", line) for line in lines).strip("\n")


def parse(text: str, name: str) -> ExerciseSet:
    """Read one source.

    Args:
        text: of the file.
        name: of the set, such as "ch05-attention".

    Raises:
        SourceError: if it is not in the format.
    """
    cells: list[tuple[str, int, list[str]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        opening = _CELL.fullmatch(line)
        if opening:
            cells.append((opening[1].strip(), number, []))
        elif cells:
            cells[-1][2].append(line)
        elif line.strip() and not line.startswith("#"):
            raise SourceError(f"{name}, line {number}: code before the first cell")
    intro, setup = "", ""
    brings: tuple[str, ...] = ()
    tasks: list[Task] = []
    for kind, number, lines in cells:
        where = f"{name}, line {number}"
        code = "\n".join(lines).strip("\n") + "\n"
        if kind == "[markdown]":
            intro = _prose(lines)
        elif kind == "setup":
            setup = code
        elif kind == "bring":
            brings = tuple(_prose(lines).replace(",", " ").split())
        elif kind.startswith("task "):
            tasks.append(_task(kind.removeprefix("task ").strip(), name, setup, lines, where))
        elif not tasks:
            raise SourceError(f"{where}: a cell “{kind}” before the first task")
        elif kind in ("stub", "run", "check", "another right solution"):
            key = {"stub": "cell", "another right solution": "alternative"}.get(kind, kind)
            if getattr(tasks[-1], key):
                raise SourceError(f"{where}: task {tasks[-1].id} has two cells “{kind}”")
            part: dict[str, Any] = {key: code}
            tasks[-1] = replace(tasks[-1], **part)
        elif kind.startswith("misconception: "):
            if not tasks[-1].cell:
                raise SourceError(f"{where}: a misconception before the stub")
            named = kind.removeprefix("misconception: ").strip()
            wrong = _misconception(named, lines, tasks[-1].solution, name, number + 1)
            tasks[-1] = replace(tasks[-1], misconceptions=(*tasks[-1].misconceptions, wrong))
        elif kind == "hints":
            items = re.split(r"^\d+\. ", _prose(lines), flags=re.M)[1:]
            tasks[-1] = replace(tasks[-1], hints=tuple(item.strip("\n") for item in items))
        elif kind == "explanation":
            tasks[-1] = replace(tasks[-1], explanation=_prose(lines))
        elif kind == "free choices":
            free = _choices(_prose(lines), tasks[-1].solution, where)
            tasks[-1] = replace(tasks[-1], choices=free)
        else:
            raise SourceError(f"{where}: no such cell: “{kind}”")
    tasks = [replace(t, run=run_cell(t.run, t.gradient)) if t.gradient else t for t in tasks]
    exercises = ExerciseSet(name, intro, setup, _built_up(tasks, name), brings)
    _complete(exercises)
    return exercises


def _built_up(tasks: list[Task], name: str) -> tuple[Task, ...]:
    """The tasks, each with the solutions in front of it that it names in `builds`."""
    done: dict[str, Task] = {}
    for task in tasks:
        unknown = set(task.builds) - set(done)
        if unknown:
            raise SourceError(f"{name}, task {task.id} builds on {min(unknown)}: none above")
        before = "\n".join(done[one].solution for one in task.builds)
        done[task.id] = replace(task, before=before)
    return tuple(done[task.id] for task in tasks)


def _task(opening: str, name: str, setup: str, lines: list[str], where: str) -> Task:
    task_id, _, title = opening.partition(": ")
    text = _prose(lines).splitlines()
    fields: dict[str, str] = {}
    while text and all(_FIELD.fullmatch(part) for part in text[0].split("; ")):
        for key, value in _FIELD.findall(text.pop(0)):  # a field may go on in another line
            fields[key] = f"{fields[key]}, {value}" if key in fields else value
    needed = {"kind", "points", "minutes", "function"}
    known = needed | {"needs", "seconds", "tolerance", "without", "gradient", "builds"}
    missing = needed - set(fields)
    if not title:
        raise SourceError(f"{where}: the task has no title: “# %% task 5.1: its title”")
    if missing or set(fields) - known:
        wrong = ", ".join(sorted(missing or set(fields) - known))
        raise SourceError(f"{where}: {'missing' if missing else 'unknown'} field {wrong}")
    needs = tuple(fields.get("needs", "").replace(",", " ").split())
    if fields["kind"] not in KINDS or set(needs) - set(NEEDS):
        raise SourceError(f"{where}: kinds are {', '.join(KINDS)}; needs are {', '.join(NEEDS)}")
    return Task(
        id=task_id,
        set_name=name,
        title=title,
        kind=fields["kind"],
        points=int(fields["points"]),
        minutes=int(fields["minutes"]),
        function=fields["function"],
        text="\n".join(text).strip("\n"),
        setup=setup,
        builds=tuple(fields.get("builds", "").replace(",", " ").split()),
        needs=needs,
        without=tuple(fields.get("without", "").replace(",", " ").split()),
        gradient=fields.get("gradient", ""),
        seconds=float(fields.get("seconds", 10)),
        tolerance=float(fields.get("tolerance", 1e-4)),
    )


def _misconception(
    named: str, lines: list[str], solution: str, name: str, first: int
) -> Misconception:
    """A misconception from the lines of its cell, the first of which has the number `first`."""
    where = f"{name}, line {first - 1}"
    says = list(itertools.takewhile(lambda x: x[:1] == "#" and not _EDIT.fullmatch(x), lines))
    rest = lines[len(says) :]
    if not says or not says[0].startswith("# says: "):
        raise SourceError(f"{where}: the misconception has no line “# says: ...”")
    text = " ".join(re.sub(r"^# ?(says: )?", "", line).strip() for line in says).strip()
    is_whole = not (rest and rest[0].startswith("#"))
    code = "\n".join(rest).strip("\n") + "\n"
    if not is_whole:
        code = _edited(solution, _edits(rest, name, first + len(says)), name)
    elif not code.strip():
        raise SourceError(f"{where}: the misconception has neither edits nor a function")
    return Misconception(named, text, code, is_whole)


def _choices(text: str, solution: str, where: str) -> tuple[Choice, ...]:
    """What a cell says of fragments of the solution: `old` or `old` => `new`, and more: why."""
    choices: list[Choice] = []
    for item in re.split(r"^- ", text, flags=re.M)[1:]:
        named, at, end = [], 0, ""
        while end != ":" and (match := _CHOICE.match(item, at)):
            named.append((match[1], match[2]))
            at, end = match.end(), match[3]
        if end != ":" or any(old not in solution for old, _ in named):
            raise SourceError(f"{where}: no free choice of the solution: “{item.strip()}”")
        choices += [Choice(old, new, " ".join(item[at:].split())) for old, new in named]
    return tuple(choices)


def _edits(lines: list[str], name: str, first: int) -> list[_Edit]:
    """The edits that stand in some lines, the first of which has the number `first`."""
    edits: list[_Edit] = []
    before = ""
    for number, line in enumerate(lines, start=first):
        match = _EDIT.fullmatch(line)
        sign = match[1] or "=" if match else ""
        if match and sign == "=":
            edits.append(_Edit(number, [match[3]], [match[4]], within=True))
        elif match and sign == "-" and before == "-":
            edits[-1].old.append(match[2])
        elif match and sign == "-":
            edits.append(_Edit(number, [match[2]], []))
        elif match and before in ("-", "+"):
            edits[-1].new.append(match[2])
        elif match or line.strip("# "):
            said = "“# +” follows no “# -”" if match else f"no edit: “{line.strip()}”"
            raise SourceError(f"{name}, line {number}: {said}")
        before = sign
    return edits


def _edited(solution: str, edits: list[_Edit], name: str) -> str:
    """The solution with some edits.

    Raises:
        SourceError: if what an edit replaces is not there exactly once, or nothing changes.
    """
    spans = []
    for edit in edits:
        where = f"{name}, line {edit.line}"
        found = edit.places(solution)
        if len(found) != 1:
            many = f"{len(found)} times" if found else "nowhere"
            raise SourceError(f"{where}: “{edit.old[0].strip()}” stands {many} in the solution")
        start, end, text = found[0]
        if text == solution[start:end]:
            raise SourceError(f"{where}: the edit changes nothing")
        spans.append((start, end, text, where))
    spans.sort(reverse=True)
    code, last = solution, len(solution)
    for start, end, text, where in spans:
        if end > last:
            raise SourceError(f"{where}: two edits replace the same")
        code, last = code[:start] + text + code[end:], start
    return code


def _complete(exercises: ExerciseSet) -> None:
    """Raise `SourceError` for whatever a set must have and this one has not."""
    if not exercises.intro.startswith("# ") or not exercises.tasks:
        raise SourceError(f"{exercises.name}: a title in a [markdown] cell, and tasks, are needed")
    for task in exercises.tasks:
        where = f"{exercises.name}, task {task.id}"
        lacking = [
            what
            for what, there in {
                "stub": task.cell,
                "check": task.check,
                "another right solution": task.alternative,
                "explanation": task.explanation,
                "hint": task.hints,
                "three misconceptions": len(task.misconceptions) >= 3,
                "text": task.text,
            }.items()
            if not there
        ]
        if lacking:
            raise SourceError(f"{where}: there is no {', no '.join(lacking)}")
        names = [m.name for m in task.misconceptions]
        if len(set(names)) < len(names) or len({m.says for m in task.misconceptions}) < len(names):
            raise SourceError(f"{where}: two misconceptions have the same name or message")
        _ = task.stub, task.solution
    ids = [task.id for task in exercises.tasks]
    if len(set(ids)) < len(ids):
        raise SourceError(f"{exercises.name}: two tasks have the same id")


@cache
def load(name: str) -> ExerciseSet:
    """A set by name.

    Raises:
        SourceError: if its source is not in the format.
    """
    path = file_of(name)
    return READERS[path.suffix](path)


def _read_source(path: Path) -> ExerciseSet:
    return parse(path.read_text(encoding="utf-8"), path.stem)


# What a set is read from; `calls` adds the form in which sets are handed out.
READERS: dict[str, Callable[[Path], ExerciseSet]] = {".py": _read_source}


def file_of(name: str) -> Path:
    """Where a set is read from: its source, or what was made of it to be handed out."""
    path = SOURCES / f"{name}.py"
    return path if path.exists() else path.with_suffix(".pack")


def names() -> list[str]:
    """All sets, in the order of the chapters, the capstone last."""
    found: list[str] = []
    for pattern in ("ch[0-9][0-9]-*.*", "capstone-*.*"):
        files = SOURCES.glob(pattern)
        found += sorted({path.stem for path in files if path.suffix in (".py", ".pack")})
    return found


def all_tasks() -> dict[str, Task]:
    """Every task of the course by its id, in order."""
    return {task.id: task for name in names() for task in load(name).tasks}


def find_task(task_id: str | float) -> Task:
    """A task by its id, as one types it: "5.1", " 5.1. ", "task 5.1", 5.1.

    Raises:
        ValueError: if there is none; the message says which it may be.
    """
    tasks = all_tasks()
    typed = str(task_id).strip()
    wanted = re.sub(r"^task\s*|[\s.]+$", "", typed, flags=re.I).replace(",", ".").strip()
    wanted = wanted.upper()
    if wanted in tasks:
        return tasks[wanted]
    near = difflib.get_close_matches(wanted, tasks, n=3, cutoff=0.6)
    said = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(tasks)}"
    raise ValueError(f"there is no task {typed}: {said}")
