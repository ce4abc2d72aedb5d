"""The package's docstrings are written for people, in plain text with `code`: make them RST."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

# Code, or one of the signs that RST would take for mark-up.
TOKEN = re.compile(r"(``.+?``|`[^`]+`)|([*|\\])|(?<=\w)(_)(?=\W|$)")


def to_rst(text: str) -> str:
    """One line: `code` in double backticks, every other sign as it stands."""

    def replace(match: re.Match[str]) -> str:
        if code := match[1]:
            # RST wants a gap around code: in "`Encoding`s" it gets one that does not show.
            after = text[match.end() : match.end() + 1]
            before = text[max(match.start() - 1, 0) : match.start()]
            gaps = ["\\ " if sign.isalnum() else "" for sign in (before, after)]
            return f"{gaps[0]}``{code.strip('`')}``{gaps[1]}"
        return "\\" + match[0]

    return TOKEN.sub(replace, text)


def process(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Change a docstring in place, before napoleon reads its sections.

    An indented block after a line that ends in a colon is code and stays as it is.
    """
    literal: int | None = None
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indent <= literal:
            literal = None
        if literal is None:
            lines[number] = to_rst(line)
            if line.rstrip().endswith("::"):
                literal = indent


def setup(app: Sphinx) -> dict[str, Any]:
    """Hook in before napoleon, which has the priority of 500."""
    app.connect("autodoc-process-docstring", process, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
