"""A run's folder belongs to one process at a time, and no dead one keeps it."""

import os
import signal
import subprocess
import sys

import pytest
from filelock import FileLock
from test_resume import trainer

from minibert.training.lock import LOCK_FILE, claimed


@pytest.fixture
def other(tmp_path):
    """A folder that is held, as another process would."""
    folder = tmp_path / "run"
    folder.mkdir()
    with FileLock(folder / LOCK_FILE):
        yield folder


def test_a_folder_in_use_is_refused_and_nothing_of_it_changes(other):
    (other / "log.jsonl").write_text("theirs")
    told = "another process is training in .*run: wait until it ends, or choose another output_dir"
    with pytest.raises(ValueError, match=told), claimed(other):
        pass
    assert {path.name for path in other.iterdir()} == {LOCK_FILE, "log.jsonl"}


def test_two_trainings_do_not_mix(other):
    run = trainer(other, max_steps=1)
    with pytest.raises(ValueError, match="another process is training"):
        run.fit()
    assert {path.name for path in other.iterdir()} == {LOCK_FILE}


def test_a_run_is_not_resumed_while_it_goes_on(tmp_path):
    trainer(tmp_path)._save_checkpoint()
    before = sorted(tmp_path.rglob("*"))
    with FileLock(tmp_path / LOCK_FILE), pytest.raises(ValueError, match="another process"):
        trainer(tmp_path, resume=True)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / LOCK_FILE])


def test_the_lock_of_a_process_that_was_killed_is_none(tmp_path):
    code = (
        "import filelock, sys, time; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); "
        "print('held', flush=True); time.sleep(60)"
    )
    path = tmp_path / LOCK_FILE
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="another process"), claimed(tmp_path):
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert path.exists()
    run = trainer(tmp_path, max_steps=1)  # and a file that was left does not make it "not empty"
    run.fit()
    assert not path.exists()


def test_claims_nest_and_the_outermost_frees_the_folder(tmp_path):
    with claimed(tmp_path) as outer:
        with claimed(tmp_path) as inner:
            assert (outer.is_nested, inner.is_nested) == (False, True)
            inner.is_trained = True
        assert outer.is_trained
        assert (tmp_path / LOCK_FILE).exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [(), ("a",), ("a", "a/b")])
def test_a_start_that_fails_leaves_no_folder_that_was_not_there(tmp_path, there):
    for name in there:
        (tmp_path / name).mkdir()
    with pytest.raises(RuntimeError), claimed(tmp_path / "a" / "b"):
        raise RuntimeError
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == list(there)


def test_under_torchrun_only_the_first_process_locks(other, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with claimed(other) as claim:
        assert not claim.is_nested
