"""Solutions broken by a machine: each one must fail, or a rule that a text states is not tried.

    python -m exercises mutants ch05-attention

A mutant is a solution with one small change between its markers: another comparison, a constant or
a bound off by one, another axis, a sign, a line left out. One that passes under any seed survives.
Then an input is lacking; or the change is none, and stands in the source with its reason, in a cell
`# %% free choices`:

    # - `lr=0.02`: any rate that trains is right
    # - `x <= y` => `x < y`: they are never equal

A fragment of one line may be changed in any way; with an arrow it is that change alone. Several
fragments with one reason stand in a row, with commas between them.
"""

from __future__ import annotations

import ast
import itertools
import re
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from exercises.grader.gates import SEEDS
from exercises.learner.judging import Bench, forbidden
from exercises.learner.source import Choice, ExerciseSet, Task

Change = tuple[int, int, str]  # from, to, what comes there

_SWAPS = {"<": "<=", ">": ">=", "==": "!=", "in": "not in", "is": "is not", "and": "or", "&": "|"}
_SWAPS |= {new: old for old, new in _SWAPS.items()}
_SWAPS |= {"+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "%": "//", "**": "*", "@": "*"}
_NAMES = {"max": "min", "amax": "amin", "argmax": "argmin", "sum": "mean", "tril": "triu"}
_NAMES |= {new: old for old, new in _NAMES.items()}
_OPERATOR = re.compile(r"(?<!\w)(?:not in|is not|in|is|and|or)(?!\w)|[<>=!]=|//|\*\*|[-+*/%@&|<>]")


@dataclass(frozen=True)
class Mutant:
    """A solution with one change: what stands from `start` to `end` of it has become `new`."""

    start: int
    end: int
    new: str
    code: str
    line: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"line {self.line}: `{self.before}` => `{self.after or 'pass'}`"


def mutants(task: Task) -> list[Mutant]:
    """Every mutant of a task's solution, from its first line to its last, none twice."""
    code, written = task.solution, _written(task)
    found: dict[str, Mutant] = {}
    for start, end, new in sorted(set(_Changes(code).all())):
        line = code.count("\n", 0, start)
        text = code[:start] + new + code[end:]
        if not written[line] or code[start:end] == new or text in found:
            continue
        try:
            compile(text, "<mutant>", "exec")
        except SyntaxError:
            continue
        lines = code.splitlines()[line].strip(), text.splitlines()[line].strip()
        found[text] = Mutant(start, end, new, text, line + 1, *lines)
    return list(found.values())


def _written(task: Task) -> list[bool]:
    """Whether each line of the solution stands between its markers."""
    lines, inside = [], ""
    for line in task.cell.splitlines():
        if mark := re.fullmatch(r"\s*# (BEGIN|END) (SOLUTION|STUB)\s*", line):
            inside = mark[2] if mark[1] == "BEGIN" else ""
        elif inside != "STUB":
            lines.append(inside == "SOLUTION")
    return lines


class _Changes:
    """The small changes of some code."""

    def __init__(self, code: str) -> None:
        self.code = code
        self._lines = code.splitlines(keepends=True)

    def all(self) -> Iterator[Change]:
        """Each of them, some more than once."""
        for node in ast.walk(ast.parse(self.code)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for statement in node.body[ast.get_docstring(node) is not None :]:
                    yield from self._of(statement)

    def _of(self, node: ast.AST) -> Iterator[Change]:
        """The changes of a node and of all below it."""
        if isinstance(node, ast.JoinedStr | ast.FunctionDef | ast.arguments):
            return  # what stands in a text; a function within has its own turn
        if isinstance(node, ast.keyword) and node.arg in ("dtype", "strict"):
            return  # of no effect, or of none but on other inputs
        changed = getattr(self, f"_{type(node).__name__}", None)
        whole = None if changed is None else list(changed(node))
        yield from whole or []
        if not (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)):
            for child in ast.iter_child_nodes(node):
                if not (isinstance(node, ast.AnnAssign) and child is node.annotation):
                    yield from self._of(child)

    def _at(self, line: int, column: int) -> int:
        head = self._lines[line - 1].encode()[:column].decode()
        return sum(map(len, self._lines[: line - 1])) + len(head)

    def _span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._at(node.lineno, node.col_offset), self._at(
            node.end_lineno, node.end_col_offset
        )

    def _text(self, node: ast.expr) -> str:
        start, end = self._span(node)
        return self.code[start:end]

    def _operator(self, left: ast.expr, right: ast.expr) -> Iterator[Change]:
        """Another operator between two expressions."""
        start, end = self._span(left)[1], self._span(right)[0]
        match = _OPERATOR.search(self.code, start, end)
        if match and match[0] in _SWAPS:
            yield match.start(), match.end(), _SWAPS[match[0]]

    def _Compare(self, node: ast.Compare) -> Iterator[Change]:
        sides = [node.left, *node.comparators]
        for left, right in itertools.pairwise(sides):
            yield from self._operator(left, right)

    def _BinOp(self, node: ast.BinOp) -> Iterator[Change]:
        yield from self._operator(node.left, node.right)

    def _BoolOp(self, node: ast.BoolOp) -> Iterator[Change]:
        yield from self._operator(*node.values[:2])

    def _UnaryOp(self, node: ast.UnaryOp) -> Iterator[Change]:
        start, end = self._span(node)
        if not isinstance(node.operand, ast.Constant):
            yield start, end, self._text(node.operand)  # the sign, `~` or `not` is gone
        elif type(node.operand.value) is int:
            value = node.operand.value
            yield start, end, str(-value - 1 if value == 1 else 1 - value)

    def _Constant(self, node: ast.Constant) -> Iterator[Change]:
        start, end = self._span(node)
        value = node.value
        if isinstance(value, bool):
            yield start, end, str(not value)
        elif isinstance(value, int):
            step = 1 if value < 100 else value // 2  # of 10,000 one more would hardly be seen
            yield start, end, str(value + step)
            if value > 1:
                yield start, end, str(value - step)
        elif isinstance(value, float):
            yield start, end, str(2 * value or 1.0)

    def _keyword(self, node: ast.keyword) -> Iterator[Change]:
        start, end = self._span(node)
        value = node.value
        if node.arg in ("dim", "axis") and isinstance(value, ast.Constant):
            yield start, end, f"{node.arg}={1 if value.value == 0 else 0}"
        elif node.arg and not isinstance(value, ast.Constant):
            comma = re.search(r",\s*$", self.code[:start])
            after = re.match(r",\s*", self.code[end:])
            if comma or not after:
                yield comma.start() if comma else start, end, ""
            else:
                yield start, end + after.end(), ""

    def _Call(self, node: ast.Call) -> Iterator[Change]:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else self._text(function)
        end = self._span(function)[1]
        if name in _NAMES:
            yield end - len(name), end, _NAMES[name]
        if name == "range":
            bound = node.args[min(1, len(node.args) - 1)]
            yield self._less(bound, "-")

    def _less(self, bound: ast.expr, sign: str) -> Change:
        return *self._span(bound), f"{self._text(bound)} {sign} 1"

    def _Slice(self, node: ast.Slice) -> Iterator[Change]:
        for bound, sign in ((node.lower, "+"), (node.upper, "-")):
            if isinstance(bound, ast.Name | ast.Attribute | ast.Call | ast.BinOp):
                yield self._less(bound, sign)

    def _comprehension(self, node: ast.comprehension) -> Iterator[Change]:
        for test in node.ifs:
            yield *self._span(test), "True"

    def _If(self, node: ast.If | ast.IfExp | ast.While) -> Iterator[Change]:
        if isinstance(node.test, ast.Name | ast.Call | ast.Attribute | ast.Subscript):
            yield *self._span(node.test), f"not {self._text(node.test)}"
        if isinstance(node, ast.If):
            yield *self._span(node), "pass"

    _IfExp = _While = _If

    def _dropped(self, node: ast.stmt) -> Iterator[Change]:
        yield *self._span(node), "pass"

    _Assign = _AnnAssign = _Expr = _Delete = _Continue = _Break = _Assert = _dropped

    def _AugAssign(self, node: ast.AugAssign) -> Iterator[Change]:
        yield from self._dropped(node)
        yield from self._operator(node.target, node.value)


# --- which of them pass -------------------------------------------------------------------------


def is_free(choice: Choice, mutant: Mutant, solution: str) -> bool:
    """Whether what a mutant changes is up to the learner."""
    if choice.new is not None:
        changed = (mutant.before.replace(choice.old, choice.new, 1), mutant.after)
        return choice.old in mutant.before and changed[0] == changed[1]
    spans = (m.span() for m in re.finditer(re.escape(choice.old), solution))
    return any(start <= mutant.start and mutant.end <= end for start, end in spans)


class _TooLong(BaseException):
    """No `Exception`, so that neither a mutant nor its bench catches it."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _passes(bench: Bench, code: str, seconds: float) -> bool:
    try:
        with _at_most(seconds), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return not bench.wrong(bench.results_of(code))
    except _TooLong:
        return False
    except Exception:  # it does not even define its function
        return False


def survivors(task: Task, seeds: tuple[str, ...] = SEEDS, every: int = 1) -> list[str]:
    """The mutants of a task that pass under some seed though no free choice; a line for each.

    Args:
        task: which task.
        seeds: what the inputs are drawn from, one after the other.
        every: run each so many-th mutant only.
    """
    tried = [m for m in mutants(task) if not forbidden(task, m.code)]
    found = []
    for choice in task.choices:
        if not any(is_free(choice, mutant, task.solution) for mutant in tried):
            found.append(f"{task.id}: the free choice `{choice.old}` excuses no mutant")
    tried = [m for m in tried if not any(is_free(c, m, task.solution) for c in task.choices)]
    alive: dict[str, list[str]] = {}
    for seed in seeds:
        bench = Bench(task, seed, small=True)
        started = time.perf_counter()
        bench.results_of(task.solution)  # also where secrets decide: for the time it takes
        seconds = 0.4 + 6 * (time.perf_counter() - started)
        for mutant in tried[::every]:
            if _passes(bench, mutant.code, seconds):
                alive.setdefault(str(mutant), []).append(seed)
    found += [f"{task.id}, {mutant} ({', '.join(seeds)})" for mutant, seeds in alive.items()]
    return found


def report(exercises: ExerciseSet, every: int = 1) -> list[str]:
    """The surviving mutants of a set."""
    return [line for task in exercises.tasks for line in survivors(task, every=every)]
