"""The list of chapters, references to them by number, the map of them, and what is counted."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.counts import count
from book.lists import chapter_lines
from book.picture import CHINESE, Map
from book.register import CHAPTERS

Parsed = tuple[list[nodes.Node], list[nodes.system_message]]


class Chapters(SphinxDirective):
    """`{chapters}`: every part with its chapters, minutes and aims; content: a translation."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the list in Markdown and parse it."""
        for chapter in CHAPTERS:
            self.env.note_dependency(f"book/{chapter}.md")
        try:
            lines = chapter_lines("\n".join(self.content))
        except ValueError as error:
            raise self.error(str(error)) from None
        box = nodes.container(classes=["chapters"])
        self.state.nested_parse(StringList(lines, "chapters"), 0, box)
        return [box]


class CourseMap(SphinxDirective):
    """`{map}`: the map of the course, every part a link; `:words: zh` writes it in Chinese.

    The content says the same in words, and stands for it where only a picture can be shown.
    """

    has_content = True
    option_spec = {"words": str}  # noqa: RUF012  (docutils' own form)

    def run(self) -> list[nodes.Node]:
        """Draw it into the page."""
        drawing = Map(linked=True, words=CHINESE if self.options.get("words") == "zh" else None)
        html = f'<div class="course-map">{drawing.svg()}</div>'
        return [nodes.raw("", html, format="html")]


def chapter_role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, *_: Any, **__: Any
) -> Parsed:
    """`` {chapter}`5` ``: “chapter 5”, linked where it is in the book (from a page beside it)."""
    chapter = CHAPTERS[int(text) - 1]
    words = f"chapter {text}"
    return [nodes.reference(rawtext, words, internal=True, refuri=f"{chapter}.html")], []


def count_role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Inliner, *_: Any, **__: Any
) -> Parsed:
    """`` {count}`claims` ``: a figure of `book.counts`, so that no page states it by hand."""
    try:
        return [nodes.Text(count(text))], []
    except ValueError as error:
        message = inliner.reporter.error(str(error), line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the roles."""
    app.add_directive("chapters", Chapters)
    app.add_directive("map", CourseMap)
    app.add_role("chapter", chapter_role)
    app.add_role("count", count_role)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
