"""What a learner's results say: right, or which mistake they look like.

Everything here runs in the parent. A task's `check` cell draws inputs, its solution and its
misconceptions are run on them, and a learner's results, which are plain data by then, are
compared with all of these: whoever is wrong exactly as a known wrong solution is wrong hears what
that mistake is called. A task whose right results differ from run to run brings a `judge`.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import re
import string
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from exercises.learner.comparing import (
    alike,
    difference,
    in_words,
    problem_of_form,
    right_parts,
    same,
    side_by_side,
)
from exercises.learner.gradients import problem, split
from exercises.learner.running import EMPTY, Run, call, default_run, define, describe, pack, unpack
from exercises.learner.source import Misconception, Task
from exercises.learner.withheld import WithheldError, withheld

PUBLIC_SEED = "public"  # what `check` draws from; a class is graded from a seed of its own


@dataclass(frozen=True)
class Verdict:
    """passed; what to say; the name of the misconception, if it is one; expected beside got.

    score: of a project that has a leaderboard.
    """

    passed: bool
    message: str
    mistake: str | None = None
    table: str = ""  # HTML
    score: float | None = None


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
        small: with little data where the task takes minutes, which is enough for the gates.
    """

    def __init__(self, task: Task, seed: str | bytes = PUBLIC_SEED, small: bool = False) -> None:
        self.task = task
        self._check = self._namespace()
        define(task.check, f"<check of {task.id}>", self._check)
        options = {"small": True} if small and task.is_long else {}
        drawn = list(self._check["cases"](seeded(seed, task.id), **options))
        # A case with a secret is a pair: the answers to fresh questions stay in the parent.
        pairs = [one if isinstance(one, tuple) else (one, None) for one in drawn]
        self.cases: list[dict[str, Any]] = [plain(case) for case, _ in pairs]
        self._secrets = [plain(secret) for _, secret in pairs]
        is_public = seed in (PUBLIC_SEED, PUBLIC_SEED.encode())
        if task.behaviours and not is_public:
            raise ValueError("without the sources of exercises only your own work can be graded")
        self._behaviours: dict[str, list[dict[str, Any]]] = dict(task.behaviours)

    def _namespace(self) -> dict[str, Any]:
        namespace: dict[str, Any] = {"__name__": f"task {self.task.id}"}
        define(self.task.setup, f"<setup of {self.task.set_name}>", namespace)
        return namespace

    @property
    def names_all(self) -> bool:
        """Whether the judge names every mistake, so that what they give need not be computed."""
        return self.task.is_long or bool(self._check.get("NAMES_ALL"))

    @cached_property
    def run(self) -> Run:
        """How the function is called on a case."""
        namespace = self._namespace()
        define(self.task.run, f"<run of {self.task.id}>", namespace)
        run: Run = namespace.get("host") or namespace.get("run", default_run)
        return run

    def results(
        self,
        function: Any,
        sources: dict[str, str],
        failed: Mapping[str, BaseException] = EMPTY,
    ) -> list[dict[str, Any]]:
        """What a function gives for each case, in this process: a learner's own kernel."""
        run = self.run  # the course's own: made before anything is withheld
        with withheld(self.task.withheld):
            came = [self._one(run, function, case, sources, failed) for case in self.cases]
        return self._parts(came)

    def _parts(self, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [split(one) for one in results] if self.task.gradient else results

    def _one(
        self,
        run: Run,
        function: Any,
        case: dict[str, Any],
        sources: dict[str, str],
        failed: Mapping[str, BaseException],
    ) -> dict[str, Any]:
        came = call(run, function, copy.deepcopy(case), lambda e: describe(e, sources, failed))
        try:
            result: dict[str, Any] = plain(came)
            return result
        except (TypeError, ValueError) as error:
            return {"error": {"kind": "TypeError", "message": str(error), "line": ""}}

    def results_of(self, code: str) -> list[dict[str, Any]]:
        """What the course's own code gives for each case; computed once."""
        if code not in self._behaviours:
            namespace, whole = self._namespace(), f"{self.task.before}\n{code}"
            define(whole, "<code>", namespace)
            function = namespace[self.task.function]
            with warnings.catch_warnings():  # what a mistake makes numpy say is no learner's
                warnings.simplefilter("ignore")
                self._behaviours[code] = self.results(function, {"<code>": whole})
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
        results = self._parts(results)
        stub = [r["error"] for r in results if "error" in r]
        if stub and stub[0]["kind"] == "NotImplementedError":
            return untouched(self.task)
        wrong = self.wrong(results)
        return self._diagnosis(results, wrong) if wrong else self._passed(results)

    def _passed(self, results: list[dict[str, Any]]) -> Verdict:
        if "score" not in self._check:
            return Verdict(True, "Passed.")
        score = float(self._check["score"](self.cases[-1], results[-1]["value"], self.expected[-1]))
        return Verdict(True, f"Passed. Your line on the leaderboard: {score:.1%}.", score=score)

    def first_wrong(self, function: Any) -> int:
        """The first case on which a function is wrong, or 0."""
        found = self.wrong(self.results(function, {}))
        return found[0][0] if found else 0

    def to_show(self, index: int) -> Any:
        """What is expected for a case; None where that is the answer itself, or one of many."""
        is_open = self.task.kind in ("write", "repair", "measure") and self.cases[index]
        is_secret = any(secret is not None for secret in self._secrets)
        return None if is_secret or "judge" in self._check or not is_open else self.expected[index]

    def wrong(self, results: list[dict[str, Any]]) -> list[tuple[int, str]]:
        """The cases on which results are wrong, each with what is to be said, if that is known."""
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
                    said = problem_of_form(result["value"], want, self.task.tolerance) or (
                        "Your result does not have the form that the task asks for."
                    )
            else:
                said = None if same(result["value"], want, self.task.tolerance) else ""
            if said is not None:
                wrong.append((index, said))
        if not wrong and self.task.gradient:
            both = zip(results, self.results_of(self.task.solution), strict=True)
            found = [problem(got, right, self.task.tolerance) for got, right in both]
            wrong = [(index, said) for index, said in enumerate(found) if said]
        return wrong

    def _diagnosis(self, results: list[dict[str, Any]], wrong: list[tuple[int, str]]) -> Verdict:
        index, said = wrong[0]
        result = results[index]
        for misconception in self.task.misconceptions:
            if said == misconception.name:
                return self._mistaken(misconception.name, misconception.says, index, result)
        if said:
            return Verdict(False, said, table=self._table(index, result))
        looks_like = None
        if not self.names_all:
            looks_like = self._looks_like(results, {i for i, _ in wrong})
        if looks_like is None and "value" in result and "family" in self._check:
            looks_like = self._of_a_family(index, result["value"])
        if looks_like is not None:
            return self._mistaken(looks_like.name, looks_like.says, index, result)
        if "error" in result:
            return Verdict(False, _stopped(result["error"]))
        got, want = result["value"], self.expected[index]
        place = "result" if self.task.is_called_plainly else ""
        problem = problem_of_form(got, want, self.task.tolerance, place)
        message = problem or difference(got, want, self.task.tolerance, place)
        message = message or "the values are not those expected; this mistake is none that I know."
        if self.task.is_called_plainly:
            right = right_parts(got, want, self.task.tolerance)
            message = right + message[0].upper() + message[1:] if right else message
        given = in_words(self.cases[index], self.task.arguments)
        message = f"With {given}: {message}" if given else message[0].upper() + message[1:]
        return Verdict(False, message, table=self._table(index, result))

    def _looks_like(self, results: list[dict[str, Any]], wrong: set[int]) -> Misconception | None:
        """The first misconception with all of these results, or else with those that are wrong.

        One wrong result may agree by chance where right ones speak against the mistake.
        """
        partly = None
        for misconception in self.task.misconceptions:
            both = zip(results, self.results_of(misconception.code), strict=True)
            agrees = {i for i, (x, y) in enumerate(both) if alike(x, y, self.task.tolerance)}
            if len(agrees) == len(results):
                return misconception
            if agrees >= wrong and len(wrong) > 1 and partly is None:
                partly = misconception
        return partly

    def _of_a_family(self, index: int, got: Any) -> Misconception | None:
        """The misconception that the check cell's `family` names for a result, if it names one."""
        try:
            name = self._check["family"](
                copy.deepcopy(self.cases[index]), got, copy.deepcopy(self.expected[index])
            )
        except Exception:  # a form that the author did not think of
            return None
        return next((m for m in self.task.misconceptions if m.name == name), None)

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


def _stopped(error: dict[str, Any]) -> str:
    """What an error says, and whether it arose in the learner's code or behind it."""
    said = f"{error['kind']}: {error['message']}"
    if error["kind"] == WithheldError.__name__:
        return str(error["message"])
    if error["line"]:
        return f"Your code stops in the line `{error['line']}`: {said}"
    if error["message"].startswith("returned "):
        return f"Your code runs, but it {error['message']}."
    if error["kind"] == "TypeError" and "()" in error["message"]:
        return f"Your function cannot be called as the task says: {said}"
    return f"The check cannot go on with what your function returns: {said}. Is its form right?"


def undefined(error: dict[str, Any]) -> Verdict:
    """The verdict on code that stops before its function is called."""
    if error["kind"] == WithheldError.__name__:
        return Verdict(False, error["message"])
    where = f" in the line `{error['line']}`" if error["line"] else ""
    return Verdict(False, f"Your code stops{where}: {error['kind']}: {error['message']}")


class _Lenient(string.Formatter):
    """Fills in what is known and leaves an ellipsis for what is not."""

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        return kwargs.get(key, "…") if isinstance(key, str) else "…"

    def format_field(self, value: Any, format_spec: str) -> str:
        try:
            formatted: str = super().format_field(value, format_spec)
            return formatted
        except (ValueError, TypeError):
            return str(value)


def _filled(says: str, fields: dict[str, Any]) -> str:
    return _Lenient().vformat(says, (), fields)


def is_untouched(task: Task, code: str) -> bool:
    """Whether an answer is still the stub that was handed out."""

    def words(text: str) -> str:
        return re.sub(r"\s+", " ", re.sub(r"#.*", "", text)).strip()

    return bool(code) and words(code) in words(task.stub)


def untouched(task: Task) -> Verdict:
    """The verdict on a task that nobody has begun."""
    return Verdict(False, f"Task {task.id} is still as it was: nothing is written yet.")


def symptom(verdict: Verdict) -> Verdict:
    """What the verdict on an untouched repair shows, without what it says of the cause."""
    first = re.match(r".+?[.?!](?= |$)", verdict.message, re.S)
    said = f"This is still what you were given. {first[0] if first else verdict.message}"
    return replace(verdict, message=said)


def forbidden(task: Task, code: str) -> str:
    """One sentence if the answer leans on what the task asks to build."""
    try:
        used = _names(ast.parse(code)) & task.withheld
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return str(WithheldError(min(used))) if used else ""


def _names(tree: ast.Module) -> set[str]:
    """What a piece of code calls upon: names, attributes, imports, and texts that may be names."""
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {"*"}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found |= {node.id} - own
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            # One line may import much for many tasks: what counts is what is then called upon.
            paths = [getattr(node, "module", None) or ""]
            paths += [a.name for a in node.names if (a.asname or a.name).split(".")[0] in called]
            found |= {part for path in paths for part in path.split(".")}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(node.value.split("."))
    return found
