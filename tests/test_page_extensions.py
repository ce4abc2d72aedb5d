"""What the build does to a page's head, its images, formulas and style sheets."""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))  # where Sphinx finds them

import lighter  # noqa: E402
import maths  # noqa: E402
import metadata  # noqa: E402

from book import pdf  # noqa: E402


def test_a_style_sheet_keeps_what_a_page_can_match():
    css = """
      .used, .gone a { color: red } .gone { color: blue } p:not(.gone) { margin: 0 }
      @media print { .gone { top: 0 } .used { top: 1px } } @media screen { .gone {} }
      @font-face { font-family: x; src: url(y) } :root { --a: 1 } .used.gone { left: 0 }
    """
    kept = lighter.lean(css, {"used"}).replace("\n", "")
    assert ".gone a" not in kept
    assert "blue" not in kept
    assert "left" not in kept
    assert "screen" not in kept
    for part in (".used{color: red}", "p:not(.gone)", ".used{top: 1px}", "@font-face", "--a: 1"):
        assert part in kept, part


def test_an_image_says_its_size_and_waits(tmp_path: Path):
    head = struct.pack(">I4sII", 13, b"IHDR", 640, 480)
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head)
    app = SimpleNamespace(srcdir=tmp_path, builder=SimpleNamespace(images={"a.png": "x.png"}))
    body = '<img alt="wide" src="../_images/x.png" style="width: 320px;" /><img src="data:y" />'
    context = {"body": body}
    lighter.size_images(app, "", "", context, None)  # type: ignore[arg-type]
    first, second = re.findall(r"<img[^>]*>", context["body"])
    assert 'width="640" height="480"' in first
    assert "height=" not in second
    assert all('loading="lazy"' in image for image in (first, second))


def test_a_page_at_the_root_leads_where_it_led_in_its_folder():
    page = (
        '<a href="ch01.html#x"><a href="#top"><img src="../_images/a.png"><a href="https://a.b/c">'
    )
    assert metadata.at_root(page + '<html data-content_root="../">', "book") == (
        '<a href="book/ch01.html#x"><a href="#top"><img src="_images/a.png">'
        '<a href="https://a.b/c"><html data-content_root="./">'
    )


def test_a_description_is_the_first_long_paragraph_cut_at_a_word():
    page = nodes.section()
    page += nodes.block_quote("", nodes.paragraph("", "a quoted line " * 8))
    page += [nodes.paragraph("", "short"), nodes.paragraph("", "several words\nof text " * 20)]
    about = metadata.description(page)
    assert about.startswith("several words of text several")
    assert about.endswith(" …")
    assert len(about) <= metadata.LENGTH + 2


def test_a_formula_becomes_mathml_and_what_is_none_stops_the_build():
    made = maths.mathml(r"\ln 4", display=False)
    assert made.startswith("<math")
    assert "<mspace" in made  # ln 4, not ln4
    assert 'display="block"' in maths.mathml(r"\frac{1}{2}", display=True)
    with pytest.raises(ValueError, match="as MathML"):
        maths.mathml(r"\frac{1}{", display=False)


def test_links_between_pages_stay_links_in_the_one_page_for_the_pdf():
    known = {"ch05-attention", "glossary"}
    for address, expected in {
        "glossary.html": "#glossary",
        "ch05-attention.html#claim-B21": "#ch05-attention--claim-B21",
        "#one": "#glossary--one",
        "../genindex.html": "#glossary",  # not on paper: stays where it is
        "https://example.org/x.html#y": "https://example.org/x.html#y",
    }.items():
        assert pdf._link(address, "glossary", known) == expected


def test_a_page_is_put_into_the_pdf_open_and_without_what_only_a_screen_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pdf, "HTML", tmp_path / "html")
    (tmp_path / "html" / "book").mkdir(parents=True)
    (tmp_path / "html" / "book" / "a.html").write_text(
        '<nav></nav><article class="bd-article">'
        '<h1 id="x">A<a class="headerlink" href="#x">#</a></h1>'
        '<details><summary>More</summary></details><img loading="lazy" src="../_images/i.png">'
        "<script>1</script><button>Copy</button></article>",
        encoding="utf-8",
    )
    made = str(pdf.article("a", {"a"}, tmp_path / "pdf" / "book.html"))
    assert '<h1 id="a--x">A</h1>' in made
    assert '<details open="">' in made
    assert 'src="../html/_images/i.png"' in made
    assert not any(word in made for word in ("script", "button", "lazy", "nav"))
