"""The register of claims against the executed notebooks: every claim computed and asserted."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from book import register
from book.register import CHAPTERS, IDS, VERDICTS, Claim, count_assertions, load_claims, problems

CLAIMS = load_claims()


def test_the_register_has_all_claims_of_the_five_documents():
    assert [claim.id for claim in CLAIMS] == IDS
    assert len(IDS) == 85


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.id)
def test_a_row_is_complete(claim: Claim):
    assert claim.statement.strip().endswith(".")
    assert "\n" not in claim.statement.strip() + claim.finding.strip()
    assert claim.verdict in VERDICTS
    assert claim.chapters
    assert set(claim.chapters) <= set(CHAPTERS)
    assert claim.finding.strip().endswith("."), "one line that says what came out"
    if claim.measured:
        assert claim.verdict in {"holds", "loose", "wrong", "not shown"}, "say what was measured"


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.broken_by != ""], ids=lambda c: c.id)
def test_how_a_cell_was_broken_is_told_in_one_line(claim: Claim):
    assert isinstance(claim.broken_by, str)
    assert claim.broken_by.endswith(".")
    assert "\n" not in claim.broken_by


def test_every_claim_of_a_chapter_in_the_book_is_computed_and_asserted_there():
    assert register.listed_chapters() == CHAPTERS
    assert problems(CLAIMS, CHAPTERS) == []


def test_the_book_settles_every_claim():
    settled = {
        cell.claim
        for chapter in CHAPTERS
        for cell in register.claim_cells(register.NOTEBOOKS / f"{chapter}.ipynb")
    }
    assert settled == set(IDS)


CLAIM = Claim("A9", "Ten.", "wrong", ["ch02-tokens"], "Eleven.")
GOOD = "tokens = [1] * 11\nassert len(tokens) == 11"


def cell(source: str = GOOD, count: int | None = 1, tags: tuple[str, ...] = ("claim-A9",)):
    made = new_code_cell(source, metadata={"tags": list(tags)}, execution_count=count)
    return made


def check(tmp_path: Path, *cells: nbformat.NotebookNode, claim: Claim = CLAIM) -> list[str]:
    """The problems of a book of one chapter with these cells."""
    nbformat.write(new_notebook(cells=list(cells)), tmp_path / "ch02-tokens.ipynb")
    return problems([claim], ["ch02-tokens"], tmp_path)


def test_a_claim_that_is_computed_and_asserted_is_in_order(tmp_path: Path):
    assert check(tmp_path, cell()) == []
    assert check(tmp_path, cell("print(1)"), cell()) == []  # one of several cells asserts


def test_a_missing_skipped_failed_or_idle_cell_is_noticed(tmp_path: Path):
    failed = cell()
    failed.outputs = [new_output("error", ename="AssertionError", evalue="", traceback=[])]
    for cells, words in (
        ([], "no cell is tagged claim-A9"),
        ([cell(tags=())], "no cell is tagged claim-A9"),
        ([cell(count=None)], "was skipped or failed"),
        ([cell(tags=("claim-A9", "nbval-skip"))], "was skipped or failed"),
        ([cell(tags=("claim-A9", "raises-exception"))], "was skipped or failed"),
        ([cell(), cell(count=None)], "was skipped or failed"),
        ([failed], "was skipped or failed"),
        ([cell("print(11)")], "asserts anything"),
        ([cell("assert True")], "asserts anything"),
        ([cell("def f(x):\n    assert x")], "asserts anything"),
    ):
        (found,) = check(tmp_path, *cells)
        assert words in found
    assert "no executed notebook" in problems([CLAIM], ["ch03-embeddings"], tmp_path)[0]


def test_an_unknown_tag_is_noticed(tmp_path: Path):
    (found,) = check(tmp_path, cell(), cell(tags=("claim-B1",)))
    assert "claim-B1, which claims.yml does not have there" in found


def test_an_id_that_stands_twice_is_refused():
    row = "A1: {statement: a., verdict: holds, chapters: [x], finding: b.}\n"
    assert len(load_claims(row)) == 1
    with pytest.raises(ValueError, match="A1 more than once"):
        load_claims(row * 2)
    with pytest.raises(ValueError, match="verdikt"):
        load_claims(row.replace("verdict", "verdikt"))


def test_assertions_are_counted_where_they_run():
    assert count_assertions("%matplotlib inline\nfor x in y:\n    assert x\nassert f(1) == 2") == 2
    assert count_assertions("assert 1 == 1") == 0
