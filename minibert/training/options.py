"""Fields of a settings class that say what they are, once, for Python and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, field
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
