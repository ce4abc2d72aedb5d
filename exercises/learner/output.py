"""What a stream cannot encode comes out in other characters, and stops nothing.

A console or a file under Windows is often in cp1252, which has no `≤`, no `■` and no Chinese.
"""

from __future__ import annotations

import codecs
import io
import sys

INSTEAD = {
    "■": "#", "□": "-", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "→": "->", "←": "<-",
    "−": "-", "×": "x", "·": ".", "…": "...", "–": "-", "—": "-", "√": "sqrt", "²": "^2",
    "“": '"', "”": '"', "‘": "'", "’": "'",
}  # fmt: skip


def legible(error: UnicodeError) -> tuple[str, int]:
    """For `codecs`: what stands in for characters that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(INSTEAD.get(c) or ascii(c)[1:-1] for c in lost), error.end


def make_legible() -> None:
    """Let this process's output be legible where it would stop with `UnicodeEncodeError`."""
    codecs.register_error("legible", legible)
    for stream in (sys.stdout, sys.stderr):
        # A notebook's streams are of another type, and take everything.
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "backslashreplace"):
            stream.reconfigure(errors="legible")
