"""Whether two plain values are the same, what is wrong with the form of one, and both side by side.

Values are as `running` makes them: numbers, strings, lists, dictionaries, arrays and tensors.
"""

from __future__ import annotations

import html
import math
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from exercises.learner.running import Array


def _array(value: Any) -> Array | None:
    """Arrays and tensors as an array; None for anything else."""
    if type(value).__module__.startswith("torch"):
        value = value.numpy()
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


def _short(number: float) -> str:
    return f"{number:.6g}" if isinstance(number, float) else str(number)


def in_words(case: dict[str, Any], names: Collection[str]) -> str:
    """The inputs of these names as one would write them in a call, except arrays, if not long."""
    plain = {k: v for k, v in case.items() if k in names and _is_short(v)}
    text = ", ".join(f"{name}={value!r}" for name, value in plain.items())
    return f"`{text}`" if text and len(text) <= 120 and "`" not in text else ""


def _is_short(value: Any) -> bool:
    return _array(value) is None and "array(" not in (text := repr(value)) and "tensor(" not in text


def in_short(value: Any) -> str:
    """A value in one line: itself where it is short, else its form."""
    array = _array(value)
    if array is not None and array.size > 12:
        return f"{tuple(array.shape)} of {array.dtype}"
    text = " ".join(repr(value).split())
    return f"`{text}`" if len(text) <= 160 and "`" not in text else _name(value)


def right_parts(got: Any, want: Any, tolerance: float) -> str:
    """Which parts of a tuple or a dictionary are right, if some are."""
    if isinstance(got, tuple) and isinstance(want, tuple | list) and len(got) == len(want):
        right = [f"`result[{i}]`" for i, x in enumerate(got) if same(x, want[i], tolerance)]
    elif isinstance(got, dict) and isinstance(want, dict):
        right = [f"`{k}`" for k in want if k in got and same(got[k], want[k], tolerance)]
    else:
        right = []
    verb = "is" if len(right) == 1 else "are"
    return f"{' and '.join(right)} {verb} right. " if right and len(right) < len(want) else ""


def problem_of_form(got: Any, want: Any, tolerance: float, place: str = "") -> str:
    """One sentence if already the form is wrong, or there is NaN; else nothing.

    Args:
        got: a learner's value.
        want: the right one.
        tolerance: of floats; what is right within it has no problem.
        place: how to call the value, `result[1]`; empty if it is none of the learner's own.
    """
    if same(got, want, tolerance):
        return ""
    here = f"`{place}`: " if "[" in place else ""
    left, right = _array(got), _array(want)
    if left is not None and left.ndim == 0 and right is None:
        got, left = left.item(), None  # a number may come as an array without axes
    if left is not None and right is not None:
        if left.shape != right.shape:
            return f"{here}your shape is {tuple(left.shape)}, expected is {tuple(right.shape)}."
        if (left.dtype.kind == "b") != (right.dtype.kind == "b"):
            return f"{here}your values are {left.dtype}, expected are {right.dtype}."
        if left.dtype.kind == "f" and np.isnan(left).any() and not np.isnan(right).any():
            missing = np.isnan(left).mean()
            return f"{here}{missing:.0%} of your values are NaN (a division by zero? log of zero?)."
        return ""
    if isinstance(got, list | tuple) and isinstance(want, list | tuple):
        if len(got) != len(want):
            return f"{here}you return {len(got)} values, expected are {len(want)}."
        if isinstance(got, list) and _as_numbers(got) is not None:
            return ""  # a row of numbers: how it differs says more than the first that does
        if len(want) == 2 and same(got[::-1], want, tolerance):
            return f"{here}both parts are right, but in the other order."
        both = dict(enumerate(zip(got, want, strict=True)))
        return _first_problem(both, tolerance, place)
    if isinstance(got, dict) and isinstance(want, dict):
        if got.keys() != want.keys():
            return f"{here}your keys are {sorted(map(str, got))}, not {sorted(map(str, want))}."
        return _first_problem({k: (got[k], want[k]) for k in want}, tolerance, place)
    numbers = bool | int | float
    if isinstance(got, numbers) and isinstance(want, numbers):
        return f"{here}you have {_short(got)}, expected is {_short(want)}."
    if isinstance(got, str) and isinstance(want, str):
        return f"{here}you have {got!r}, expected is {want!r}."
    if type(got) is not type(want):
        return f"{here}you return {_name(got)}, expected is {_name(want)}."
    return ""


@np.errstate(all="ignore")
def difference(got: Any, want: Any, tolerance: float, place: str = "") -> str:
    """One sentence on how values of the right form differ, as far as numbers can tell.

    Args:
        got: a learner's value, without a problem of form.
        want: the right one.
        tolerance: of floats.
        place: how to call the value, as in `problem_of_form`.
    """
    left, right = _as_numbers(got), _as_numbers(want)
    if left is None or right is None or left.shape != right.shape or not right.size:
        if isinstance(want, dict):
            parts = {key: (got[key], want[key]) for key in want}
        elif isinstance(want, list | tuple):
            parts = dict(enumerate(zip(got, want, strict=True)))
        else:
            return ""
        named = ((f"{place}[{key!r}]" if place else "", pair) for key, pair in parts.items())
        wrong = ((at, pair) for at, pair in named if not same(*pair, tolerance))
        return next((difference(*pair, tolerance, at) for at, pair in wrong), "")
    here = f"`{place}`: " if "[" in place else ""

    def close(one: Array, other: Array) -> bool:
        return np.allclose(one, other, tolerance, tolerance)

    is_square = right.ndim > 1 and right.shape[-1] == right.shape[-2]
    factor = float((left * right).sum() / max((right * right).sum(), 1e-30))
    shift = float((left - right).mean())
    off = np.argwhere(~np.isclose(left, right, tolerance, tolerance))
    first = tuple(int(i) for i in off[0]) if len(off) else ()
    if right.size == 1:
        said = f"you have {left.item():.6g}, expected is {right.item():.6g}."
    elif is_square and close(left.swapaxes(-1, -2), right):
        said = "your values are right, but with rows and columns exchanged."
    elif close(-left, right):
        said = "your values are right but for the sign."
    elif abs(factor) > tolerance and close(left, factor * right):
        said = f"each of your values is {factor:.4g} times what it should be."
    elif close(left - shift, right):
        said = f"each of your values is {abs(shift):.4g} too {'large' if shift > 0 else 'small'}."
    elif close(np.sort(left, axis=None), np.sort(right, axis=None)):
        said = "your values are right, but stand in other places."
    elif len(off) < right.size:
        said = (
            f"{right.size - len(off)} of {right.size} values are right. The first that is not "
            f"stands at {list(first)}: {left[first]:.4g}, expected is {right[first]:.4g}."
        )
    else:
        pair = f"{left[first]:.4g}, not {right[first]:.4g}"
        said = f"none of your values is right: the first is {pair}."
    return here + said


def _as_numbers(value: Any) -> Array | None:
    """A number, an array, or a list of such of one form, as an array of floats."""
    if isinstance(value, list | tuple):
        parts = [_as_numbers(part) for part in value]
        if any(part is None or part.ndim for part in parts):
            return None
        return np.array([float(part) for part in parts if part is not None])
    if isinstance(value, bool | int | float):
        return np.asarray(float(value))
    array = _array(value)
    return None if array is None else array.astype(float)


def _first_problem(pairs: dict[Any, tuple[Any, Any]], tolerance: float, place: str) -> str:
    named = ((f"{place}[{key!r}]" if place else "", pair) for key, pair in pairs.items())
    found = (problem_of_form(got, want, tolerance, where) for where, (got, want) in named)
    return next((text for text in found if text), "")


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


def _grid(values: Array, marked: Array | None = None) -> str:
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
