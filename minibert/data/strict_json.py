"""JSON as its standard has it (RFC 8259): Python's own also reads and writes NaN and Infinity."""

from __future__ import annotations

import json
import math
import re
from typing import Any


class RepeatedName(ValueError):
    """An object has one name twice, of which Python would keep the last in silence."""


def parse_json(text: str) -> Any:
    """What a text of JSON says.

    Raises:
        RepeatedName: if an object has the same name twice.
        json.JSONDecodeError: with line and column; also for NaN and Infinity, for a number that is
            larger than a float can be, and for nesting without end.
    """

    def refuse(literal: str) -> Any:
        raise json.JSONDecodeError(f"{literal} is no finite number", text, _place(text, literal))

    def finite(literal: str) -> float:
        value = float(literal)
        return value if math.isfinite(value) else refuse(literal)

    try:
        return json.loads(
            text, parse_constant=refuse, parse_float=finite, object_pairs_hook=_object
        )
    except (json.JSONDecodeError, RepeatedName):
        raise
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", text, 0) from None
    except ValueError as error:  # a whole number of thousands of digits
        raise json.JSONDecodeError(str(error), text, 0) from None


def dump_json(values: Any, *, indent: int | None = None, ensure_ascii: bool = True) -> str:
    """Values as a text of JSON.

    Raises:
        ValueError: if one of them is NaN or infinite.
    """
    return json.dumps(values, indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RepeatedName(
            f"{twice!r} stands twice in one JSON object: {json.dumps(values):.60} ..."
        )
    return values


def _place(text: str, literal: str) -> int:
    """Where a literal stands, texts in quotes left out."""
    pattern = r'"(?:[^"\\]|\\.)*"|' + re.escape(literal)
    found = (match.start() for match in re.finditer(pattern, text) if match[0] == literal)
    return next(found, 0)
