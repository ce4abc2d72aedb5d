"""What a learner reads: text in a terminal, a framed paragraph in a notebook."""

from __future__ import annotations

import html
import re
import textwrap
import unicodedata

# Marks that turn the direction of what follows, and can make a name look like another.
_TURNING = {chr(c) for c in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
GREEN, RED, GREY = "#009E73", "#D55E00", "#767676"


class Note:
    """Something to read: text in a terminal, a framed paragraph in a notebook."""

    def __init__(self, text: str, color: str = GREY, more: str = "", code: str = "") -> None:
        self.text, self.color, self.more, self.code = text, color, more, code

    def __repr__(self) -> str:
        code = f"\n\n{self.code}" if self.code else ""
        return "\n".join(textwrap.fill(line, 88) for line in _paragraphs(self.text)) + code

    def _repr_html_(self) -> str:
        paragraphs = "".join(
            f"<p style='margin:2px 0'>{marked(p)}</p>" for p in _paragraphs(self.text)
        )
        pre = "font-family:monospace;white-space:pre;overflow-x:auto"
        code = f'<pre style="{pre}">{html.escape(self.code)}</pre>' if self.code else ""
        return (
            f'<div class="follows-theme" style="border-left:5px solid {self.color};'
            f'padding:2px 10px">{paragraphs}{code}{self.more}</div>'
        )


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, which an empty line or the mark of a list divides."""
    parts = re.split(r"\n\s*\n|\n(?=- |\d+\. )", text)
    return [" ".join(part.split()) for part in parts if part.strip()]


def marked(text: str) -> str:
    """Escaped, with `code`, **bold** and *italic* as such."""
    parts = re.split(r"`([^`]+)`", html.escape(text, quote=False))
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = f"<code>{part}</code>"
        else:
            bold = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", part)
            parts[i] = re.sub(r"(?<![\w*])\*([^\s*][^*]*)\*(?![\w*])", r"<i>\1</i>", bold)
    return "".join(parts)


def printable(text: str) -> str:
    r"""A text of a stranger's, safe to print and to write: without control characters.

    The bytes of a file name that are no UTF-8 are read as Chinese Windows writes them (GB 18030),
    if they are that; what cannot be shown stands there as an escape, such as `\x1b`.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            text = text.encode("utf-8", "surrogateescape").decode("gb18030")
        except UnicodeError:
            text = text.encode("utf-8", "backslashreplace").decode()
    return "".join(
        ascii(c)[1:-1]
        if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _TURNING
        else c
        for c in text
    )
