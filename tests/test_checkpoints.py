"""A checkpoint is what was saved, or it is not taken."""

import json
import shutil

import numpy as np
import pytest
from test_resume import trainer

from minibert.training import checkpoints
from minibert.training.log import LOG_FILE

STEPS = 8


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run with two checkpoints, of steps 3 and 6, and best weights that changed in between."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    run = trainer(folder, max_steps=STEPS, eval_every=3)
    save = run._save_checkpoint

    def stop():
        save()
        if run.step == 6:
            raise KeyboardInterrupt

    run._save_checkpoint = stop
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    return folder


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    trainer(folder, max_steps=STEPS, eval_every=3).fit()
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture
def run(stopped, tmp_path):
    """A copy of it to damage; the best weights are one file under several names there too."""
    folder = tmp_path / "run"
    shutil.copytree(stopped, folder)
    best = folder / "resume" / checkpoints.BEST_FILE
    (folder / checkpoints.BEST_FILE).unlink()
    (folder / checkpoints.BEST_FILE).hardlink_to(best)
    return folder


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def edit_step(path):
    path.write_text(path.read_text().replace('"step": 6', '"step": 5'))


def no_dictionary(path):
    path.write_text("null")


def nested(path):
    path.write_text("[" * 100_000)


DAMAGES = [
    *[(name, how) for name in ("model", "optimizer", "best") for how in (flip, cut, empty)],
    ("model", lambda path: path.unlink()),
    *[("progress", how) for how in (flip, cut, empty, edit_step, no_dictionary, nested)],
]


def damage(run, folder, name, how):
    how(run / folder / f"{name}.{'json' if name == 'progress' else 'safetensors'}")


@pytest.mark.parametrize(("name", "how"), DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(run, expected, name, how):
    damage(run, "resume", name, how)
    told = rf"resume.{name}\..* going on from the checkpoint before it, of step 3"
    with pytest.warns(UserWarning, match=told):
        again = trainer(run, max_steps=STEPS, eval_every=3, resume=True)
    assert again.step == 3
    again.fit()
    assert (run / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize("last", [4, 5])
def test_best_weights_damaged_in_the_newest_checkpoint_are_whole_in_the_one_before(tmp_path, last):
    # Both have those of step 3, and were one file under two names.
    run = trainer(tmp_path, max_steps=STEPS, eval_every=3, save_every=1)
    save = run._save_checkpoint

    def stop():
        save()
        if run.step == last:
            raise KeyboardInterrupt

    run._save_checkpoint = stop
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    damage(tmp_path, "resume", "best", flip)
    with pytest.warns(UserWarning, match=f"checkpoint before it, of step {last - 1}"):
        assert checkpoints.open_newest(tmp_path)[1]["step"] == last - 1


@pytest.mark.parametrize(("name", "how"), DAMAGES[::3])
def test_where_no_checkpoint_is_whole_the_message_names_the_files(run, name, how):
    for folder in ("resume", "resume.old"):
        damage(run, folder, name, flip if how is edit_step else how)
    told = rf"resume.{name}.*; .*resume\.old.{name}.*no whole checkpoint is left"
    with pytest.raises(checkpoints.Damaged, match=told) as error:
        trainer(run, max_steps=STEPS, eval_every=3, resume=True)
    assert "\n" not in str(error.value)


def test_foreign_best_weights_in_the_folder_are_not_taken(run, expected):
    path = run / checkpoints.BEST_FILE
    path.unlink()  # and not the checkpoint's file under its other name
    shutil.copyfile(run / "resume" / "model.safetensors", path)
    again = trainer(run, max_steps=STEPS, eval_every=3, resume=True)
    assert again.step == 6
    again.fit()
    assert (run / "model.safetensors").read_bytes() == expected


def test_best_weights_damaged_while_a_run_goes_on_are_not_saved_as_the_model(tmp_path):
    run = trainer(tmp_path, max_steps=2, eval_every=2)
    evaluate = run._evaluate_and_keep_best

    def damaged(log):
        evaluate(log)
        flip(tmp_path / checkpoints.BEST_FILE)

    run._evaluate_and_keep_best = damaged
    with pytest.raises(checkpoints.Damaged, match=r"best\.safetensors is damaged"):
        run.fit()
    assert not (tmp_path / "model.safetensors").exists()


def test_where_files_have_no_second_name_they_are_copied(tmp_path, monkeypatch, expected):
    def link(*_):
        raise OSError("not on this file system")

    monkeypatch.setattr(checkpoints.os, "link", link)
    run = trainer(tmp_path, max_steps=STEPS, eval_every=3)
    save, kept = run._save_checkpoint, []

    def noted():
        save()
        kept.append((tmp_path / "resume" / checkpoints.BEST_FILE).exists())

    run._save_checkpoint = noted
    run.fit()
    assert kept == [True, True]
    assert (tmp_path / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize(
    ("old", "told"),
    [
        ("cut", "model.safetensors is damaged"),
        ("step", "no 'step' in it"),
    ],
)
def test_a_damaged_checkpoint_of_an_older_version_is_named(run, old, told):
    shutil.rmtree(run / "resume.old")
    path = run / "resume" / "progress.json"
    progress = json.loads(path.read_text())
    del progress["sha256"], progress["scaler"]
    if old == "step":
        progress["step"] = "six"
    else:
        damage(run, "resume", "model", cut)
    path.write_text(json.dumps(progress))
    with pytest.raises(checkpoints.Damaged, match=told):
        trainer(run, max_steps=STEPS, eval_every=3, resume=True)


@pytest.mark.parametrize("which", ["train_labels", "dev_labels", "class_weights"])
def test_other_labels_or_weights_are_other_data(tmp_path, which):
    import torch
    from trainings import Rows, still, texts

    from minibert.model.task_heads import BertForSequenceClassification
    from minibert.training.config import TrainingConfig
    from minibert.training.trainer import Trainer

    def started(**changes):
        values = {"train_labels": [0, 1], "dev_labels": [0, 1], "class_weights": [1.0, 2.0]}
        values |= changes
        torch.manual_seed(0)
        model = BertForSequenceClassification(still(num_labels=2), values["class_weights"])
        train, dev = (
            Rows(**texts(), labels=torch.tensor(values[f"{name}_labels"] * 4))
            for name in ("train", "dev")
        )
        config = TrainingConfig(tmp_path, device="cpu", resume=(tmp_path / "resume").exists())
        return Trainer(model, config, train, dev)

    started()._save_checkpoint()
    assert started().step == 0
    changes = {which: [2.0, 1.0] if which == "class_weights" else [1, 0]}
    part = {"train_labels": "training", "dev_labels": "evaluation", "class_weights": "constants"}
    with pytest.raises(ValueError, match=rf"started with other data \({part[which]}:"):
        started(**changes)


# ---------------------------------------------------------------- the folder and its log


@pytest.mark.parametrize("kind", ["missing", "empty", "foreign"])
def test_where_there_is_nothing_to_resume_no_run_begins(tmp_path, kind):
    folder = tmp_path / "misspelt"
    if kind != "missing":
        folder.mkdir()
    if kind == "foreign":
        (folder / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"there is nothing to resume: .*misspelt\?"):
        trainer(folder, resume=True)
    assert folder.exists() == (kind != "missing")


def test_a_damaged_progress_file_does_not_hide_how_to_go_on(run):
    damage(run, "resume", "progress", empty)
    with pytest.raises(ValueError, match="pass resume=True to go on from its last checkpoint"):
        trainer(run, max_steps=STEPS)


@pytest.mark.parametrize("line", [b"\xff\xfe", b"{half", b"null", b'{"loss": 1}', b'{"step": "3"}'])
def test_a_damaged_line_of_the_log_does_not_stop_a_run(run, expected, line):
    log = run / LOG_FILE
    first, *others = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(first + line + b"\n" + b"".join(others))
    again = trainer(run, max_steps=STEPS, eval_every=3, resume=True)
    with pytest.warns(UserWarning, match=r"log\.jsonl, line 2: not an entry .* left out"):
        again.fit()
    assert (run / "model.safetensors").read_bytes() == expected
    assert line in (run / "log.damaged.jsonl").read_bytes()
    steps = [json.loads(one)["step"] for one in log.read_text().splitlines()]
    assert steps == [3, 6, 8, 8]


def test_a_flip_of_any_bit_of_the_progress_file_is_found(stopped, tmp_path):
    content = (stopped / "resume" / "progress.json").read_bytes()
    rng = np.random.default_rng(0)
    name = 8 * content.index(b"sha256")  # without it, it would be the file of an earlier version
    for bit in [*rng.integers(0, 8 * len(content), 300), *range(name, name + 48)]:
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << (bit % 8)
        (tmp_path / "progress.json").write_bytes(changed)
        with pytest.raises(checkpoints.Damaged):
            checkpoints.read_progress(tmp_path)


def test_a_start_killed_while_it_wrote_its_first_file_blocks_nothing(tmp_path):
    (tmp_path / ".training_config.json.123").write_text("{")
    (tmp_path / ".lock").touch()
    trainer(tmp_path, max_steps=1).fit()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
