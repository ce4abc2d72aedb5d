"""The list of chapters, and references to them by number."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.register import CHAPTERS, PARTS, title


def list_lines() -> list[str]:
    """Every part with its chapters, in Markdown."""
    lines = []
    for part, chapters in PARTS.items():
        lines += [f"Part {part}", ""]
        for chapter in chapters:
            lines.append(f"- [{int(chapter[2:4])} · {title(chapter)}]({chapter}.md)")
        lines.append("")
    return lines


class Chapters(SphinxDirective):
    """`{chapters}`: every part with its chapters, linked where they are in the book."""

    def run(self) -> list[nodes.Node]:
        """Write the list in Markdown and parse it."""
        lines = list_lines()
        box = nodes.container(classes=["chapters"])
        self.state.nested_parse(StringList(lines, "chapters"), 0, box)
        return [box]


def chapter_role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, *_: Any, **__: Any
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """`` {chapter}`5` ``: “chapter 5”, linked where it is in the book (from a page beside it)."""
    chapter = CHAPTERS[int(text) - 1]
    words = f"chapter {text}"
    return [nodes.reference(rawtext, words, internal=True, refuri=f"{chapter}.html")], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and the role."""
    app.add_directive("chapters", Chapters)
    app.add_role("chapter", chapter_role)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
