"""What a learner's results say: right, or which mistake they look like.

Everything here runs in the parent. A task's `check` cell draws inputs, its solution and its
misconceptions are run on them, and a learner's results, which are plain data by then, are
compared with all of these: whoever is wrong exactly as a known wrong solution is wrong hears what
that mistake is called. A task whose right results differ from run to run brings a `judge`.
"""

from __future__ import annotations

import copy
import hashlib
import html
import io
import math
import string
import tokenize
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from exercises.child import call, default_run, define, pack, unpack
from exercises.source import Task

PUBLIC_SEED = "public"  # what `check` draws from; a class is graded from a seed of its own


@dataclass(frozen=True)
class Verdict:
    """passed; what to say; the name of the misconception, if it is one; expected beside got."""

    passed: bool
    message: str
    mistake: str | None = None
    table: str = ""  # HTML


def plain(value: Any) -> Any:
    """A value as it arrives from a child, so that `check` and the grader see the same."""
    return unpack(pack(value))


def seeded(seed: str | bytes, task_id: str) -> np.random.Generator:
    """The draws of one task from a seed: the same for the same seed, others for another task."""
    key = seed if isinstance(seed, bytes) else seed.encode()
    digest = hashlib.sha256(key + b"\0" + task_id.encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))


class Bench:
    """A task with inputs drawn from one seed: runs code on them, and judges results.

    Args:
        task: which task.
        seed: what its inputs are drawn from.
    """

    def __init__(self, task: Task, seed: str | bytes = PUBLIC_SEED) -> None:
        self.task = task
        self._check = self._namespace()
        define(task.check, f"<check of {task.id}>", self._check)
        drawn = list(self._check["cases"](seeded(seed, task.id)))
        # A case with a secret is a pair: the answers to fresh questions stay in the parent.
        pairs = [one if isinstance(one, tuple) else (one, None) for one in drawn]
        self.cases: list[dict[str, Any]] = [plain(case) for case, _ in pairs]
        self._secrets = [plain(secret) for _, secret in pairs]
        self._behaviours: dict[str, list[dict[str, Any]]] = {}

    def _namespace(self) -> dict[str, Any]:
        namespace: dict[str, Any] = {"__name__": f"task {self.task.id}"}
        define(self.task.setup, f"<setup of {self.task.set_name}>", namespace)
        return namespace

    @cached_property
    def run(self) -> Callable[[Any, dict[str, Any]], Any]:
        """How the function is called on a case."""
        namespace = self._namespace()
        define(self.task.run, f"<run of {self.task.id}>", namespace)
        return namespace.get("run", default_run)

    def results(self, function: Any, sources: dict[str, str]) -> list[dict[str, Any]]:
        """What a function gives for each case, in this process: a learner's own kernel."""
        return [self._one(function, case, sources) for case in self.cases]

    def _one(self, function: Any, case: dict[str, Any], sources: dict[str, str]) -> dict[str, Any]:
        result = call(self.run, function, copy.deepcopy(case), sources)
        try:
            return plain(result)
        except TypeError as error:
            return {"error": {"kind": "TypeError", "message": str(error), "line": ""}}

    def results_of(self, code: str) -> list[dict[str, Any]]:
        """What the course's own code gives for each case; computed once."""
        if code not in self._behaviours:
            namespace = self._namespace()
            define(code, "<code>", namespace)
            function = namespace[self.task.function]
            self._behaviours[code] = self.results(function, {"<code>": code})
        return self._behaviours[code]

    @cached_property
    def expected(self) -> list[Any]:
        """What each case is judged by: its secret, or else the solution's value.

        Raises:
            RuntimeError: if the solution fails on an input: the task is broken.
        """
        if all(secret is not None for secret in self._secrets):
            return self._secrets
        values = []
        for result in self.results_of(self.task.solution):
            if "error" in result:
                raise RuntimeError(f"the solution of {self.task.id} fails: {result['error']}")
            values.append(result["value"])
        return values

    def verdict(self, results: list[dict[str, Any]]) -> Verdict:
        """Judge one result a case.

        Args:
            results: {"value": ...} or {"error": {"kind", "message", "line"}} for each case.
        """
        if len(results) != len(self.cases):
            return Verdict(False, "There is not one result for each input.")
        stub = [r["error"] for r in results if "error" in r]
        if stub and stub[0]["kind"] == "NotImplementedError":
            return Verdict(
                False, f"Task {self.task.id} is still as it was: nothing is written yet."
            )
        judge = self._check.get("judge")
        wrong = []
        for index, (case, want, result) in enumerate(
            zip(self.cases, self.expected, results, strict=True)
        ):
            if "error" in result:
                said: str | None = ""
            elif judge is not None:
                try:
                    said = judge(copy.deepcopy(case), result["value"], copy.deepcopy(want))
                except Exception:  # a value of a form that the judge did not think of
                    said = _shape_of_problem(result["value"], want) or (
                        "Your result does not have the form that the task asks for."
                    )
            else:
                said = None if same(result["value"], want, self.task.tolerance) else ""
            if said is not None:
                wrong.append((index, said))
        if not wrong:
            return Verdict(True, "Passed.")
        return self._diagnosis(results, wrong)

    def _diagnosis(self, results: list[dict[str, Any]], wrong: list[tuple[int, str]]) -> Verdict:
        index, said = wrong[0]
        result = results[index]
        for misconception in self.task.misconceptions:
            if said == misconception.name:
                return self._mistaken(misconception.name, misconception.says, index, result)
        if said:
            return Verdict(False, said, table=self._table(index, result))
        for misconception in self.task.misconceptions:
            behaves = self.results_of(misconception.code)
            if all(alike(results[i], behaves[i], self.task.tolerance) for i, _ in wrong):
                return self._mistaken(misconception.name, misconception.says, index, result)
        if "error" in result:
            error = result["error"]
            where = f" in the line `{error['line']}`" if error["line"] else ""
            return Verdict(False, f"Your code stops{where}: {error['kind']}: {error['message']}")
        problem = _shape_of_problem(result["value"], self.expected[index])
        message = problem or "the values are not those expected; this mistake is none that I know."
        given = _in_words(self.cases[index])
        message = f"With {given}: {message}" if given else message[0].upper() + message[1:]
        return Verdict(False, message, table=self._table(index, result))

    def _mistaken(self, name: str, says: str, index: int, result: dict[str, Any]) -> Verdict:
        numbers = self._check.get("numbers")
        fields: dict[str, Any] = {}
        if numbers is not None and "value" in result:
            try:
                fields = numbers(
                    copy.deepcopy(self.cases[index]), result["value"], self.expected[index]
                )
            except Exception:  # a form the author did not think of: say it without the numbers
                fields = {}
        return Verdict(False, _filled(says, fields), name, self._table(index, result))

    def _table(self, index: int, result: dict[str, Any]) -> str:
        if "value" not in result or "judge" in self._check:
            return ""
        return side_by_side(self.expected[index], result["value"], self.task.tolerance)


class _Lenient(string.Formatter):
    """Fills in what is known and leaves an ellipsis for what is not."""

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        return kwargs.get(key, "…") if isinstance(key, str) else "…"

    def format_field(self, value: Any, format_spec: str) -> str:
        try:
            return super().format_field(value, format_spec)
        except (ValueError, TypeError):
            return str(value)


def _filled(says: str, fields: dict[str, Any]) -> str:
    return _Lenient().vformat(says, (), fields)


# --- comparing ----------------------------------------------------------------------------------


def _array(value: Any) -> np.ndarray | None:
    """Arrays and tensors as an array; None for anything else."""
    if type(value).__module__.startswith("torch"):
        return value.numpy()
    return value if isinstance(value, np.ndarray) else None


def same(got: Any, want: Any, tolerance: float) -> bool:
    """Whether two plain values are equal: whole numbers exactly, floats within the tolerance.

    A tuple may stand for a list, an array for a tensor, a number for an array without axes. NaN
    equals nothing but NaN.
    """
    left, right = _array(got), _array(want)
    if left is not None or right is not None:
        if left is None:
            if not isinstance(got, bool | int | float) or right is None or right.ndim:
                return False
            left = np.asarray(got)
        elif right is None:
            if not isinstance(want, bool | int | float) or left.ndim:
                return False
            right = np.asarray(want)
        if left.shape != right.shape or (left.dtype.kind == "b") != (right.dtype.kind == "b"):
            return False
        if left.dtype.kind in "biu" and right.dtype.kind in "biu":
            return bool((left == right).all())
        return bool(
            np.allclose(
                left.astype(float), right.astype(float), tolerance, tolerance, equal_nan=True
            )
        )
    if isinstance(got, list | tuple) and isinstance(want, list | tuple):
        return len(got) == len(want) and all(
            same(a, b, tolerance) for a, b in zip(got, want, strict=True)
        )
    if isinstance(got, dict) and isinstance(want, dict):
        return got.keys() == want.keys() and all(same(got[k], want[k], tolerance) for k in want)
    if isinstance(got, bool) or isinstance(want, bool):
        return got is want
    if isinstance(got, int | float) and isinstance(want, int | float):
        if isinstance(got, int) and isinstance(want, int):
            return got == want
        if math.isnan(got) and math.isnan(want):
            return True
        return math.isclose(got, want, rel_tol=tolerance, abs_tol=tolerance)
    return type(got) is type(want) and got == want


def alike(one: dict[str, Any], other: dict[str, Any], tolerance: float) -> bool:
    """Whether two results are the same value, or the same error."""
    if "error" in one or "error" in other:
        left, right = one.get("error", {}), other.get("error", {})
        return all(left.get(key) == right.get(key) for key in ("kind", "message"))
    return same(one["value"], other["value"], tolerance)


def _name(value: Any) -> str:
    array = _array(value)
    if array is not None:
        return f"{tuple(array.shape)} of {array.dtype}"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    return {"NoneType": "None (is there a `return`?)"}.get(
        type(value).__name__, f"a value of type {type(value).__name__}"
    )


def _in_words(case: dict[str, Any]) -> str:
    """The inputs as one would write them in a call; nothing where that would be long."""
    if any(_array(value) is not None for value in case.values()):
        return ""
    text = ", ".join(f"{name}={value!r}" for name, value in case.items())
    return f"`{text}`" if text and len(text) <= 120 and "`" not in text else ""


def _shape_of_problem(got: Any, want: Any, place: str = "") -> str:
    """One sentence if already the form is wrong, or there is NaN; else nothing."""
    here = f"{place}: " if place else ""
    left, right = _array(got), _array(want)
    if left is not None and left.ndim == 0 and right is None:
        got, left = left.item(), None  # a number may come as an array without axes
    if left is not None and right is not None:
        if left.shape != right.shape:
            return f"{here}your shape is {tuple(left.shape)}, expected is {tuple(right.shape)}."
        if (left.dtype.kind == "b") != (right.dtype.kind == "b"):
            return f"{here}your values are {left.dtype}, expected are {right.dtype}."
        if left.dtype.kind == "f" and np.isnan(left).any() and not np.isnan(right).any():
            share = np.isnan(left).mean()
            return f"{here}{share:.0%} of your values are NaN (a division by zero? log of zero?)."
        return ""
    if isinstance(got, list | tuple) and isinstance(want, list | tuple):
        if len(got) != len(want):
            return f"{here}you return {len(got)} values, expected are {len(want)}."
        pairs = enumerate(zip(got, want, strict=True))
        found = (_shape_of_problem(a, b, f"{place or 'value'} {i}") for i, (a, b) in pairs)
        return next((text for text in found if text), "")
    if isinstance(got, dict) and isinstance(want, dict):
        if got.keys() != want.keys():
            return f"{here}your keys are {sorted(map(str, got))}, not {sorted(map(str, want))}."
        found = (_shape_of_problem(got[k], want[k], f"`{k}`") for k in want)
        return next((text for text in found if text), "")
    numbers = bool | int | float
    if isinstance(got, numbers) and isinstance(want, numbers):
        return f"{here}you have {got}, expected is {want}." if got != want else ""
    if isinstance(got, str) and isinstance(want, str):
        return f"{here}you have {got!r}, expected is {want!r}." if got != want else ""
    if type(got) is not type(want):
        return f"{here}you return {_name(got)}, expected is {_name(want)}."
    return ""


# --- expected beside got ------------------------------------------------------------------------


def side_by_side(want: Any, got: Any, tolerance: float) -> str:
    """Two small arrays, or the first corners of large ones, beside each other as HTML.

    Where they differ the cell of `got` is framed; empty for what is no array of numbers.
    """
    if isinstance(want, list | tuple) and isinstance(got, list | tuple) and len(want) == len(got):
        pairs = list(zip(want, got, strict=True))
        differing = [(a, b) for a, b in pairs if not same(b, a, tolerance)]
        if not differing or all(_array(a) is None for a, _ in pairs):
            differing = [(np.asarray(want), np.asarray(got))] if _numbers(want, got) else []
        if not differing:
            return ""
        want, got = differing[0]
    right, left = _array(want), _array(got)
    if right is None or left is None or right.ndim == 0 or right.shape != left.shape:
        return ""
    wrong = ~np.isclose(left.astype(float), right.astype(float), tolerance, tolerance)
    if not wrong.any():
        return ""
    index = np.unravel_index(int(wrong.argmax()), wrong.shape)
    lead = index[: max(right.ndim - 2, 0)]  # the matrix that holds the first difference
    matrices = [np.atleast_2d(one[lead]) for one in (right, left, wrong)]
    row = max(0, min(int(index[-2]) - 3 if right.ndim > 1 else 0, matrices[0].shape[0] - 6))
    column = max(0, min(int(index[-1]) - 3, matrices[0].shape[1] - 6))
    corner = [one[row : row + 6, column : column + 6] for one in matrices]
    place = f" of [{', '.join(map(str, map(int, lead)))}]" if lead else ""
    shown = f"rows {row} to {row + len(corner[0]) - 1}, columns from {column}{place}"
    head = "<tr><th>expected</th><th>yours</th></tr>"
    body = f"<tr><td>{_grid(corner[0])}</td><td>{_grid(corner[1], corner[2])}</td></tr>"
    return (
        f'<table class="follows-theme" style="border-collapse:collapse">{head}{body}</table>'
        f"<small>{html.escape(shown)}; framed: different</small>"
    )


def _numbers(want: Iterable[Any], got: Iterable[Any]) -> bool:
    return all(isinstance(x, int | float) for x in (*want, *got))


def _grid(values: np.ndarray, marked: np.ndarray | None = None) -> str:
    rows = []
    for i, line in enumerate(values):
        cells = []
        for j, value in enumerate(line):
            wrong = marked is not None and bool(marked[i, j])
            frame = "box-shadow:inset 0 0 0 2px #D55E00;" if wrong else ""
            text = f"{value:.3g}" if values.dtype.kind == "f" else str(value)
            cells.append(f'<td style="{frame}padding:3px 7px;text-align:right">{text}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table style="border-collapse:collapse">{"".join(rows)}</table>'


# --- the learner's own code ---------------------------------------------------------------------


def forbidden_import(task: Task, code: str) -> str:
    """One sentence if the answer leans on the package in a task that is to be written by hand."""
    if "minibert" in task.needs or "minilm" in task.needs:
        return ""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return ""
    if any(t.type == tokenize.NAME and t.string == "minibert" for t in tokens):
        return "This task is to be written without `minibert`: that is what it asks you to build."
    return ""
