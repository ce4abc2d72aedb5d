"""What depends on the repository's address: the links at a chapter's head, "source" and "edit"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from book.repository import address, notebook_links


class NotebookLinks(SphinxDirective):
    """`{notebook-links}`: how to run this chapter."""

    def run(self) -> list[nodes.Node]:
        """Write the links in Markdown and parse them."""
        chapter = Path(self.env.docname).name
        badges = [
            f"{{bdg-link-primary}}`{text} <{link}>`"
            for text, link in notebook_links(chapter, address()).items()
        ]
        lines = [*badges, f"{{download}}`download the notebook <notebooks/{chapter}.ipynb>` · "]
        lines.append("or `make lab`, [and more](install.md)")
        box = nodes.container(classes=["notebook-links"])
        self.state.nested_parse(StringList(lines, "links"), 0, box)
        return [box]


def show_buttons(app: Sphinx, config: Config) -> None:
    """Let the theme link to sources and to their editor, where there is a repository."""
    if url := address():
        config.html_theme_options |= {
            "repository_url": url,
            "use_repository_button": True,
            "use_edit_page_button": True,
        }


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and the hook."""
    app.add_directive("notebook-links", NotebookLinks)
    app.connect("config-inited", show_buttons, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
