"""Options of the command line out of settings classes, and settings out of options.

An option is said once, as a field of its class (`minibert.training.options.option`): name, type,
default, choices and the line of `--help` all come from there.
"""

from __future__ import annotations

import argparse
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from minibert.finetuning.settings import TaskSettings

Settings = TypeVar("Settings")
Group = ArgumentParser | argparse._ArgumentGroup


def add_options(
    group: Group, kind: type, *names: str, chosen: Mapping[str, str] | None = None, **defaults: Any
) -> None:
    """Add an option for each field of a settings class that has a line for `--help`.

    Args:
        group: a parser, or a group in it.
        kind: the class.
        names: of these fields alone, where given.
        chosen: fields that the command chooses where nothing is said, and the words for that.
        defaults: other defaults than the class has.
    """
    chosen = chosen or {}
    defaults |= dict.fromkeys(chosen)
    hints = get_type_hints(kind)
    for entry in _options(kind):
        if names and entry.name not in names:
            continue
        flag, words = _flag(entry), entry.metadata["help"] or ""
        is_required = entry.default is MISSING
        default = None if is_required else defaults.get(entry.name, entry.default)
        told: dict[str, Any] = {"help": words, "dest": entry.name, "default": default}
        if hints[entry.name] is bool:
            group.add_argument(flag, action="store_true", **told)
            continue
        if default is not None:
            told["help"] = f"{words}; default: {default}".removeprefix("; ")
        elif entry.name in chosen:
            told["help"] = f"{words}; {chosen[entry.name]}".removeprefix("; ")
        if entry.metadata["choices"] is None:
            told["metavar"] = flag.removeprefix("--").upper().replace("-", "_")
        # The first of "int | None".
        told["type"] = next((t for t in (int, float) if t in _members(hints[entry.name])), str)
        for name in ("choices", "metavar", "const"):
            if entry.metadata[name] is not None:
                told[name] = entry.metadata[name]
        if "const" in told:
            told["nargs"] = "?"
        group.add_argument(flag, **told, required=is_required)


def read_options(kind: type[Settings], options: Namespace, **given: Any) -> Settings:
    """An object of a settings class from parsed options; `given` are fields that are no options.

    What an option leaves open has the default of the class.
    """
    names = [entry.name for entry in _options(kind) if hasattr(options, entry.name)]
    said = {name: getattr(options, name) for name in names}
    return kind(**{name: value for name, value in said.items() if value is not None}, **given)


def changed_by(settings: TaskSettings, options: Namespace) -> TaskSettings:
    """What a model was trained with, changed where the user says so."""
    given = {entry.name: getattr(options, entry.name) for entry in _options(TaskSettings)}
    # A switch that is off was not given.
    said = {
        name: value for name, value in given.items() if value is not None and value is not False
    }
    return replace(settings, **said)


def in_options(message: str, options: Mapping[str, Any]) -> str:
    """A message of the package, which speaks Python, in the words of the command line.

    "pass max_length=64" becomes "pass --max-length 64" where there is such an option.
    """
    # What stands between quotes, or beside a slash, is the user's own.
    message, kept = _set_aside(message)
    for name, flag in _flags(options).items():
        message = re.sub(rf"\b{name}=True\b", flag, message)
        message = re.sub(rf"\b{name}=\.\.\.", flag, message)
        message = re.sub(rf"\b{name}=(['\"]?)([\w.-]+)\1", rf"{flag} \2", message)
        # A name of one word may be an ordinary word, except where a message begins.
        plain = name if "_" in name else rf"^{name}(?= must| needs| trains)"
        message = re.sub(rf"(?<![\w/.-]){plain}\b(?![-/]|\.\w)", flag, message)
    for place, text in enumerate(kept):
        message = message.replace(f"\0{place}\0", text)
    return message


def _set_aside(message: str) -> tuple[str, list[str]]:
    """A message with its paths and quoted words taken out, and those."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"\0{len(kept) - 1}\0"

    # Not the quotes of an argument, as in device='cpu', and not one that ends a word. After a JSON
    # file comes a key of it.
    return re.sub(
        r"[^\s'\"]*\.json: [\w.]+|(?<![=\w])(['\"]).*?\1(?!\w)|[^\s'\"]*[/\\][^\s'\"]*",
        keep,
        message,
    ), kept


def check_new_folder(folder: Path) -> None:
    """Refuse to write where something is already.

    Raises:
        ValueError: if it is a file, or a folder that is not empty.
    """
    if folder.is_file():
        raise ValueError(f"{folder} is a file: choose another folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: choose another folder")


def _options(kind: Any) -> list[Field[Any]]:
    return [entry for entry in fields(kind) if "flag" in entry.metadata]


def _flag(entry: Field[Any]) -> str:
    flag: str | None = entry.metadata["flag"]
    return flag or f"--{entry.name.replace('_', '-')}"


def _flags(options: Mapping[str, Any]) -> dict[str, str]:
    """What the fields that this command has options for are called there; the longest first."""
    from minibert.finetuning.settings import EmbeddingSettings, FinetuningSettings, ReadingSettings
    from minibert.pretraining.settings import PretrainingSettings
    from minibert.training.config import TrainingConfig

    kinds: tuple[type, ...] = (TrainingConfig, PretrainingSettings, FinetuningSettings)
    kinds += (TaskSettings, ReadingSettings, EmbeddingSettings)
    flags = {entry.name: _flag(entry) for kind in kinds for entry in _options(kind)}
    flags["problem_type"] = flags["problem"]  # the readers' word for it
    if "problem" in options:
        options = {**options, "problem_type": None}
    for name in options:
        flags.setdefault(name, f"--{name.replace('_', '-')}")
    known = [name for name in sorted(flags, key=len, reverse=True) if name in options]
    return {name: flags[name] for name in known}


def _members(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__args__", (hint,))
