"""Alt text: what a figure says of itself (`minibert.course.plots`) goes onto its image in the page.

A figure hands its alt text to Jupyter in the metadata of its output, where nbconvert looks for
it. MyST-NB reads only width and height there; this adds the alt text. An alt text in the cell's
header, `mystnb: {image: {alt: …}}`, still wins.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from myst_nb.core.render import MimeData, NbElementRenderer
from sphinx.application import Sphinx

_render_image = NbElementRenderer.render_image


def render_image(self: NbElementRenderer, data: MimeData) -> list[nodes.Element]:
    """As MyST-NB's own, with the alt text of the output."""
    elements = _render_image(self, data)
    alt = data.output_metadata.get(data.mime_type, {}).get("alt")
    for element in elements:
        if alt and isinstance(element, nodes.image):
            element.attributes.setdefault("alt", alt)
            element["classes"].append("course-figure")
    return elements


def setup(app: Sphinx) -> dict[str, Any]:
    """Put the alt text on every image that has one."""
    NbElementRenderer.render_image = render_image  # type: ignore[method-assign]
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
