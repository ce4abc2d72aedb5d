"""`{fill}`: a sentence with a blank, and what two models of the course put there."""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.fill import BLANK, fill

SAYS = {
    "en": ("reads both sides", "reads the left only", "word", "probability"),
    "zh": ("看左右两边", "只看左边", "词", "概率"),
}


def _table(caption: str, heads: tuple[str, str], rows: list[tuple[str, float]]) -> str:
    """Words with their probabilities, and a bar for each."""
    lines = "".join(
        f'<tr><th scope="row">{escape(word)}</th>'
        f'<td><div class="fill-share"><span class="fill-bar" style="--share:{share:.3f}"></span>'
        f"<span>{share * 100:.0f} %</span></div></td></tr>"
        for word, share in rows
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead>{lines}</table>"


class Filled(SphinxDirective):
    """`{fill}`: computed while the page is built; `:words: zh` writes the heads in Chinese."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"words": str}  # noqa: RUF012  (docutils' own form)

    def run(self) -> list[nodes.Node]:
        """Ask both models and draw what they say."""
        sentence = self.arguments[0]
        try:
            found = fill(sentence)
        except ValueError as error:
            raise self.error(str(error)) from None
        both, left, *heads = SAYS[self.options.get("words", "en")]
        before, after = (escape(part) for part in sentence.split(BLANK))
        html = (
            f'<div class="fill-record"><p class="fill-sentence" lang="en">{before}'
            f'<span class="fill-blank">{BLANK}</span>{after}</p>'
            f"{_table(both, (heads[0], heads[1]), found.both_sides)}"
            f"{_table(left, (heads[0], heads[1]), found.left_only)}</div>"
        )
        return [nodes.raw("", html, format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("fill", Filled)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
