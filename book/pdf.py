"""Print the built book as one PDF, with bookmarks and links between its pages: make pdf.

    python book/pdf.py [--out _build/minibert.pdf] [PAGE ...]

The pages' articles are put one after the other into one page, which Chromium prints.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

import yaml
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # this is a script, and its folder, not the checkout, is on the path

from book.look import HTML, browser  # noqa: E402

PDF = ROOT / "_build" / "minibert.pdf"
TOC = ROOT / "_toc.yml"
IDS = ("id", "for", "aria-labelledby", "aria-describedby")
ON_SCREEN_ONLY = "script, .headerlink, .notebook-links, #course-progress, button"
FOOT = (
    '<div style="font: 8px sans-serif; width: 100%; text-align: center; color: #555">'
    '<span class="pageNumber"></span></div>'
)


def book_pages() -> list[tuple[str, list[str]]]:
    """Every part with its pages, in the order of the table of contents."""
    toc = yaml.safe_load(TOC.read_text(encoding="utf-8"))
    parts = [("", [toc["root"]])]
    for part in toc["parts"]:
        parts.append((part["caption"], [chapter["file"] for chapter in part["chapters"]]))
    return [(caption, [name.removeprefix("book/") for name in names]) for caption, names in parts]


def _link(address: str, page: str, known: set[str]) -> str:
    """Where a link of a page leads in the one page."""
    if re.match(r"[a-z]+:", address):
        return address
    path, _, anchor = address.partition("#")
    name = Path(path).stem if path else page
    if name not in known or (path and not path.endswith(".html")):
        return "#" + page  # the index, a notebook to download: not on paper
    return f"#{name}--{anchor}" if anchor else f"#{name}"


def article(page: str, known: set[str], target: Path) -> Tag:
    """What a page says, as a part of the one page: ids by page, links within, all of it open."""
    source = HTML / "book" / f"{page}.html"
    found = BeautifulSoup(source.read_text(encoding="utf-8"), "html.parser")
    body = found.select_one("article.bd-article")
    assert body is not None, page
    for element in body.select(ON_SCREEN_ONLY):
        element.decompose()
    for element in body.find_all(True):
        for name in IDS:
            if element.get(name):
                element[name] = f"{page}--{element[name]}"
        if element.name == "a" and element.get("href"):
            element["href"] = _link(str(element["href"]), page, known)
        if element.name == "img":
            file = (source.parent / str(element["src"])).resolve()
            element["src"] = os.path.relpath(file, target.parent)
            del element["loading"]
        if element.name == "details":
            element["open"] = ""
    body["id"] = page
    body["style"] = "break-before: page"
    return body


def whole_book(target: Path, wanted: set[str]) -> None:
    """Write the one page."""
    parts = book_pages()
    names = [name for _, part in parts for name in part if not wanted or name in wanted]
    front = BeautifulSoup((HTML / "book/intro.html").read_text(encoding="utf-8"), "html.parser")
    sheets = [
        os.path.relpath((HTML / "book" / str(link["href"]).split("?")[0]).resolve(), target.parent)
        for link in front.select('link[rel="stylesheet"]')
    ]
    articles = {name: article(name, set(names), target) for name in names}
    contents = []
    for caption, part in parts:
        rows = [
            f'<li><a href="#{name}">{articles[name].find("h1").get_text()}</a></li>'  # type: ignore[union-attr]
            for name in part
            if name in articles
        ]
        if rows:
            head = f"<p><strong>{caption}</strong></p>" if caption else ""
            contents.append(f'{head}<ul style="list-style: none">{"".join(rows)}</ul>')
    links = "".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in sheets)
    cover = (
        '<section style="padding-top: 80mm"><p style="font-size: 34pt; line-height: 1.2">'
        'BERT, from the first matrix product</p><p style="font-size: 14pt">the minibert authors · '
        "text CC BY 4.0, code MIT</p></section>"
        f'<section style="break-before: page"><h1>Contents</h1>{"".join(contents)}</section>'
    )
    target.write_text(
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>BERT, from the first matrix product</title>{links}</head>"
        '<body><div class="bd-main"><div class="bd-content"><div class="bd-article-container">'
        f'<article class="bd-article">{cover}</article>'
        + "".join(str(one) for one in articles.values())
        + "</div></div></div></body></html>",
        encoding="utf-8",
    )


def print_book(out: Path, wanted: set[str]) -> None:
    """Put the pages together and print them.

    Raises:
        RuntimeError: where there is no browser.
    """
    page_file = ROOT / "_build" / "pdf" / "book.html"
    page_file.parent.mkdir(parents=True, exist_ok=True)
    whole_book(page_file, wanted)
    partial = out.with_suffix(".partial")
    with browser() as opened:
        page = opened.new_page()
        page.goto(page_file.as_uri(), timeout=300_000)
        page.set_default_timeout(600_000)
        page.pdf(
            path=partial,
            format="A4",
            outline=True,
            tagged=True,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOT,
            margin={"top": "16mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
        )
    partial.replace(out)


def main() -> int:
    """Print all pages, or those named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="PAGE", help="such as ch05-attention")
    parser.add_argument("--out", type=Path, default=PDF, help="default: %(default)s")
    arguments = parser.parse_args()
    if not (HTML / "book" / "intro.html").exists():
        print("pdf: there is no site yet: run make book", file=sys.stderr)
        return 2
    try:
        print_book(arguments.out, set(arguments.names))
    except RuntimeError as error:
        print(f"pdf: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
