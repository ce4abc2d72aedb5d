"""A small number of what `make torture` tries: nothing of it may be lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import torture
from faults.tally import Tally
from trainings import environment

# `processes` takes a minute: test_distributed.py has what is needed of it.
PARTS = [name for name in torture.PARTS if name != "processes"]


@pytest.mark.slow
def test_nothing_is_lost():
    done = subprocess.run(
        [sys.executable, torture.__file__, "--quick", "--only", *PARTS],
        env=environment(PYTHONWARNINGS="default:no mount"),
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if " tried " in line]
    assert {row[4].rstrip(":") for row in rows} == set(PARTS)
    assert all(int(tried) > 0 and lost == "0" for tried, _, lost, *_ in rows)


def test_what_goes_wrong_is_counted_as_lost():
    tally = Tally("x")
    for action in (lambda: None, lambda: 1 / 0, lambda: [].pop()):
        with tally.case(action):
            action()
    with tally.case("never ends", limit=0.05):
        while True:
            pass
    tally.check(True, "fine")
    tally.check(False, "not fine")
    assert tally.row() == {"name": "x", "tried": 6, "survived": 2, "lost": 4}
    assert "ZeroDivisionError" in tally.lost[0]
    assert "no end" in tally.lost[2]


def test_a_part_that_is_run_alone_replaces_its_own_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(torture, "RESULTS", tmp_path / "torture.json")
    row = {"name": "fuzz: a", "tried": 1, "survived": 0, "lost": 1}
    torture.keep("fuzz", [row], 1.0)
    torture.keep("kills", [{**row, "name": "kills: b"}], 2.0)
    torture.keep("fuzz", [{**row, "survived": 1, "lost": 0}], 3.0)
    kept = json.loads(torture.RESULTS.read_text())
    assert [(found["name"], found["lost"]) for found in kept["rows"]] == [
        ("kills: b", 1),
        ("fuzz: a", 0),
    ]
    assert kept["seconds"] == {"kills": 2, "fuzz": 3}
