"""Two processes started by torchrun do what one does, and only the first writes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parallel_run import SCENARIOS, trainer
from safetensors.torch import load_file
from trainings import environment

from minibert.model.heads import BertForPreTraining
from minibert.training import distributed

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from faults.processes import command_of

HERE = Path(__file__).parent
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
PARALLEL = [name for name in SCENARIOS if name != "one"]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "run"
    run = trainer(folder)
    return {"history": run.fit(), "evaluation": run.evaluate(), "folder": folder}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    root = tmp_path_factory.mktemp("two") / "runs"
    root.mkdir()
    done = subprocess.run(
        [*TORCHRUN, str(HERE / "parallel_run.py"), str(root)],
        env=environment(PYTHONPATH=str(HERE)),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    ranks = [json.loads(root.with_name(f"rank{rank}.json").read_text()) for rank in (0, 1)]
    return {"ranks": ranks, "root": root, "stderr": done.stderr, "stdout": done.stdout}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARALLEL)
def test_two_processes_follow_the_loss_of_one(one, two, name):
    history = two["ranks"][0]["figures"][name]["history"]
    assert [entry["step"] for entry in history] == [entry["step"] for entry in one["history"]]
    for ours, theirs in zip(history, one["history"], strict=True):
        for key in set(theirs) - {"tokens_per_second", "gradient_norm"}:
            assert ours[key] == pytest.approx(theirs[key], abs=1e-5), (ours["step"], key)
        if "gradient_norm" in theirs:
            assert ours["gradient_norm"] == pytest.approx(theirs["gradient_norm"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARALLEL)
def test_every_process_gets_the_figures_of_an_evaluation(one, two, name):
    for rank in two["ranks"]:
        assert rank["figures"][name]["evaluation"] == pytest.approx(one["evaluation"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARALLEL)
def test_the_saved_model_is_whole(one, two, name):
    expected = load_file(one["folder"] / "model.safetensors")
    saved = load_file(two["root"] / name / "model.safetensors")
    assert saved.keys() == expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(saved[key], tensor, rtol=0, atol=2e-4)
    BertForPreTraining.from_pretrained(two["root"] / name)


@pytest.mark.slow
def test_two_processes_draw_and_learn_packed_what_one_does(two, tmp_path):
    # Each makes its own rows alone: what is random in them must not depend on that.
    history = trainer(tmp_path / "run", batch_tokens=200).fit()
    for ours, theirs in zip(two["ranks"][0]["figures"]["packed"]["history"], history, strict=True):
        for key in {"loss", "eval_loss"} & set(theirs):
            assert ours[key] == pytest.approx(theirs[key], abs=1e-5), (ours["step"], key)
    saved, expected = (
        load_file(folder / "model.safetensors")
        for folder in (two["root"] / "packed", tmp_path / "run")
    )
    for key, tensor in expected.items():
        torch.testing.assert_close(saved[key], tensor, rtol=0, atol=2e-4)


@pytest.mark.slow
def test_only_the_first_process_writes(two):
    first, second = two["ranks"]
    assert second["written"] == []
    assert len(first["written"]) > 20  # the watch sees what there is to see


@pytest.mark.slow
@pytest.mark.parametrize("parallel", distributed.PARALLEL)
def test_ctrl_c_in_one_process_stops_both_and_the_run_can_be_resumed(two, parallel):
    for rank in two["ranks"]:
        assert rank["figures"][f"{parallel}-stopped"] == 7
        assert rank["figures"][f"{parallel}-resumed-from"] == 7
    first, second = (rank["figures"][f"{parallel}-said"] for rank in two["ranks"])
    assert first.startswith("stopped at step 7 and saved")
    assert second == ""  # it is said once
    whole, resumed = (
        (two["root"] / name / "model.safetensors").read_bytes()
        for name in (parallel, f"{parallel}-resumed")
    )
    assert whole == resumed


@pytest.mark.slow
def test_a_killed_process_is_started_again_by_torchrun_and_the_run_ends_the_same(two, tmp_path):
    # torch 2.13 keeps the addresses of the processes that died, and would wait for them.
    command = command_of(2, tmp_path / "run", "ddp", dying=0, restarts=1)
    done = subprocess.run(
        command, env=environment(PYTHONPATH=str(HERE)), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "exitcode: -9" in done.stderr  # it did die
    whole, again = (
        (folder / "model.safetensors").read_bytes()
        for folder in (two["root"] / "ddp", tmp_path / "run")
    )
    assert whole == again


@pytest.mark.slow
def test_nothing_is_warned_of_and_the_bar_is_drawn_once(two):
    assert two["stdout"] == ""
    lines = [line for line in two["stderr"].splitlines() if "warn" in line.lower()]
    assert lines == []
    assert "destroy_process_group" not in two["stderr"]


def test_one_process_needs_no_group(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert distributed.start(torch.device("cpu")) == torch.device("cpu")
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    assert distributed.is_main()
    assert distributed.any_process(True)
    assert not distributed.any_process(False)


def test_an_apple_gpu_is_not_shared(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="pass device='cpu'"):
        distributed.start(torch.device("mps"))
