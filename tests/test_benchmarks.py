"""The benchmarks: rows, what is void, pages that quote them."""

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import harness  # noqa: E402
import scaling  # noqa: E402


def test_sides_take_turns_and_a_row_is_the_median_of_the_ratios_of_rounds():
    calls = []
    sides = [lambda: calls.append("a"), lambda: calls.append("b")]
    times = harness.in_turns(sides, 3)
    assert calls == ["a", "b"] * 4  # once to warm up
    assert [len(taken) for taken in times] == [3, 3]
    row = harness.compared("x", "texts/s", 10, [1.0, 2.0, 1.0], [2.0, 6.0, 9.0], floor=3.0)
    assert (row["ours"], row["theirs"]) == (10, pytest.approx(10 / 6))
    assert (row["ratio"], row["spread"], row["holds"]) == (3, [2, 9], True)
    assert harness.row("x", "points", -0.6, floor=-0.5)["holds"] is False
    assert harness.row("x", "points", -0.4)["holds"] is None


def test_a_void_row_says_why_and_neither_holds_nor_fails():
    row = harness.void("x", "texts/s", "no bf16 here", 3.0)
    assert (row["ours"], row["ratio"], row["holds"], row["void"]) == (
        None,
        None,
        None,
        "no bf16 here",
    )


def test_results_and_their_figure_are_written(tmp_path):
    rows = [
        harness.compared("fast", "texts/s", 1, [1.0], [4.0], 3.0),
        harness.void("not here", "texts/s", "why"),
    ]
    harness.write(tmp_path / "a.json", {"cores": 2}, rows)
    assert json.loads((tmp_path / "a.json").read_text()) == {"cores": 2, "rows": rows}
    harness.draw(tmp_path / "a.svg", rows)
    assert "<svg" in (tmp_path / "a.svg").read_text()


SPEEDS = [*(BENCHMARKS / "results").glob("latest.json"), BENCHMARKS / "results" / "gpu.json"]


@pytest.mark.parametrize("path", SPEEDS, ids=lambda p: p.name)
def test_stored_rows_have_the_columns_that_are_promised(path):
    held = json.loads(path.read_text(encoding="utf-8"))
    wanted = {"name", "unit", "ours", "theirs", "ratio", "spread", "floor", "holds"}
    assert held["rows"]
    for row in held["rows"]:
        assert wanted <= set(row)
        if (
            row["floor"] is not None
            and "void" not in row
            and row["name"].split(",")[0] not in (*("parity", "packed", "memory", "fp16"),)
        ):
            reached = row["ours"] if row["ratio"] is None else row["ratio"]
            assert row["holds"] == (reached >= row["floor"]), row["name"]


def test_the_scaling_page_has_the_table_that_the_script_prints():
    page = (BENCHMARKS / "SCALING.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in page if line.startswith(("| Base, ", "| Large, "))] == list(
        scaling.lines()
    )


def test_a_plan_waits_for_what_computing_cannot_hide():
    model, speed = scaling.shape("base"), 1e6
    alone = scaling.plan(model, speed, 1, 10**6, "ddp")
    assert (alone.computing, alone.waiting, alone.efficiency) == (1.0, 0.0, 1.0)
    hidden, bound = (scaling.plan(model, speed, 64, n, "ddp") for n in (10**7, 10**4))
    assert hidden.waiting < hidden.exchanging  # all but the token matrix
    assert bound.waiting == pytest.approx(bound.exchanging, rel=0.05)
    assert scaling.plan(model, speed, 8, 10**6, "fsdp").held < hidden.held / 4
