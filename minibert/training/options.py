"""Fields of a settings class that say what they are, once, for Python and the command line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import MISSING, field, fields
from typing import Any


def option(
    default: Any = MISSING,
    told: str | None = None,
    *,
    flag: str | None = None,
    choices: Sequence[str] | None = None,
    metavar: str | None = None,
    const: str | None = None,
) -> Any:
    """A dataclass field that the command line has an option for.

    Args:
        default: as in `dataclasses.field`; without one the option is required.
        told: the line of `--help`, which adds the default by itself.
        flag: the option's name where it is not that of the field.
        choices: the values there are.
        metavar: what `--help` calls the value.
        const: the value of the option given without one.
    """
    words = {"help": told, "flag": flag, "choices": choices, "metavar": metavar, "const": const}
    return field(default=default, metadata=words)


def check_numbers(settings: Any) -> None:
    """Refuse NaN and infinity in whatever has an option.

    Raises:
        ValueError: naming the field.
    """
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        if "flag" in entry.metadata and isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{entry.name} must be a finite number, not {value}")


def check_at_least(settings: Any, least: int, *names: str) -> None:
    """Refuse what is given and below a bound.

    Raises:
        ValueError: naming the field.
    """
    for name in names:
        value = getattr(settings, name)
        if value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}, not {value}")


def check_fractions(settings: Any, *names: str) -> None:
    """Refuse what is not a probability below 1, such as one of dropout.

    Raises:
        ValueError: naming the field.
    """
    for name in names:
        if not 0 <= getattr(settings, name) < 1:
            raise ValueError(f"{name} must be 0 or more and below 1, not {getattr(settings, name)}")
