"""Chapters point at what a cell printed and do not repeat it."""

from __future__ import annotations

import pytest

from book import prose

CHAPTERS = sorted(prose.BOOK.glob("ch[0-9][0-9]-*.md"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_no_figure_in_a_chapters_prose_that_a_cell_should_print(path):
    assert prose.findings(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("The accuracy is 0.43, then 0.5.", ["0.43", "0.5"]),
        ("It is right 43 % of the time, or 12.5%, or 7 percent.", ["43 %", "12.5%", "7 percent"]),
        ("There are 3,072 of them, or 30522.", ["3,072", "30522"]),
        ("A bare number in dollars: $0.996$ and $15\\%$.", ["0.996", "15%"]),
        ("> In a quotation, 0.43.", ["0.43"]),
        (":::{dropdown} Is it 0.25?\n- No: 0.75.\n:::", ["0.25", "0.75"]),
        ("```{admonition} Note it\n:class: tip\nIt is 0.75.\n```", ["0.75"]),
        ("The notes say 80 %. We find 79.9 %.", ["79.9 %"]),
        ("Text.\n```{code-cell}\nx = 0.1\n```\nThen 0.2.", ["0.2"]),
        ("**Wrong**: it is 0.996.", ["0.996"]),
        ("# T\n\n## Exercises\n\nTry 0.5.\n\n## Takeaway\n\nIt was 0.7.", ["0.7"]),
    ],
)
def test_figures_are_found(text, figures):
    assert [one.figure for one in prose.findings(text)] == figures


@pytest.mark.parametrize(
    "text",
    [
        "Twelve layers, 768 numbers, 11 tokens, 512 positions.",
        "In 2018, between 1997 and 2026.",
        "The notes say that 15 % are picked.",
        "The notes\nshow this: 0.85, 0.10; and 0.05.",
        "The documents give 0.62 for it.",
        "By the table, [Devlin et al., 2019](#devlin2019), it had 80.5 %\nand 340 M of 3.3.",
        "Python 3.11, version 0.1, section 3.1 and 3.2.3, Table 2.1.",
        "A formula $d_k = 0.5 \\times 3{,}072$ and $$x = 0.4$$ and `0.43` and\n`x =\n0.5`.",
        "See [this](https://example.org/0.43/10000) or <https://example.org/1.5>.",
        "```{code-cell} ipython3\n:tags: [claim-A1]\nprint(0.43)\n```",
        "````\n```\n0.1\n```\n0.2\n````",
        "$$\nx = 0.43\n$$",
        "---\nversion: 1.5\n---\n# Title",
        "<!-- figures: 15 %; 3,072: the recipe -->\n\nOne picks 15 % of 3072.",
        "讲义说约 1.1 亿。",
        "# T\n\n## Exercises\n\nReplace 10000 by 0.5.\n\n## Further reading\n\nNone.",
    ],
)
def test_what_is_allowed_is_left_alone(text):
    assert prose.findings(text) == []


def test_a_finding_names_its_line():
    text = "# A\n\nOne line.\nTwo\nlines with 0.43 in them.\n\n- And 0.5.\n"
    assert [(one.line, one.figure) for one in prose.findings(text)] == [(5, "0.43"), (7, "0.5")]
