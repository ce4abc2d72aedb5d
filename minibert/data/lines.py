"""Text files line by line, whatever their line ends, in UTF-8 or what their first bytes say."""

from __future__ import annotations

import codecs
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NO_TEXT = {
    b"PK\x03\x04": "a zip archive or an Excel workbook, not a text file: export it as text",
    b"\x1f\x8b": "compressed (gzip): unpack it first",
    b"%PDF": "a PDF, not a text file: export it as text",
}


def numbered_lines(path: Path, bad: dict[int, str] | None = None) -> Iterator[tuple[int, str]]:
    r"""Line number (from 1) and line without its end.

    A line ends with `\n`, `\r\n` or `\r`. A file that begins with the byte order mark of UTF-16 is
    read as that, and is held in memory whole.

    Args:
        path: the file.
        bad: gets the reason by the line's number where one cannot be read, instead of an error.

    Raises:
        ValueError: if the file is empty or is not UTF-8; the message names file and line.
        FileNotFoundError: no such file.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder, not a file")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    empty = True
    with path.open("rb") as file:
        for number, line in lines_of(file, str(path), bad=bad):
            empty = empty and not line.strip()
            yield number, line
    if empty:
        raise ValueError(f"{path} is empty")


def lines_of(
    file: BinaryIO,
    name: str,
    remedy: str = "save the file as UTF-8",
    bad: dict[int, str] | None = None,
) -> Iterator[tuple[int, str]]:
    """The same of what is open already, such as standard input; empty is no error here.

    Args:
        name: what messages call it.
        remedy: what to do where it is not UTF-8.
        bad: see `numbered_lines`.
    """
    first = file.readline()
    reason = next((told for start, told in _NO_TEXT.items() if first.startswith(start)), None)
    if reason is not None:
        raise ValueError(f"{name} is {reason}")
    if first.startswith(_UTF16):
        try:
            text = (first + file.read()).decode("utf-16")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name} begins as UTF-16 but goes on as something else (byte {error.start + 1}): "
                f"{remedy}"
            ) from None
        for number, line in enumerate(io.StringIO(text, newline=None), 1):
            yield number, line.rstrip("\n")
        return
    if b"\0" in first:
        raise ValueError(
            f"{name}, line 1: a zero byte (UTF-16 without a byte order mark, or no text): {remedy}"
        )
    number = 1
    for raw in itertools.chain([first] if first else [], file):
        try:
            # A byte order mark is no part of the first word.
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            before = raw[: error.start].split(b"\r")
            where = number + len(before) - 1
            reason = (
                f"{name}, line {where}: not UTF-8 "
                f"(byte 0x{raw[error.start]:02x} at place {len(before[-1]) + 1}): {remedy}"
            )
            if bad is None:
                raise ValueError(reason) from None
            bad[where] = reason
            text = raw.decode("utf-8", "replace")
        for line in text.rstrip("\r\n").split("\r"):
            yield number, line
            number += 1


def half_character(text: str) -> str | None:
    r"""The first half of a surrogate pair in a text, such as "U+D83D"; mostly there is none.

    JSON can hold it (`"\ud83d"`, an emoji cut in two), no file of text and no tokenizer can.
    """
    if text.isascii():
        return None
    found = re.search("[\ud800-\udfff]", text)
    return None if found is None else f"U+{ord(found[0]):04X}"
