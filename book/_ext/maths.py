"""Formulas as MathML, which browsers draw by themselves: no script, on paper and off-line too.

`latex2mathml` translates them while the site is built. The signs come from a cut of the font STIX
Two Math (OFL), which `ziamath` brings along: without a font made for formulas, roots and sums would
not grow with what they hold.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

from book.cut_font import cut_font

FONT = "fonts/STIXTwoMath.woff"
# Letters and figures in all their mathematical forms, Greek, operators, brackets.
SIGNS = [*range(0x20, 0x7F), *range(0x391, 0x3F7), *range(0x2010, 0x2040), *range(0x2190, 0x21FF)]
SIGNS += [
    *range(0x2200, 0x2300),
    *range(0x27E6, 0x27F0),
    *range(0x1D400, 0x1D800),
    0xB1,
    0xB7,
    0xD7,
]
SIGNS += [0x210B, 0x210E, 0x2110, 0x2112, 0x211D, 0x2061, 0x22A4]
_FUNCTION = re.compile(r"(<mi>(?:ln|log|exp|sin|cos|max|min)</mi>)(?=<m[in])")


def mathml(latex: str, display: bool) -> str:
    """A formula; a function stands a little apart from its argument.

    Raises:
        ValueError: for what cannot be translated.
    """
    try:
        made = convert(latex, display="block" if display else "inline")
    except Exception as error:  # the library has an exception class for each mistake
        raise ValueError(f"cannot write {latex!r} as MathML: {type(error).__name__}") from None
    return _FUNCTION.sub(r'\1<mo>&#x2061;</mo><mspace width="0.17em"/>', made)


def _written(self: HTML5Translator, latex: str, display: bool) -> str:
    try:
        return mathml(latex, display)
    except ValueError as error:
        raise ExtensionError(f"{self.builder.current_docname}: {error}") from None


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    """A formula in a line of text."""
    self.body.append(f'<span class="math">{_written(self, node.astext(), False)}</span>')
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula by itself, with its number where it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})</span>')
    self.body.append(_written(self, node.astext(), True) + "</div>\n")
    raise nodes.SkipNode


def copy_font(app: Sphinx, exception: Exception | None) -> None:
    """Cut the font down to the signs of formulas, and put it beside the style sheets."""
    if exception is not None or app.builder.format != "html":
        return
    source = Path(str(files("ziamath"))) / "fonts" / "STIXTwoMath-Regular.ttf"
    target = Path(app.outdir) / "_static" / FONT
    target.parent.mkdir(parents=True, exist_ok=True)
    cut_font(source, target, SIGNS, features=("ssty", "dtls"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.config.html_math_renderer = "mathml"
    app.connect("build-finished", copy_font)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
