"""The labels of a table: names, lists of names or numbers, told by the whole column."""

from __future__ import annotations

import math
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from minibert.data.examples import LARGEST, Label
from minibert.data.lines import half_character

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
_SINGLE, _MULTI, _REGRESSION = get_args(ProblemType)
_NUMBER = re.compile(
    r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|inf(inity)?)", re.IGNORECASE
)
# pandas writes the class 1 as 1.0 where a row of its column is empty.
_WHOLE = re.compile(r"(-?(?:0|[1-9][0-9]*))\.0+")


def read_labels(
    values: Sequence[Any],
    where: Callable[[int], str],
    problem_type: ProblemType | None = None,
    *,
    separator: str | None = None,
    decimal_comma: bool = False,
) -> list[Label]:
    """A column of labels as `Example` has them.

    Without `problem_type` the whole column tells: lists are several labels a text; numbers of which
    one has a fraction (or in JSON a decimal point) are regression; everything else is one class a
    text, and there 1 and 1.0 are the same class.

    Args:
        values: cells of a table, or what JSON has; None and blank texts are no label.
        where: file and line of the value at a place.
        separator: of several labels in one cell; None where they are lists.
        decimal_comma: 3,5 is a number too.

    Returns:
        a label for each value. One that is not there is None, and of several labels a blank cell
        is an empty list.

    Raises:
        ValueError: for a value of another kind than the column's; the message names its line.
    """
    if problem_type is None:
        problem_type = _told_by(values, where, decimal_comma)
    labels: list[Label] = []
    for i, value in enumerate(values):
        if value is None:
            labels.append(None)
        elif problem_type == _MULTI:
            labels.append(_names(value, separator, where(i)))
        elif _is_blank(value):
            labels.append(None)
        elif problem_type == _REGRESSION:
            labels.append(_number(value, decimal_comma, where(i)))
        else:
            labels.append(_name(value, where(i)))
    return labels


def problem_of(label: str | list[str] | float) -> ProblemType:
    """The problem that a label is of, once it is read."""
    if isinstance(label, str):
        return "single_label_classification"
    return "multi_label_classification" if isinstance(label, list) else "regression"


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _told_by(
    values: Sequence[Any], where: Callable[[int], str], decimal_comma: bool
) -> ProblemType:
    """The problem that a column of labels is for."""
    places = [i for i, value in enumerate(values) if not _is_blank(value)]
    lists = {i for i in places if isinstance(values[i], list)}
    if lists:
        other = [i for i in places if (i in lists) != (places[0] in lists)]
        if other:
            raise ValueError(
                f"{where(other[0])}: this label is of another kind than those before "
                "(one name, a list of names, or a number: the same in the whole file)"
            )
        return "multi_label_classification"
    numbers = [_as_number(values[i], decimal_comma) for i in places]
    names = [i for i, number in zip(places, numbers, strict=True) if number is None]
    fractions = any(number is not None and abs(number % 1) > 0 for number in numbers)
    points = any(isinstance(values[i], float) for i in places)
    # A few names among numbers are mistakes; a few numbers among names are names.
    if points or (fractions and 2 * len(names) < len(places)):
        if names:
            raise ValueError(
                f"{where(names[0])}: the label {values[names[0]]!r} is a name, but other lines "
                "have numbers (correct it, or say with problem_type=... what they are)"
            )
        if not points:  # in JSON a number says by itself that it is one
            found = zip(places, numbers, strict=True)
            first = next(values[i] for i, number in found if number and number % 1)
            warnings.warn(
                f"{where(places[0])}: labels such as {first!r} are read as numbers, for "
                "regression: if they are classes, say so with problem_type=...",
                stacklevel=2,
            )
        return "regression"
    return "single_label_classification"


def _as_number(value: Any, decimal_comma: bool) -> float | None:
    """The number that a value means, which may be infinite or NaN; None where it means none."""
    if isinstance(value, str):
        text = value.strip().replace(",", ".") if decimal_comma else value.strip()
        return float(text) if _NUMBER.fullmatch(text) else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) <= LARGEST else math.inf


def _number(value: Any, decimal_comma: bool, where: str) -> float:
    """A label of regression: a number that float32, in which models compute, can hold."""
    number = _as_number(value, decimal_comma)
    if number is None:
        raise ValueError(f"{where}: the label {value!r:.80} is not a number")
    if not abs(number) <= LARGEST:
        raise ValueError(f"{where}: the label {value!r:.80} is no number to train on: correct it")
    return number


def _names(value: Any, separator: str | None, where: str) -> list[str]:
    if isinstance(value, str):
        parts = [value] if separator is None else value.split(separator)
        return [_name(part, where) for part in parts if part.strip()]
    return [_name(item, where) for item in (value if isinstance(value, list) else [value])]


def _name(value: Any, where: str) -> str:
    """The name of a class; 1.0 is called 1 whichever file it is in."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where}: the label {value!r:.80} is no name and no number")
    if (half := half_character(value)) is not None:
        raise ValueError(f"{where}: the label holds half a character ({half}): correct it")
    whole = _WHOLE.fullmatch(value.strip())
    name = whole[1] if whole else value.strip()
    return "0" if name == "-0" else sys.intern(name)  # one text for all rows of a class
