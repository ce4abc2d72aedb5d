"""The front page and what the build makes of pages: counted, described, light, at their address."""

from __future__ import annotations

import re

import pytest

from book.counts import COUNTS, count, minutes
from book.lists import aim, chapter_lines
from book.plain import plain
from book.register import CHAPTERS, load_claims
from book.repository import site


def test_what_the_front_page_counts_is_counted():
    assert count("claims") == str(len(load_claims()))
    assert count("chapters") == str(len(CHAPTERS))
    assert all(int(count(name)) > 0 for name in COUNTS)
    with pytest.raises(ValueError, match="nothing is counted as 'wonders'"):
        count("wonders")


def test_reading_takes_words_by_230_and_lines_of_code_by_15_minutes(tmp_path, monkeypatch):
    monkeypatch.setattr("book.counts.BOOK", tmp_path)
    shown = "```{code-cell} ipython3\n" + "x = 1\n" * 150 + "```\n"  # ten minutes
    folded = "```{code-cell} ipython3\n:tags: [hide-input]\n" + "y = 2\n" * 600 + "```\n"
    page = "---\na: b\n---\n\n# 1 · A\n\n" + "word " * 2290 + "\n\n" + shown + folded  # ten more
    (tmp_path / "ch01-a.md").write_text(page, encoding="utf-8")
    assert minutes("ch01-a") == 20


def test_hours_are_sums_in_halves(monkeypatch):
    monkeypatch.setattr("book.counts.minutes", lambda chapter: 26)
    assert count("hours 1 2 3") == "1½"
    assert count("hours 1") == "½"
    assert count("hours all") == "8"


def test_the_list_says_minutes_and_aim_of_every_chapter():
    lines = chapter_lines()
    for chapter in CHAPTERS:
        (row,) = [i for i, line in enumerate(lines) if f"]({chapter}.md)" in line]
        assert re.search(r"\*\d+ min\*", lines[row])
        assert lines[row + 1].strip() == aim(chapter)


def test_a_translated_list_has_every_part_and_chapter_in_order():
    rows = [f"- {n} 题 | 能。" for n in range(1, len(CHAPTERS) + 1)]
    parts = [f"# {part}" for part in "一二三四"]
    assert sum("分钟" in line for line in chapter_lines("\n".join(parts + rows))) == len(CHAPTERS)
    for wrong in (rows[1:], [rows[1], rows[0], *rows[2:]]):
        with pytest.raises(ValueError, match="18 chapters, in order"):
            chapter_lines("\n".join(parts + wrong))
    with pytest.raises(ValueError, match="4 parts"):
        chapter_lines("\n".join(parts[1:] + rows))


def test_the_front_pages_parts_have_a_plain_form():
    text = plain(":::{div} a\nb {count}`claims`\n:::\n\n```{map}\nA map.\n```", str)
    assert f"b {count('claims')}" in text
    assert "![A map.](_static/map.svg)" in text


def test_the_published_books_address_follows_from_the_repositorys():
    assert (
        site("https://github.com/Some-Body/bert.course")
        == "https://some-body.github.io/bert.course/"
    )
    assert site("") == ""
