"""A disk that is full, or may not be written, ends a run with one line; what was saved stays."""

import errno
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import tiny
from test_resume import trainer
from trainings import environment

from minibert.cli.main import main
from minibert.pretraining.corpus import TokenCorpus
from minibert.training import checkpoints
from minibert.training.log import LOG_FILE
from minibert.weights.files import write_json, write_tensors

STEPS = 8


@contextmanager
def room_for(size):
    """Until the end, no file may be larger: the system itself refuses, as with a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    trainer(folder, max_steps=STEPS).fit()
    return (folder / "model.safetensors").read_bytes()


# Room for the weights and not for the optimizer's state, for a line of the log, for nothing.
@pytest.mark.parametrize(
    ("size", "name"),
    [(60_000, "optimizer.safetensors"), (10_000, "model.safetensors"), (0, LOG_FILE)],
)
def test_a_full_disk_stops_a_run_that_can_go_on_later(tmp_path, expected, size, name):
    run = trainer(tmp_path, max_steps=STEPS, eval_every=4 if size == 0 else 100)
    update = run._update
    full = room_for(size)

    def update_until_full(*arguments):
        if run.step == 3:
            full.__enter__()
        return update(*arguments)

    run._update = update_until_full
    try:
        with pytest.raises(OSError, match="what was saved stays: make room, and go on") as error:
            run.fit()
    finally:
        full.__exit__(None, None, None)
    assert error.value.errno == errno.EFBIG
    assert error.value.filename.endswith(name)
    assert "go on from step 3 with resume=True" in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} <= {
        "resume", "resume.old", "training_config.json", LOG_FILE, checkpoints.BEST_FILE,
    }  # fmt: skip
    again = trainer(tmp_path, max_steps=STEPS, resume=True)
    assert again.step == 3
    again.fit()
    assert (tmp_path / "model.safetensors").read_bytes() == expected


def test_a_file_that_has_no_room_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, "old")
    tensors = {"a": next(iter(trainer(tmp_path / "run").model.parameters()))}
    with room_for(100):
        for write, value in ((write_json, "new" * 100), (write_tensors, tensors)):
            with pytest.raises(OSError, match="File too large") as error:
                write(path, value)
            assert error.value.filename == str(path)
    assert path.read_text() == '"old"\n'
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


def test_a_corpus_that_has_no_room_is_named_and_made_again_later(tmp_path):
    documents = [["the film was great"] * 100] * 20
    folder = tmp_path / "tokenised"
    with room_for(1000), pytest.raises(OSError, match="File too large") as error:
        TokenCorpus.build(documents, tiny.tokenizer(), folder)
    assert error.value.filename == str(folder)
    assert list(tmp_path.iterdir()) == []
    assert len(TokenCorpus.build(documents, tiny.tokenizer(), folder).tokens) == 8000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as error:
        trainer(tmp_path / "run").fit()
    assert str(tmp_path) in error.value.filename


@pytest.mark.slow
def test_output_that_has_no_room_is_one_line(tmp_path):
    folder = tiny.save(tmp_path / "model")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "minibert.cli", "info", str(folder)]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment()
        )
    assert (done.returncode, done.stderr) == (2, "minibert: No space left on device\n")


def test_on_the_command_line_it_is_one_line_too(tmp_path, capsys):
    base = tiny.save(tmp_path / "base")
    train = tiny.reviews(tmp_path / "train.jsonl", 16)
    out = tmp_path / "out"
    command = ["finetune", "classify", "--base", base, "--train", train, "--out", out]
    capsys.readouterr()
    with room_for(20_000):
        assert main([*map(str, command), "--steps", "2", "--device", "cpu"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"minibert: {out}")
    assert "File too large; nothing was saved yet" in said
