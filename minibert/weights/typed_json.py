"""JSON files against declared types: what a file says is checked before anything is done with it.

What a file may hold is declared once, as a `TypedDict` or a dataclass: a type for each key, and a
range where there is one (`Annotated[int, Within(1, 1024)]`). Keys that are not declared are left
alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from minibert.data.strict_json import dump_json
from minibert.weights.files import read_json

# A type, the JSON values that stand for it, and what they are called.
_KINDS: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
    Path: ((str,), "a text"),
    list: ((list,), "a list"),
    dict: ((dict,), "an object"),
    NoneType: ((NoneType,), "null"),
}
_MOST_INT, _MOST_FLOAT = 2**63 - 1, 3.4e38  # what int64 and float32 hold
_SHOWN = 40  # characters of a user's value or key in a message


class Within(NamedTuple):
    """The least and the most that a number may be; of a text, a list or an object its length."""

    least: float
    most: float = math.inf


def read_typed(path: Path, kind: type) -> dict[str, Any]:
    """The declared keys of a JSON file, as far as it has them.

    Args:
        path: of a file with one JSON object in it.
        kind: a `TypedDict`, whose required keys must be there, or a dataclass. Where a dataclass's
            field has `choices` in its metadata, the value must be one of them.

    Raises:
        ValueError: naming file and key, if it is no JSON or a value is not what is declared.
    """
    values = read_json(path)
    for problem in _problems(values, kind, ""):
        raise ValueError(f"{path}: {problem}")
    return {name: values[name] for name in get_type_hints(kind) if name in values}


@contextmanager
def named_file(path: Path) -> Iterator[None]:
    """Within, a ValueError is told as one about this file."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _problems(value: Any, hint: Any, key: str) -> Iterator[str]:
    """What is wrong with a value, in words."""
    parts, name = get_args(hint), key or "the file"
    if hint is Any:
        return
    if get_origin(hint) is Annotated:
        yield from _problems(value, parts[0], key)
        yield from _out_of_range(value, parts[1], name)
        return
    if get_origin(hint) in (Union, UnionType):
        found = [next(_problems(value, part, key), None) for part in parts]
        if None not in found:
            # That of the kind that the value is of, if it is of one of them.
            of_kind = (p for p, part in zip(found, parts, strict=True) if _is_a(value, part))
            yield next(of_kind, None) or f"{name} must be {_told(hint)}, not {_shown(value)}"
    elif not _is_a(value, hint):
        yield f"{name} must be {_told(hint)}, not {_shown(value)}"
    elif isinstance(value, str):
        if not value.isascii() and re.search("[\ud800-\udfff]", value):
            yield f"{name} holds half a character: {_shown(value)}"
    elif isinstance(value, int | float):
        if abs(value) > (_MOST_INT if _kind(hint) is int else _MOST_FLOAT):
            yield f"{name} is too large a number: {_shown(value)}"
    elif isinstance(value, list):
        for i, item in enumerate(value if parts else []):
            yield from _problems(item, parts[0], f"{key}[{i}]")
    elif isinstance(value, dict):
        yield from _problems_inside(value, hint, key)


def _problems_inside(values: dict[str, Any], hint: Any, key: str) -> Iterator[str]:
    parts = get_args(hint)
    hints, required = (dict.fromkeys(values, parts[1]), []) if parts else _declared(hint)
    for name in values if parts and parts[0] is int else ():
        if not re.fullmatch("[0-9]{1,9}", name):
            yield f"{_cut(key)} has the key {_shown(name)}, which is no number from 0 on"
    if missing := [name for name in required if name not in values]:
        where, needed = key or "the file", ", ".join(required)
        yield f"{where} lacks {', '.join(map(repr, missing))}: it needs {needed}"
    for name in hints:
        if name in values:
            shown = _cut(name)
            yield from _problems(values[name], hints[name], f"{key}.{shown}" if key else shown)


def _declared(hint: Any) -> tuple[dict[str, Any], list[str]]:
    """The type of each key of an object, and the keys that must be there."""
    if hint is dict:
        return {}, []
    hints = get_type_hints(hint, include_extras=True)
    # Not `__required_keys__`: it is wrong where annotations are kept as text (PEP 655).
    optional = [name for name in hints if get_origin(hints[name]) is NotRequired]
    required = [n for n in hints if getattr(hint, "__total__", False) and n not in optional]
    hints |= {name: get_args(hints[name])[0] for name in optional}
    for entry in fields(hint) if is_dataclass(hint) else ():
        if (choices := entry.metadata.get("choices")) is not None:
            has_none = NoneType in get_args(hints[entry.name])
            hints[entry.name] = Literal[(*choices, None) if has_none else tuple(choices)]
    return hints, required


def _out_of_range(value: Any, limits: Within, name: str) -> Iterator[str]:
    is_number = isinstance(value, int | float)
    if is_number or isinstance(value, str | list | dict):
        size = value if is_number else len(value)
        what = "must be" if is_number else "must have a length of"
        if size < limits.least:
            yield f"{name} {what} at least {limits.least:,}, not {_shown(size)}"
        if size > limits.most:
            yield f"{name} {what} at most {limits.most:,}, not {_shown(size)}"


def _is_a(value: Any, hint: Any) -> bool:
    """Whether a value is of the kind, whatever is in it."""
    if get_origin(hint) is Annotated:
        return _is_a(value, get_args(hint)[0])
    if get_origin(hint) is Literal:
        return any(value == choice and type(value) is type(choice) for choice in get_args(hint))
    kind = _kind(hint)
    return isinstance(value, _KINDS[kind][0]) and (kind is bool or not isinstance(value, bool))


def _kind(hint: Any) -> type:
    """The key of `_KINDS` that a type belongs to."""
    origin = get_origin(hint) or hint
    if origin in _KINDS:
        return origin  # type: ignore[no-any-return]
    return list if issubclass(origin, Sequence) and not issubclass(origin, Mapping) else dict


def _told(hint: Any) -> str:
    """What a type asks for, in words."""
    if get_origin(hint) is Annotated:
        return _told(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_told, get_args(hint))))
    if get_origin(hint) is Literal:
        return " or ".join(map(dump_json, get_args(hint)))
    return _KINDS[_kind(hint)][1]


def _shown(value: Any) -> str:
    return _KINDS[type(value)][1] if isinstance(value, list | dict) else _cut(dump_json(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
