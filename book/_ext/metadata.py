"""What other programs read of a page: description, card, canonical address; index, 404, sitemap.

Addresses have to be whole there, so what needs one is absent while the course has none
(`repository.url` in `_config.yml`).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from book.card import draw_card
from book.repository import address, site

FRONT = "book/intro"
LENGTH = 200  # what search engines show of a description
_ADDRESS = re.compile(r'\b(href|src|action|data-content_root)="([^"#:?]*)(["#?])')


def description(doctree: nodes.document) -> str:
    """The first paragraph of a page that is long enough to say what it is about, cut at a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if len(text) >= 60 and not isinstance(paragraph.parent, nodes.block_quote):
            return text if len(text) <= LENGTH else text[:LENGTH].rsplit(" ", 1)[0] + " …"
    return ""


def describe(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Add title, description and card to a page's head."""
    del app, templatename
    url = site(address())
    if url and pagename == FRONT:
        context["pageurl"] = url  # the same page as index.html
    title = re.sub(r"<[^>]+>", "", context.get("title") or "")
    tags = {"og:title": title, "og:type": "article", "og:site_name": "minibert"}
    head = ""
    if doctree is not None and (about := description(doctree)):
        head = f'<meta name="description" content="{escape(about)}" />\n'
        tags["og:description"] = about
    if url:
        tags |= {"og:url": context.get("pageurl") or url, "og:image": f"{url}_static/card.png"}
        head += '<meta name="twitter:card" content="summary_large_image" />\n'
        if pagename == "404":  # served in place of a page in any folder
            head += f'<base href="{url}" />\n'
    head += "".join(
        f'<meta property="{name}" content="{escape(value)}" />\n' for name, value in tags.items()
    )
    context["metatags"] = context.get("metatags", "") + head


def not_found(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The page 404.html, which GitHub Pages shows for an address that there is not."""
    del app
    body = (
        '<section><h1>There is no such page</h1><p>It may have moved. Try <a href="index.html">the '
        'front page</a>, which lists every chapter, or <a href="search.html">the search</a>.</p>'
        "</section>"
    )
    yield "404", {"title": "There is no such page", "body": body}, "page.html"


def at_root(html: str, folder: str) -> str:
    """A page of a folder, with its relative addresses as they are seen from the root."""

    def moved(found: re.Match[str]) -> str:
        name, path, end = found.groups()
        if not path or path.startswith("/"):
            return found[0]
        slash = "/" if path.endswith("/") else ""
        return f'{name}="{posixpath.normpath(posixpath.join(folder, path))}{slash}{end}'

    return _ADDRESS.sub(moved, html)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Write index.html, the front page itself, the card and, with an address, a sitemap."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    front = (out / f"{FRONT}.html").read_text(encoding="utf-8")
    (out / "index.html").write_text(at_root(front, posixpath.dirname(FRONT)), encoding="utf-8")
    draw_card(out / "_static" / "card.png")
    if url := site(address()):
        pages = ["", *sorted(f"{name}.html" for name in app.env.found_docs if name != FRONT)]
        rows = "".join(f"<url><loc>{escape(url + page)}</loc></url>\n" for page in pages)
        head = '<?xml version="1.0" encoding="utf-8"?>\n'
        schema = "http://www.sitemaps.org/schemas/sitemap/0.9"
        sitemap = f'{head}<urlset xmlns="{schema}">\n{rows}</urlset>\n'
        (out / "sitemap.xml").write_text(sitemap, encoding="utf-8")


def set_base(app: Sphinx, config: Config) -> None:
    """Let Sphinx write every page's canonical address."""
    del app
    config.html_baseurl = site(address())


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hooks; index.html has to be there before the table of contents redirects."""
    app.connect("config-inited", set_base, priority=100)
    app.connect("html-page-context", describe)
    app.connect("html-collect-pages", not_found)
    app.connect("build-finished", finish, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
