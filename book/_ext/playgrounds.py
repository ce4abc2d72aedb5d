"""The directive `{playground}` on the page, and the scripts and models that it loads when asked.

A page holds a sentence, the recorded result and a button; scripts of some kilobytes come with a
page that has a playground, the runtime and the models when a reader presses the button.
"""

from __future__ import annotations

import shutil
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book import live
from book.playgrounds import find, recorded_lines

START = (
    '<p class="play-start"><button type="button" class="play-button" hidden>Run the model here'
    "</button> <small>It is loaded from this book ({size} MB) and runs in your browser: nothing"
    " that you type leaves the page.</small></p>"
)
RECORDED_ONLY = (
    '<p class="play-why"><small>This copy of the book shows a recorded result only: {why}.'
    "</small></p>"
)


def models_folder(app: Sphinx) -> Path:
    """Where `book/build.py` has put runtime and models, beside the pages."""
    return Path(app.outdir).parent / ".live"


class PlaygroundDirective(SphinxDirective):
    """`{playground} NAME`: the box of a playground."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A section with what it is, the recorded result, and a button or why there is none."""
        name = self.arguments[0]
        try:
            one = find(name)
        except ValueError as error:
            raise self.error(str(error)) from None
        folder = models_folder(self.env.app)
        why = live.why_not(folder) if one.models else ""
        last = '<div class="play-stage"></div>'
        if why:
            last = RECORDED_ONLY.format(why=escape(why))
        elif one.models:
            size = live.size(folder, one.models) / 1e6
            last += START.format(size=f"{size:.0f}")
        attributes = (
            "" if why else f' data-playground="{name}" data-scripts="{" ".join(one.scripts)}"'
        )
        opening = (
            f'<section class="playground" aria-label="Playground: {escape(one.title)}"{attributes}>'
            f'<p class="play-title">{escape(one.title)}</p>'
        )
        about = self._parsed([one.about], "play-about")
        result = self._parsed(recorded_lines(name), "play-recorded")
        raw = [nodes.raw("", text, format="html") for text in (opening, f"{last}</section>")]
        self.env.metadata[self.env.docname]["playgrounds"] = "yes"
        return [raw[0], about, result, raw[1]]

    def _parsed(self, lines: list[str], name: str) -> nodes.Element:
        box = nodes.container(classes=[name])
        self.state.nested_parse(StringList(lines, "playground"), 0, box)
        return box


def add_script(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """A page that has a playground loads the small script that starts it."""
    del templatename, context, doctree
    if app.env.metadata.get(pagename, {}).get("playgrounds"):
        app.add_js_file("play/core.js", loading_method="defer")
        app.add_css_file("play/play.css")


def copy_models(app: Sphinx, exception: Exception | None) -> None:
    """Put runtime and models beside the scripts that load them."""
    if exception is not None or app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / "play"
    for path in [*models_folder(app).glob("*.js"), *models_folder(app).glob("*.txt")]:
        shutil.copyfile(path, target / path.name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, the script and what it loads."""
    app.add_directive("playground", PlaygroundDirective)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", copy_models)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
