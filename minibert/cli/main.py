"""From the words of a command line to a command, and one line for whatever goes wrong."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from minibert.cli.commands import COMMANDS
from minibert.cli.messages import warnings_in_one_line
from minibert.cli.options import in_options


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, like every other of ours."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


class _Version(argparse.Action):
    """Look the version up when it is asked for: that takes as long as the rest of `--help`."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"minibert {version('minibert-course')}")
        except PackageNotFoundError:
            raise ValueError("minibert is not installed: pip install minibert-course") from None
        parser.exit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 2 after a user's mistake, told in one line; 130 after Ctrl-C, 143 after SIGTERM.
    """
    options: argparse.Namespace | None = None

    def told(message: str) -> str:
        return in_options(message, vars(options or argparse.Namespace()))

    _write_what_the_terminal_can()
    if not sys.stderr.isatty():  # a bar a minute, before `tqdm` is imported and reads it
        os.environ.setdefault("TQDM_MININTERVAL", "60")
        os.environ.setdefault("TQDM_MAXINTERVAL", "60")
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        options = _parser().parse_args(words)
        options.command = ["minibert", *words]  # for the card of what it makes
        with warnings_in_one_line(told):
            importlib.import_module(f"minibert.cli.{options.module}").run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads our output has seen enough (`| head`)
        _discard_output()
        return 0
    except (ValueError, OSError) as error:
        if os.environ.get("MINIBERT_DEBUG"):
            raise
        print(f"minibert: {told(_in_one_line(error))}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:  # it goes to a disk that is full
            _discard_output()
        return 2
    except SystemExit as error:
        message = getattr(error, "message", None)  # of `training.interruption.Terminated`
        if message is None:  # --help
            raise
        print(told(message), file=sys.stderr)
        return 143
    except KeyboardInterrupt as error:
        if str(error):  # how to go on
            print(told(str(error)), file=sys.stderr)
        return 130
    return 0


def _discard_output() -> None:
    """Python would complain at its end of what it cannot write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_what_the_terminal_can() -> None:
    """Let a terminal that lacks a character (cp1252 and 你) show it escaped, not stop us."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _in_one_line(error: ValueError | OSError) -> str:
    """What went wrong; the system's own errors without their number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="minibert", description="A small, complete BERT: train it, use it.")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version, and exit")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(subparsers)
    return parser
