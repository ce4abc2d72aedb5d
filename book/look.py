"""Look at the built pages in a browser: what is wrong with each, and a picture of each to look at.

    python book/look.py                    every page: both themes, three widths
    python book/look.py intro glossary     these pages

It writes pictures to `_build/look` and prints what it finds: width, code that has to be scrolled,
axe's violations, weight, and when a reader sees the first text, from a server on this machine.
`tests/test_browser.py` measures the same with the same functions, a page once.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import axe_playwright_python
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
LOOK = ROOT / "_build" / "look"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WIDTHS = {390: 844, 768: 1024, 1280: 800}  # a phone, a tablet, a desk: width and height
THEMES = ("light", "dark")
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
# The theme's own: the logo in its sidebar stands outside of its landmarks.
RULES = {"rules": {"region": {"enabled": False}}, "resultTypes": ["violations"]}
HEAVY = {"script", "stylesheet"}


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(folder: Path = HTML) -> Iterator[str]:
    """The site on a server of this machine; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window.

    Raises:
        RuntimeError: where there is none.
    """
    if CHROMIUM is None:
        raise RuntimeError("no browser: install chromium (Debian's package of that name)")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield opened
        finally:
            opened.close()


def pages() -> list[str]:
    """Every page of the site, as its address without the ending."""
    found = [p for p in HTML.rglob("*.html") if "_static" not in p.relative_to(HTML).parts]
    return sorted(p.relative_to(HTML).as_posix().removesuffix(".html") for p in found)


def open_page(page: Page, name: str, address: str = HTML.as_uri()) -> int:
    """Open a page; how many bytes of script and style it needs to be shown."""
    loaded: dict[str, int] = {}

    def note(request) -> None:  # type: ignore[no-untyped-def]
        if request.resource_type in HEAVY:
            path = request.url.removeprefix(address)
            loaded[path] = (HTML / unquote(urlsplit(path).path).lstrip("/")).stat().st_size

    page.on("request", note)
    page.goto(f"{address}/{name}.html", wait_until="domcontentloaded")
    page.remove_listener("request", note)
    inline = page.evaluate(
        "[...document.querySelectorAll('script:not([src]), style')]"
        ".reduce((n, e) => n + e.textContent.length, 0)"
    )
    return sum(loaded.values()) + int(inline)


def too_wide(page: Page) -> int:
    """How many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def scrolling_code(page: Page) -> tuple[int, int]:
    """How many cells of code have to be scrolled sideways, and how many there are."""
    wide, count = page.evaluate(
        """() => {
          const cells = [...document.querySelectorAll("div.cell_input pre")];
          const all = cells.filter(e => e.offsetParent);
          return [all.filter(e => e.scrollWidth > e.clientWidth + 1).length, all.length];
        }"""
    )
    return int(wide), int(count)


def set_theme(page: Page, theme: str) -> None:
    """Show the page in light or dark, as the button at its head does, and at once."""
    page.add_style_tag(content="* { transition: none !important }")
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)


def violations(page: Page, of_many: int = 1_000) -> list[str]:
    """What axe finds, at every level: rule and the first place of it.

    Of the code and the outputs, thousands of coloured words, it reads the first `of_many` blocks.
    """
    page.evaluate(
        "n => [...document.querySelectorAll('div.highlight')].slice(n)"
        ".forEach(e => e.setAttribute('data-not-read', ''))",
        of_many,
    )
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    context = "{exclude: [['[data-not-read]']]}"
    found = page.evaluate(f"rules => axe.run({context}, rules)", RULES)["violations"]
    return [f"{one['id']} ({len(one['nodes'])}): {one['nodes'][0]['html'][:120]}" for one in found]


def first_paint(page: Page) -> int:
    """Milliseconds until the reader saw the first text."""
    entry = "performance.getEntriesByName('first-contentful-paint')[0]"
    page.wait_for_function(entry)
    return round(page.evaluate(f"{entry}.startTime"))


def look_at(page: Page, name: str, address: str) -> None:
    """Print what is found on a page, and take its pictures."""
    weight = open_page(page, name, address)
    print(f"{name}: {weight // 1000} KB of script and style, first paint {first_paint(page)} ms")
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        if (over := too_wide(page)) > 0:
            print(f"  {width}: {over} px too wide")
        if width == 1280 and (scrolling := scrolling_code(page))[0]:
            print(f"  {width}: {scrolling[0]} of {scrolling[1]} cells scroll")
        for theme in THEMES:
            set_theme(page, theme)
            for found in violations(page):
                print(f"  {width}, {theme}: {found}")
            picture = LOOK / f"{name.replace('/', '-')}-{theme}-{width}.png"
            page.screenshot(path=picture, full_page=True)


def main() -> int:
    """Look at the pages named, or at all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="PAGE", help="such as ch05-attention")
    wanted = set(parser.parse_args().names)
    names = [one for one in pages() if not wanted or Path(one).name in wanted]
    if not names:
        print("look: no such page; is the site built (make book)?", file=sys.stderr)
        return 2
    LOOK.mkdir(parents=True, exist_ok=True)
    try:
        with serving() as address, browser() as opened:
            page = opened.new_page()
            for name in names:
                look_at(page, name, address)
    except RuntimeError as error:
        print(f"look: {error}", file=sys.stderr)
        return 2
    print(f"pictures: {LOOK}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
