"""The directives `claims`, the register with links to its cells, and `claim`, a box of a few."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.lists import claim_box_lines, claim_lines
from book.register import CLAIMS, NOTEBOOKS


class Claims(SphinxDirective):
    """`{claims}` lists one document's claims (argument: its letter), or sums them all up."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read register and notebooks, and parse what they give as Markdown."""
        for file in (CLAIMS, *NOTEBOOKS.glob("*.ipynb")):
            self.env.note_dependency(str(file))
        lines = claim_lines(self.arguments[0] if self.arguments else "")
        box = nodes.container(classes=["claims"])
        self.state.nested_parse(StringList(lines, str(CLAIMS)), 0, box)
        return [box]


class ClaimBox(SphinxDirective):
    """`{claim}`: what a section settles of the documents, a line a claim; arguments: their ids."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Look the claims up in the register, and parse a line on each as Markdown."""
        self.env.note_dependency(str(CLAIMS))
        try:
            lines = claim_box_lines(self.arguments[0])
        except ValueError as error:
            raise self.error(str(error)) from None
        box = nodes.container(classes=["claim-box"])
        box += nodes.paragraph("", "What the documents say", classes=["claim-box-title"])
        self.state.nested_parse(StringList(lines, str(CLAIMS)), 0, box)
        return [box]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("claims", Claims)
    app.add_directive("claim", ClaimBox)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
