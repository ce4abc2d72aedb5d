"""A reader's own copies of the pages: followed while untouched, kept once changed, and readable."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import nbformat
import pytest

from book import lab
from book.repository import address, install_cell, notebook_links

PAGES = lab.originals()


def markdown_of(name: str) -> str:
    """The prose of a page."""
    if not name.endswith(".ipynb"):
        return PAGES[name]
    cells = nbformat.reads(PAGES[name], as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Three small pages in place of the course's."""
    cell = nbformat.v4.new_code_cell("1 + 1", id="a")
    notebook = nbformat.writes(nbformat.v4.new_notebook(cells=[cell])) + "\n"
    small = {"ch01-a.ipynb": notebook, "ch02-b.ipynb": notebook, "start.md": "# Start\n"}
    monkeypatch.setattr(lab, "originals", lambda: dict(small))
    return small


def code(source: str, **more) -> str:
    """A notebook of one code cell, as JupyterLab would write it."""
    cell = nbformat.v4.new_code_cell(source, id="a", **more)
    spec = {"name": "python3", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": spec})
    return nbformat.writes(notebook)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_reads_well_where_nothing_draws_directives(name: str):
    text = re.sub(r"^```\w*\n.*?^```$", "", markdown_of(name), flags=re.DOTALL | re.MULTILINE)
    raw = re.findall(r"^:::.*|^```\{.*|\{[a-z-]+\}`|^:\w+:.*", text, re.MULTILINE)
    assert raw == []


@pytest.mark.parametrize("name", PAGES)
def test_every_link_between_pages_leads_to_one(name: str):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", markdown_of(name))
    there = {link for link in links if Path(os.path.normpath(lab.MINE / link)).exists()}
    assert [link for link in links if link not in there | PAGES.keys()] == []


def test_a_readers_notebook_has_no_outputs_to_spoil_a_prediction():
    for name in PAGES:
        if name.endswith(".ipynb"):
            cells = json.loads(PAGES[name])["cells"]
            assert all(not cell.get("outputs") for cell in cells), name


def test_an_untouched_copy_follows_the_course_and_one_that_only_ran_does_too(tmp_path, pages):
    assert lab.prepare(tmp_path) == []
    ran = code("1 + 1", outputs=[nbformat.v4.new_output("stream", text="2")], execution_count=1)
    (tmp_path / "ch01-a.ipynb").write_text(ran, encoding="utf-8")
    assert lab.prepare(tmp_path) == []
    assert (tmp_path / "ch01-a.ipynb").read_text(encoding="utf-8") == ran  # outputs are kept
    pages["ch01-a.ipynb"] = pages["ch02-b.ipynb"] = code("2 + 2")
    assert lab.prepare(tmp_path) == []
    for name in ("ch01-a.ipynb", "ch02-b.ipynb"):
        assert "2 + 2" in (tmp_path / name).read_text(encoding="utf-8")


def test_what_a_reader_changed_is_never_overwritten(tmp_path, pages):
    lab.prepare(tmp_path)
    mine = code("my own")
    (tmp_path / "ch01-a.ipynb").write_text(mine, encoding="utf-8")
    pages["ch01-a.ipynb"] = code("2 + 2")
    (told,) = lab.prepare(tmp_path)
    assert "make again PAGE=ch01-a" in told
    assert (tmp_path / "ch01-a.ipynb").read_text(encoding="utf-8") == mine
    (tmp_path / ".originals.json").unlink()  # lost: what is there counts as the reader's
    assert lab.prepare(tmp_path)
    assert (tmp_path / "ch01-a.ipynb").read_text(encoding="utf-8") == mine


def test_a_page_is_started_again_and_the_readers_kept_beside_it(tmp_path, pages):
    lab.prepare(tmp_path)
    for number in (1, 2):
        (tmp_path / "ch01-a.ipynb").write_text(code(f"mine {number}"), encoding="utf-8")
        assert f"ch01-a.mine-{number}.ipynb" in lab.again("ch01-a", tmp_path)
        kept = tmp_path / f"ch01-a.mine-{number}.ipynb"
        assert f"mine {number}" in kept.read_text(encoding="utf-8")
        original = (tmp_path / "ch01-a.ipynb").read_text(encoding="utf-8")
        assert original == pages["ch01-a.ipynb"]
    assert "as it was" in lab.again("start", tmp_path)
    with pytest.raises(ValueError, match="no page 'ch99'"):
        lab.again("ch99", tmp_path)


def test_figures_follow_the_dark_theme_in_jupyterlab_as_on_the_site():
    assert "--LabApp.custom_css=True" in lab.lab_command()
    assert f"--ServerApp.static_custom_path={lab.STYLE}" in lab.lab_command()
    site = (lab.BOOK / "_static" / "figures.css").read_text(encoding="utf-8")
    style = (lab.STYLE / "custom.css").read_text(encoding="utf-8")
    (filters,) = re.findall(r"filter: (invert.*);", style)
    assert f"filter: {filters};" in site
    assert 'data-jp-theme-light="false"' in style


def test_links_to_colab_and_binder_appear_with_an_address_only(tmp_path: Path):
    config = tmp_path / "_config.yml"
    for written, expected in (("", ""), ("repository:\n  url: ''\n", "")):
        config.write_text(written or "title: x\n")
        assert address(config) == expected
    config.write_text("repository:\n  url: https://github.com/some-body/bert.course/\n")
    url = address(config)
    links = notebook_links("ch05-attention", url)
    assert links["open in Colab"].endswith(
        "/github/some-body/bert.course/blob/main/book/notebooks/ch05-attention.ipynb"
    )
    assert f"git+{url}" in install_cell(url)
    assert notebook_links("ch05-attention", "") == {}
    config.write_text("repository:\n  url: https://example.org/bert\n")
    with pytest.raises(ValueError, match=r"_config\.yml: repository\.url"):
        address(config)
