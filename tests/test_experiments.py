"""Long experiments: run by seed, interrupted and resumed, read from any folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from minibert.course.experiments import ch07_recurrent, harness

RESULTS = Path(__file__).resolve().parent.parent / "minibert" / "course" / "experiments" / "results"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the harness keeps results during a test."""
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["ch99_small.py"])
    return tmp_path / "results"


def measure(seed: int, *, steps: int, sizes: tuple[int, ...] = (1, 2)) -> dict[str, object]:
    return {"score": {"a": seed + steps}, "sizes": list(sizes)}


def test_what_was_measured_is_read_back_with_its_circumstances(folder: Path):
    settings = {"steps": 10, "sizes": (4, 5)}
    returned = harness.run("ch99_small", settings, [0, 2, 1], measure)
    held = harness.results("ch99_small")
    assert held == returned
    assert held["command"] == "python -m minibert.course.experiments.ch99_small"
    assert held["settings"] == {"steps": 10, "sizes": [4, 5]}
    assert held["seeds"] == [0, 1, 2]
    assert set(held["seconds"]) == set(held["results"]) == {"0", "1", "2"}
    assert held["machine"]["torch"]
    assert held["machine"]["cores"] >= 1
    assert harness.values(held, "score", "a") == [10, 11, 12]
    assert [p.name for p in folder.iterdir()] == ["ch99_small.json"]  # no partial file left


def test_seeds_that_are_held_are_skipped_and_said_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    del folder
    done: list[int] = []

    def interrupted_once(seed: int, **settings: int) -> dict[str, object]:
        done.append(seed)
        if done == [0, 1]:
            raise KeyboardInterrupt
        return measure(seed, **settings)

    with pytest.raises(KeyboardInterrupt):
        harness.run("ch99_small", {"steps": 1}, [0, 1], interrupted_once)
    assert harness.results("ch99_small")["seeds"] == [0]
    harness.run("ch99_small", {"steps": 1}, [0, 1], interrupted_once)
    assert done == [0, 1, 1]
    assert "seed 0 (1 of 2): held already, skipped" in capsys.readouterr().err
    assert harness.results("ch99_small")["seeds"] == [0, 1]


def test_processes_side_by_side_keep_each_others_seeds(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    del folder

    def meanwhile(seed: int, **settings: int) -> dict[str, object]:
        if seed == 0:  # while this one is running, another process measures seed 1
            monkeypatch.setattr(sys, "argv", ["ch99_small.py", "--seed", "1"])
            harness.run("ch99_small", {"steps": 1}, [0, 1, 2], measure)
        return measure(seed, **settings)

    harness.run("ch99_small", {"steps": 1}, [0], meanwhile)
    assert harness.results("ch99_small")["seeds"] == [0, 1]


def test_other_settings_are_refused_in_one_line(folder: Path):
    del folder
    harness.run("ch99_small", {"steps": 1}, [0], measure)
    with pytest.raises(ValueError, match=r"ch99_small.json was obtained with other settings"):
        harness.run("ch99_small", {"steps": 2}, [1], measure)


def test_a_quick_run_leaves_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "argv", ["ch99_small.py", "--quick"])
    harness.run("ch99_small", {"steps": 100}, [3, 4], measure, quick={"steps": 2})
    assert not folder.exists()
    assert json.loads(capsys.readouterr().out)["score"] == {"a": 5}


def test_results_that_are_missing_name_the_command(folder: Path):
    del folder
    with pytest.raises(
        FileNotFoundError, match=r"run `python -m minibert\.course\.experiments\.ch99_small`"
    ):
        harness.results("ch99_small")


def test_what_json_cannot_hold_leaves_the_file_as_it_was(folder: Path):
    harness.run("ch99_small", {"steps": 1}, [0], measure)
    before = (folder / "ch99_small.json").read_bytes()
    for bad in (float("nan"), object()):
        with pytest.raises((TypeError, ValueError)):
            harness.run("ch99_small", {"steps": 1}, [1], lambda seed, bad=bad, **_: bad)
    assert [p.read_bytes() for p in folder.iterdir()] == [before]


def test_a_chapter_finds_the_harness_from_any_folder(tmp_path: Path):
    code = "from minibert.course.experiments import harness; print(harness.RESULTS)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str(RESULTS), done.stderr


def test_committed_results_have_their_script_and_say_how_they_came_about():
    for path in sorted(RESULTS.glob("*.json")):
        held = json.loads(path.read_text(encoding="utf-8"))
        assert (path.parent.parent / f"{path.stem}.py").is_file(), path.name
        assert held["command"] == f"python -m minibert.course.experiments.{path.stem}"
        assert {"command", "settings", "seeds", "machine", "seconds", "results"} <= set(held)
        assert set(held["results"]) == {str(seed) for seed in held["seeds"]}, path.name


def test_the_recurrent_network_and_the_encoder_answer_rows_alike():
    width, length = 64, 7
    ids = torch.zeros(3, length, dtype=torch.int64)
    for network in ch07_recurrent.networks(width).values():
        states = network(torch.randn(3, length, width))
        assert states.shape == (3, length, network.size)
        answers = ch07_recurrent.Answering(network, width, length)(ids)
        assert answers.shape == (3, ch07_recurrent.SIGNALS)
