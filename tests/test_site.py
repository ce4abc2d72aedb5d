"""The built site: complete, readable without a network, and with a text for every figure."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

import minibert
from book import register

CLAIMS = register.load_claims()
ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"

# What makes a browser fetch something by itself; <a href> does not.
LOADING = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
LOADING_LINKS = {"stylesheet", "preload", "prefetch", "icon", "manifest", "modulepreload"}
OUTSIDE = re.compile(r"^\s*(?:https?:|wss?:)?//", re.IGNORECASE)
CSS_LOAD = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
# A script that names an address as something to load: import, fetch, src = …
JS_LOAD = re.compile(
    r"""(?:\bimport\s*\(?|\bfrom|\bfetch\(|\brequire\(\[?|\.src\s*=|importScripts\(|\.open\([^)]*,)"""
    r"""\s*["'`]((?:https?:)?//[^"'`]+)""",
    re.IGNORECASE,
)

# Where the site is not fresh it is built first, every chapter executed.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages() -> dict[Path, BeautifulSoup]:
    """Every page of the site, built by `book/build.py` unless that has just been done.

    The builder itself turns warnings (a failed cell, a broken reference) into errors.
    """
    command = [sys.executable, str(ROOT / "book" / "build.py"), "site"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = sorted(HTML.rglob("*.html"))
    # The theme ships fragments of templates among its static files: they are no pages.
    found = [p for p in found if "_static" not in p.relative_to(HTML).parts]
    return {p: BeautifulSoup(p.read_text(encoding="utf-8"), "html.parser") for p in found}


def content(page: BeautifulSoup) -> Tag | None:
    """The part of a page that the course wrote."""
    return page.select_one("article.bd-article")


def loads(page: BeautifulSoup) -> list[str]:
    """Addresses outside the site that a page would fetch from."""
    found = [
        value
        for name, attributes in LOADING.items()
        for element in page.find_all(name)
        for attribute in attributes
        for value in re.split(r",\s+", str(element.get(attribute) or ""))
    ]
    for link in page.find_all("link"):
        if LOADING_LINKS & set(link.get("rel") or []):
            found.append(str(link.get("href")))
    outside = [value for value in found if OUTSIDE.match(value)]
    for style in page.find_all("style"):
        outside += CSS_LOAD.findall(style.get_text())
    for element in page.find_all(style=True):
        outside += CSS_LOAD.findall(str(element["style"]))
    for script in page.find_all("script", src=False):
        outside += JS_LOAD.findall(script.get_text())
    return outside


def test_the_site_has_its_pages(pages: dict[Path, BeautifulSoup]):
    names = {p.relative_to(HTML).as_posix() for p in pages}
    assert {"index.html", "404.html", "search.html", "book/intro.html"} <= names
    assert len([n for n in names if re.match(r"book/ch\d\d-", n)]) >= 1


def test_no_page_asks_for_anything_outside_itself(pages: dict[Path, BeautifulSoup]):
    assert {p.name: found for p, page in pages.items() if (found := loads(page))} == {}


def test_no_style_or_script_loads_anything_from_outside(pages: dict[Path, BeautifulSoup]):
    del pages
    found = {}
    for path in HTML.rglob("*"):
        if re.search(r"/play/[\w-]+\.\d+\.js$", path.as_posix()):
            continue  # 25 MB of models and WebAssembly, in base64
        if path.suffix in {".css", ".js"}:
            pattern = CSS_LOAD if path.suffix == ".css" else JS_LOAD
            if hits := pattern.findall(path.read_text(encoding="utf-8", errors="replace")):
                found[path.name] = hits
    assert found == {}


def test_an_outside_load_would_be_noticed():
    for sample in (
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
        '<style>@import "https://cdn.example/x.css";</style>',
        '<p style="background: url(http://cdn.example/x.png)">',
        '<script>const s = 1; import("https://cdn.example/x.mjs")</script>',
        '<img srcset="a.png 1x, https://cdn.example/a.png 2x">',
    ):
        assert len(loads(BeautifulSoup(sample, "html.parser"))) == 1, sample
    assert loads(BeautifulSoup('<a href="https://example.org">x</a>', "html.parser")) == []


def test_scripts_styles_and_pictures_are_there(pages: dict[Path, BeautifulSoup]):
    missing = []
    for path, page in pages.items():
        wanted = [e.get("src") for e in page.find_all(["script", "img"]) if e.get("src")]
        wanted += [e["href"] for e in page.find_all("link", rel="stylesheet")]
        for address in map(str, wanted):
            file = unquote(urlsplit(address).path)
            if not address.startswith("data:") and not (path.parent / file).is_file():
                missing.append(f"{path.name}: {address}")
    assert missing == []


def test_every_internal_link_resolves(pages: dict[Path, BeautifulSoup]):
    anchors = {
        path.resolve(): {str(e["id"]) for e in page.find_all(id=True)}
        | {str(e["name"]) for e in page.find_all("a", attrs={"name": True})}
        for path, page in pages.items()
    }
    broken = []
    for path, page in pages.items():
        for link in page.find_all("a", href=True):
            parts = urlsplit(str(link["href"]))
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
            if not target.is_file():
                broken.append(f"{path.name}: {link['href']}")
            elif parts.fragment and unquote(parts.fragment) not in anchors.get(target, set()):
                broken.append(f"{path.name}: {link['href']} (no such place on the page)")
    assert broken == []


def test_every_figure_says_in_words_what_is_to_be_seen(pages: dict[Path, BeautifulSoup]):
    silent = []
    for path, page in pages.items():
        body = content(page)
        if body is None:
            continue
        for image in body.find_all("img"):
            words = str(image.get("alt") or "")
            # Without a text, MyST-NB puts the name of the file there.
            if len(words.split()) < 4 or words.endswith((".png", ".svg")):
                silent.append(f"{path.name}: {image.get('src')} ({words!r})")
        for drawing in body.find_all("svg"):
            hidden = drawing.get("aria-hidden") == "true"
            around = drawing.find_parent(attrs={"aria-label": True, "role": ["group", "img"]})
            named = drawing.get("aria-label") or drawing.find("title") or around
            icon = "sd-octicon" in " ".join(drawing.get("class") or [])
            if not (hidden or named or icon):
                silent.append(f"{path.name}: an inline drawing")
    assert silent == []


def test_formulas_are_drawn_by_the_browser_without_a_script(pages: dict[Path, BeautifulSoup]):
    formulas = [e for page in pages.values() for e in page.select("article .math")]
    assert len(formulas) > 20
    assert [e for e in formulas if e.find("math") is None] == []
    assert not list(HTML.rglob("*mathjax*"))
    assert (HTML / "_static" / "fonts" / "STIXTwoMath.woff").stat().st_size > 50_000


def test_the_appendix_has_every_claim_and_links_to_the_cells_that_settle_it(
    pages: dict[Path, BeautifulSoup],
):
    page = pages[HTML / "book" / "documents-checked.html"]
    named = [e.get_text() for e in page.select(".claims p > strong:first-child")]
    assert named == register.IDS
    links = {str(e["href"]) for e in page.select('.claims a[href*="#claim-"]')}
    settled = [(c, one) for one in CLAIMS for c in one.chapters]
    assert links == {f"{chapter}.html#claim-{claim.id}" for chapter, claim in settled}
    badges = [e.get_text() for e in page.select(".claims p > .sd-badge")]
    assert len(badges) == len(register.IDS)


def test_the_reference_documents_every_public_name(pages: dict[Path, BeautifulSoup]):
    page = pages[HTML / "book" / "api.html"]
    for name in minibert.__all__:
        entry = page.find(id=f"minibert.{name}")
        assert entry is not None, name
        assert entry.find_parent("dl").select_one(":scope > dd > p"), name  # its docstring
    assert "``" not in page.get_text()


def test_the_introduction_lists_every_chapter(pages: dict[Path, BeautifulSoup]):
    page = pages[HTML / "book" / "intro.html"]
    items = [e.get_text(" ", strip=True) for e in page.select(".chapters li")]
    assert [int(item.split(" ")[0]) for item in items] == list(range(1, 19))


def test_the_front_page_counts_and_does_not_state(pages: dict[Path, BeautifulSoup]):
    wrong = sum(claim.verdict == "wrong" for claim in CLAIMS)
    for name, words in (
        ("intro", "{} claims tested, {} found wrong"),
        ("intro-zh", "{} 条说法，其中 {} 条"),
    ):
        page = pages[HTML / "book" / f"{name}.html"]
        assert words.format(len(CLAIMS), wrong) in page.select_one(".door-why").get_text()
        source = (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")
        door = source[source.index("door-why") : source.index("## ")]
        assert not re.search(r"\d", door)


def test_every_part_of_the_map_is_a_link_to_its_chapter(pages: dict[Path, BeautifulSoup]):
    for name in ("intro", "intro-zh"):
        links = pages[HTML / "book" / f"{name}.html"].select(".course-map a")
        assert {str(e["href"]) for e in links} == {
            f"{chapter}.html" for chapter in register.CHAPTERS
        }


def test_the_site_opens_with_the_front_page_itself(pages: dict[Path, BeautifulSoup]):
    page, front = pages[HTML / "index.html"], pages[HTML / "book" / "intro.html"]
    assert page.find("meta", attrs={"http-equiv": re.compile("refresh", re.IGNORECASE)}) is None
    assert content(page).get_text() == content(front).get_text()


def test_every_page_of_the_book_says_what_it_is_about(pages: dict[Path, BeautifulSoup]):
    about = {}
    for path, page in pages.items():
        if path.parent.name == "book":
            tag = page.find("meta", attrs={"name": "description"})
            assert tag is not None, path.name
            about[path.name] = str(tag["content"])
            assert 40 <= len(about[path.name]) <= 210, path.name
            assert page.find("meta", attrs={"property": "og:title"})["content"], path.name
    assert len(set(about.values())) == len(about)


def test_every_image_has_its_size_and_waits_until_it_is_near(pages: dict[Path, BeautifulSoup]):
    images = [
        image
        for page in pages.values()
        if (body := content(page)) is not None
        for image in body.select("img.course-figure")
    ]
    assert len(images) > 50
    assert [i for i in images if not (i.get("width") and i.get("height"))] == []
    assert [i for i in images if i.get("loading") != "lazy"] == []


def test_every_claim_on_a_page_can_be_linked_to(pages: dict[Path, BeautifulSoup]):
    for path, page in pages.items():
        ids = {e["id"] for e in page.find_all(id=re.compile(r"^claim-[A-Z]\d+$"))}
        tagged = {
            name.removeprefix("tag_")
            for cell in page.select("div.cell")
            for name in cell.get("class") or []
            if re.fullmatch(r"tag_claim-[A-Z]\d+", name)
        }
        assert ids == tagged, path.name
