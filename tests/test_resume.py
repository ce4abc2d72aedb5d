"""A run that is killed, or stopped by Ctrl-C, goes on as if nothing had happened."""

import json
import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
from trainings import OBJECTIVES, pretraining_data, tiny_config

from minibert.pretraining.dataset import Subset
from minibert.training import checkpoints, resume
from minibert.training.config import TrainingConfig
from minibert.training.lock import claimed
from minibert.training.log import LOG_FILE
from minibert.training.trainer import Trainer

STEPS = 50


def trainer(folder, documents=30, hidden_act="gelu", **changes):
    """Masked words and sentence pairs drawn afresh, with dropout."""
    torch.set_num_threads(1)
    values = {
        "max_steps": STEPS,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "accumulation_steps": 2,
        "eval_every": 7,
        "save_every": 3,
        "device": "cpu",
        "precision": "float32",
    }
    torch.manual_seed(0)
    model = OBJECTIVES["mlm+nsp"](tiny_config(hidden_act=hidden_act))
    data = pretraining_data(documents=documents)
    config = TrainingConfig(folder, **{**values, **changes})
    return Trainer(model, config, data, Subset(data, 8))


# ---------------------------------------------------------------- in processes of their own


def _run(folder, die_after, delay):
    """Train; once `die_after` steps are done, and a little later, be killed from outside."""
    run = trainer(folder, resume=(folder / resume.SETTINGS_FILE).exists())

    def kill():
        while run.step < die_after:
            time.sleep(0.0002)
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGKILL)

    if die_after is not None:
        threading.Thread(target=kill, daemon=True).start()
    run.fit()


def _save_until(folder, stage):
    """Write a second checkpoint, and be killed in the middle of it."""
    run = trainer(folder, resume=True)
    calls = {name: getattr(checkpoints, name) for name in ("write_tensors", "write_json")}
    renames = {"rename": Path.rename, "rmtree": checkpoints.shutil.rmtree}
    count = 0

    def counted(action):
        def act(*arguments, **options):
            nonlocal count
            count += 1
            if count == stage:
                os.kill(os.getpid(), signal.SIGKILL)
            return action(*arguments, **options)

        return act

    for name, action in calls.items():
        setattr(checkpoints, name, counted(action))
    Path.rename = counted(renames["rename"])
    checkpoints.shutil.rmtree = counted(renames["rmtree"])
    run.step = 2
    run._save_checkpoint()


@pytest.fixture(scope="module")
def processes():
    """Children of a process that has loaded torch once, and has never computed with it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trainings", "minibert.training", "minibert.pretraining"])

    def start(target, *arguments):
        child = context.Process(target=target, args=arguments)
        child.start()
        child.join(300)
        return child.exitcode

    return start


def _entries(folder):
    entries = [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]
    return [(e["step"], e.get("eval_loss"), e.get("eval_nsp_accuracy")) for e in entries]


@pytest.mark.slow
def test_killed_five_times_it_ends_with_the_same_bytes(tmp_path, processes):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert processes(_run, whole, None, 0) == 0
    rng = random.Random(5)
    for kill in range(5):
        step = 8 * kill + rng.randint(2, 8)
        assert processes(_run, killed, step, rng.uniform(0, 0.02)) == -signal.SIGKILL
        assert not (killed / "model.safetensors").exists()
    assert processes(_run, killed, None, 0) == 0
    expected = (whole / "model.safetensors").read_bytes()
    assert (killed / "model.safetensors").read_bytes() == expected
    steps = _entries(killed)
    assert steps == _entries(whole)
    assert len(set(steps)) == len(steps)
    assert not list(killed.glob("resume*"))


@pytest.mark.parametrize("stage", range(1, 8))
@pytest.mark.slow
def test_a_kill_in_the_middle_of_saving_leaves_a_whole_checkpoint(tmp_path, processes, stage):
    # In turn: making room, weights, optimizer, progress, room for the one before, the newest
    # becomes it, the new one takes its place.
    first = trainer(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    first.step = 1
    first._save_checkpoint()
    assert processes(_save_until, tmp_path, stage) == -signal.SIGKILL
    again = trainer(tmp_path, resume=True)
    assert again.step == 1
    again._save_checkpoint()  # what the killed process left is no obstacle
    assert {path.name for path in tmp_path.iterdir()} <= {"resume", "resume.old"}


# ---------------------------------------------------------------- Ctrl-C


def _interrupt_at(run, step, times=1, number=signal.SIGINT):
    """Ctrl-C in the middle of the optimizer's step that follows so many steps."""
    advance = run.optimizer.step

    def interrupted():
        advance()
        if run.step == step:
            for _ in range(times):
                signal.raise_signal(number)

    run.optimizer.step = interrupted


@pytest.mark.slow
def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(tmp_path, capsys):
    trainer(tmp_path / "whole").fit()
    run = trainer(tmp_path / "stopped")
    _interrupt_at(run, 10)
    told = f"stopped at step 11 and saved: go on with resume=True and .* folder {run.output}"
    with pytest.raises(KeyboardInterrupt, match=told):
        run.fit()
    assert capsys.readouterr().out == ""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    resumed = trainer(tmp_path / "stopped", resume=True)
    assert resumed.step == 11
    resumed.fit()
    one, other = (tmp_path / name / "model.safetensors" for name in ("whole", "stopped"))
    assert one.read_bytes() == other.read_bytes()
    assert _entries(tmp_path / "whole") == _entries(tmp_path / "stopped")


def test_sigterm_saves_and_ends_with_143_however_often_it_comes(tmp_path):
    run = trainer(tmp_path)
    _interrupt_at(run, 4, times=3, number=signal.SIGTERM)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        run.fit()
    assert stopped.value.code == 143
    assert stopped.value.message.startswith("stopped at step 5 and saved: go on with resume=True")
    assert signal.getsignal(signal.SIGTERM) == before
    assert trainer(tmp_path, resume=True).step == 5


def test_a_second_ctrl_c_does_not_wait(tmp_path, capsys):
    run = trainer(tmp_path)
    _interrupt_at(run, 1, times=2)
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert "saved" not in capsys.readouterr().err
    assert checkpoints.find(tmp_path) is None


def test_ctrl_c_at_a_step_with_an_evaluation_does_not_lose_it(tmp_path):
    run = trainer(tmp_path)
    _interrupt_at(run, 6)
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert [step for step, loss, _ in _entries(tmp_path) if loss is not None] == [7]
    assert run.best is not None
    assert checkpoints.read_progress(checkpoints.find(tmp_path))["best"] == run.best


# ---------------------------------------------------------------- what is refused, what is not


@pytest.fixture
def stopped(tmp_path):
    run = trainer(tmp_path)
    _interrupt_at(run, 3)
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed 0, not 1"),
        ({"batch_size": 16}, "batch_size 8, not 16"),
        ({"max_steps": 99}, "steps 50, not 99"),
        ({"learning_rate": 2e-3}, "learning_rate 0.001, not 0.002"),
        ({"hidden_act": "relu"}, "hidden_act gelu, not relu"),
        ({"documents": 31}, r"other data \(training, evaluation"),
    ],
)
def test_another_run_is_not_resumed(stopped, changes, message):
    before = {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}
    with pytest.raises(
        ValueError, match=f"{stopped} was started with {message}.*another out"
    ) as error:
        trainer(stopped, resume=True, **changes)
    assert "\n" not in str(error.value)
    assert before == {path: path.read_bytes() for path in stopped.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_how_a_run_gets_there_may_change(stopped):
    run = trainer(stopped, resume=True, eval_every=20, save_every=10, accumulation_steps=4)
    assert run.step == 4
    run.fit()


def test_a_checkpoint_of_an_older_version_is_resumed(stopped):
    path = stopped / "resume" / "progress.json"
    progress = json.loads(path.read_text())
    del progress["run"], progress["sha256"], progress["scaler"]
    path.write_text(json.dumps(progress))
    with pytest.warns(UserWarning, match="older version: whether its files and the data are the"):
        assert trainer(stopped, resume=True, max_steps=60).step == 4


def test_without_resume_the_message_says_from_which_step(stopped):
    with pytest.raises(ValueError, match="pass resume=True to go on from step 4, or another out"):
        trainer(stopped)


def test_a_run_killed_before_its_first_checkpoint_starts_again_with_an_empty_log(tmp_path):
    (tmp_path / "training_config.json").write_text("{}")
    (tmp_path / LOG_FILE).write_text('{"step": 10, "loss": 9.0}\n{"step": 20, "lo')
    with pytest.raises(ValueError, match="pass resume=True to start the run in it again"):
        trainer(tmp_path)
    with pytest.warns(UserWarning, match="no checkpoint was saved in .* starts again at step 0"):
        run = trainer(tmp_path, resume=True, max_steps=2)
    assert run.step == 0
    run.fit()
    assert [step for step, *_ in _entries(tmp_path)] == [2, 2]


def test_a_kill_while_the_model_is_saved_can_be_resumed(tmp_path, monkeypatch):
    run = trainer(tmp_path, max_steps=8)
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "remove", lambda output: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            run.fit()
    expected = (tmp_path / "model.safetensors").read_bytes()
    again = trainer(tmp_path, resume=True, max_steps=8)
    assert again.step == 6
    again.fit()
    assert (tmp_path / "model.safetensors").read_bytes() == expected


# ---------------------------------------------------------------- until everything is done


@pytest.mark.parametrize("patience", [None, 1])
def test_cut_short_after_the_training_nothing_is_trained_again(tmp_path, patience):
    # As in the recipes, where evaluation and card follow.
    settings = {"max_steps": 8, "eval_every": 2, "learning_rate": 1e-9, "patience": patience}
    run = trainer(tmp_path, **settings)

    def train_and_be_cut_short():
        with claimed(tmp_path):
            run.fit()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="is trained and saved; to finish its evaluation"):
        train_and_be_cut_short()
    expected = (tmp_path / "model.safetensors").read_bytes()
    again = trainer(tmp_path, resume=True, **settings)
    assert again.step == run.step == (8 if patience is None else 4)
    again._update = None  # a step would fail
    before = (tmp_path / LOG_FILE).read_bytes()
    again.fit()
    assert (tmp_path / LOG_FILE).read_bytes() == before
    assert (tmp_path / "model.safetensors").read_bytes() == expected
    assert not list(tmp_path.glob("resume*"))


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_while_checkpoints_are_removed_leaves_none_that_is_half(stopped, monkeypatch, at):
    (stopped / "config.json").write_text("{}")  # as if the model were saved
    trainer(stopped, resume=True)._save_checkpoint()
    rmtree, calls = checkpoints.shutil.rmtree, []

    def counted(path, **options):
        calls.append(path)
        if len(calls) == at:
            (path / "model.safetensors").unlink(missing_ok=True)
            raise KeyboardInterrupt
        rmtree(path, **options)

    monkeypatch.setattr(checkpoints.shutil, "rmtree", counted)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.remove(stopped)
    if at == 3:  # the newest is gone
        with pytest.raises(ValueError, match="holds a finished model: there is nothing to resume"):
            trainer(stopped, resume=True)
    else:
        assert trainer(stopped, resume=True).step == 4


@pytest.mark.parametrize("is_run", [True, False])
def test_what_a_kill_left_of_a_finished_run_is_removed_and_nothing_else_is(tmp_path, is_run):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "resume.new").mkdir()
    (tmp_path / checkpoints.BEST_FILE).touch()
    if is_run:
        (tmp_path / resume.SETTINGS_FILE).write_text("{}")
    with claimed(tmp_path), pytest.raises(ValueError, match="holds a finished model"):
        trainer(tmp_path, resume=True)
    left = {path.name for path in tmp_path.iterdir()} - {"config.json", resume.SETTINGS_FILE}
    assert left == (set() if is_run else {"resume.new", checkpoints.BEST_FILE})


def test_where_torchrun_starts_again_a_run_goes_on_without_being_told(stopped, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert trainer(stopped).step == 4


def test_where_torchrun_starts_again_before_the_first_step_the_run_begins(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    with pytest.warns(UserWarning, match="starts again at step 0"):
        assert trainer(tmp_path / "new").step == 0
