"""Predictions and quizzes: read from their source, decided by a cell, written plainly elsewhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from book.plain import plain
from book.questions import FENCE, decide, parse, replace_in_notebook

ROOT = Path(__file__).resolve().parent.parent
PREDICT = """:cell: rows
How many rows differ?

- [1] Just one. | Then nothing
  would be exchanged.
- [2..10] Its *neighbours*. | As in a convolution.
- [11] All | of them. | In one step.
"""
QUIZ = """What is 2 + 2?

- [ ] 3 | No.
- [x] 4 | Yes.
"""


def test_a_prediction_is_read_with_its_settings_and_wrapped_lines():
    question = parse("predict", PREDICT)
    assert (question.cell, question.text) == ("rows", "How many rows differ?")
    assert question.options[0].explanation == "Then nothing would be exchanged."
    assert [option.mark for option in question.options] == ["1", "2..10", "11"]


def test_an_answer_that_looks_like_a_list_stays_a_sentence():
    question = parse("quiz", "Which?\n\n- [ ] 64. | 3) is no list.\n- [x] - 8 | 8.5 is.")
    assert [(o.text, o.explanation) for o in question.options] == [
        (r"64\.", r"3\) is no list."),
        (r"\- 8", "8.5 is."),
    ]


@pytest.mark.parametrize(("result", "option"), [("1", 0), ("2", 1), ("10", 1), ("11", 2)])
def test_the_result_of_the_cell_makes_one_option_right(result: str, option: int):
    assert decide(parse("predict", PREDICT), result) == option


@pytest.mark.parametrize(
    ("marks", "result", "option"),
    [
        (("..0.5", "0.5..0.9", "0.95.."), "0.97", 2),
        (("-1..0", "0.01..1", "else"), "-0.5", 0),
        (("-1..0", "0.01..1", "else"), "7", 2),
        (("True", "False"), "False", 1),
        (("key, query", "value"), "'query'", 0),
        (("1", "0..0.5"), "True", None),  # a truth value is no number
        (("1", "2"), "3", None),
        (("..2", "2.."), "2", None),  # both ends belong to a range
        (("1", "2"), "tensor(1)", None),  # no plain value
        (("1", "2"), "", None),  # the cell ends with no expression
    ],
)
def test_text_and_result_must_agree_on_exactly_one(marks, result, option):
    body = ":cell: c\nWhich?\n\n" + "\n".join(f"- [{mark}] So. | Why." for mark in marks)
    question = parse("predict", body)
    if option is None:
        with pytest.raises(ValueError, match="cell 'c'"):
            decide(question, result)
    else:
        assert decide(question, result) == option


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("predict", "Which?\n\n- [1] a | b\n- [2] c | d", "needs :cell:"),
        ("quiz", "Which?\n\n- [ ] a | b\n- [ ] c | d", "no right option"),
        ("quiz", "Which?\n\n- [x] a | b", "two to five options"),
        ("quiz", "Which?\n\n- [x] a\n- [ ] c | d", "no explanation"),
        ("quiz", "Which?\n\n- [1] a | b\n- [x] c | d", r"begins with \[x\] or \[ \]"),
        ("predict", ":cell: c\nWhich?\n\n- [x] a | b\n- [2] c | d", "results that make it right"),
        ("quiz", ":cell: c\nWhich?\n\n- [x] a | b\n- [ ] c | d", "has no :cell:"),
    ],
)
def test_a_question_that_is_not_whole_is_refused(kind, body: str, says: str):
    with pytest.raises(ValueError, match=says):
        parse(kind, body)


def test_a_notebook_asks_before_the_cell_and_explains_after_it():
    asked = f"Text.\n\n```{{predict}}\n{PREDICT}```\n\nMore."
    cells = [
        ("markdown", asked, []),
        ("code", "rows()", []),
        ("code", "count", ["rows"]),
        ("markdown", "All eleven.", []),
        ("markdown", f":::{{quiz}}\n{QUIZ}:::", []),
    ]
    before, _, _, after, quiz = replace_in_notebook(cells)
    assert before.startswith("Text.")
    assert before.endswith("More.")
    assert "- Just one." in before
    assert "convolution" not in before  # no explanation before the output
    assert "[2..10]" not in before
    assert after.startswith("<details>")
    assert after.endswith("All eleven.")
    assert "convolution" in after
    assert quiz.index("- 4") < quiz.index("<details>") < quiz.index("✓ **4**")


def test_a_prediction_whose_cell_is_missing_is_refused():
    asked = f"```{{predict}}\n{PREDICT}```"
    with pytest.raises(ValueError, match="tagged 'rows'"):
        replace_in_notebook([("markdown", asked, []), ("code", "1", ["columns"])])
    with pytest.raises(ValueError, match="no text follows"):
        replace_in_notebook([("markdown", asked, []), ("code", "1", ["rows"])])


CHAPTERS = sorted((ROOT / "book").glob("ch[0-9][0-9]-*.md"))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda p: p.stem)
def test_nothing_but_code_stands_between_a_prediction_and_the_cell_that_decides_it(chapter: Path):
    text = chapter.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if found["kind"] == "predict":
            tag, rest = parse("predict", found["body"]).cell, text[found.end() :]
            cells = re.match(r"(?:\s*```\{code-cell\}.*?\n```(?=\n|$))*", rest, re.DOTALL)
            assert cells is not None
            assert re.search(rf"tags: \[.*\b{re.escape(tag)}\b", cells[0]), tag


def test_every_chapter_ends_with_questions_to_answer():
    for chapter in sorted((ROOT / "book").glob("ch[0-9][0-9]-*.md")):
        text = chapter.read_text(encoding="utf-8")
        kinds = [m["kind"] for m in FENCE.finditer(text) if parse(m["kind"], m["body"])]
        assert kinds.count("quiz") >= 3, chapter.name
        assert text.count("{quiz}") + text.count("{predict}") == len(kinds), chapter.name


@pytest.mark.parametrize(
    "chapter", sorted((ROOT / "book").glob("ch[0-9][0-9]-*.md")), ids=lambda p: p.stem
)
def test_no_title_of_a_figure_gives_a_prediction_away(chapter: Path):
    text = chapter.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if found["kind"] == "predict":
            tag = parse("predict", found["body"]).cell
            for cell in re.findall(
                r"```{code-cell} ipython3\n.*?\n```", text[found.end() :], re.DOTALL
            ):
                assert "plots." not in cell or "hide-input" in cell, cell
                if re.search(rf":tags: \[.*\b{tag}\b", cell):
                    break


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("See {chapter}`5`.", "See [chapter 5](ch05-attention!)."),
        ("{bdg-success}`holds`", "**holds**"),
        (":::{dropdown} Why?\nSo.\n:::", "<details><summary>Why?</summary>\n\nSo.\n\n</details>"),
        ("```{admonition} 小结\n:class: tip\n一。\n二。\n```", "> **小结**\n>\n> 一。\n> 二。"),
        ("Time\n: Ten\n  minutes.\n\n: More.", "**Time**  \nTen\nminutes.\n\nMore."),
        ("```{notebook-links}\n```\nText", "Text"),
        ("[all](documents-checked.md)", "[all](documents-checked!)"),
        ("a | b\n| --- | --- |", "a | b\n| --- | --- |"),
    ],
)
def test_directives_become_plain_markdown(myst: str, markdown: str):
    assert plain(myst, lambda page: f"{page}!") == markdown


def test_a_directive_that_has_no_plain_form_is_an_error():
    with pytest.raises(ValueError, match="marvel"):
        plain("```{marvel}\n```", str)
    with pytest.raises(ValueError, match="wonder"):
        plain("{wonder}`x`", str)


def test_a_box_of_claims_names_verdict_and_finding():
    text = plain("```{claim} A1, A5\n```", lambda page: f"{page}.md")
    assert "**holds** [A1](documents-checked.md)" in text
    assert "**wrong** [A5]" in text
    with pytest.raises(ValueError, match="no claim Z9"):
        plain("```{claim} Z9\n```", str)


@pytest.mark.skipif(shutil.which("node") is None, reason="no node: the page's script is not tested")
def test_the_pages_script_reads_records_numbers_and_progress_files(tmp_path: Path):
    script = ROOT / "book" / "_static" / "questions.js"
    calls = """
    const q = require(process.argv[1]);
    const record = {version: 1, answers: {"a#x": [1], "a#y": []}};
    const thrown = (f) => { try { f(); return false; } catch { return true; } };
    console.log(JSON.stringify({
      number: ["8", " 8,05 ", "27.7", "9", "", "x"].map(
        (typed) => q.optionOfNumber(typed, ["27.7", "8"], 0.1)),
      right: [[[1], [1]], [[2, 1], [1, 2]], [[1], [1, 2]], [[], [1]]].map((a) => q.isRight(...a)),
      read: [q.readRecord(JSON.stringify(record)).answers["a#x"], q.readRecord("null").answers,
             q.readRecord("{").answers, q.readRecord('{"version": 1, "answers": 3}').answers],
      answered: q.answered(record, "a", ["x", "y", "z"]),
      passed: q.passedTasks('{"5.1": {"passed": "2026-01-01"}, "5.2": {"passed": ""}}'),
      refused: ["{}", "[]", "null", '{"answers": {}}'].map((t) => thrown(() => q.passedTasks(t))),
    }));
    """
    done = subprocess.run(
        ["node", "-e", calls, str(script)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(done.stdout) == {
        "number": [1, 1, 0, -1, -1, -1],
        "right": [True, True, False, False],
        "read": [[1], {}, {}, {}],
        "answered": 1,
        "passed": ["5.1"],
        "refused": [True, True, True, True],
    }
    assert not re.search(r"https?://", script.read_text(encoding="utf-8"))
