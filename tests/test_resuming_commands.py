"""`--resume` on the command line: what is refused, what is warned of, and what is finished."""

import json
import shutil
import signal

import pytest
import tiny

from minibert.cli.main import main
from minibert.finetuning import recipe as finetuning
from minibert.pretraining import recipe as pretraining
from minibert.training.trainer import Trainer

FAST = ["--precision", "float32", "--device", "cpu", "--batch-size", "8", "--steps", "6"]
FAST += ["--save-every", "2", "--eval-every", "2"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A base model, examples, and an own corpus."""
    root = tmp_path_factory.mktemp("files")
    tiny.save(root / "base")
    for name, count in (("train", 32), ("dev", 12), ("test", 12)):
        tiny.reviews(root / f"{name}.jsonl", count)
    lines = [
        f"the film {i % 10} was {tiny.GOOD[i % 3]}\nanna lives in rome {i}\n" for i in range(60)
    ]
    (root / "corpus.txt").write_text("\n".join(lines))
    return root


@pytest.fixture
def run(files, tmp_path, monkeypatch, capsys):
    """Run one of the two commands in a copy of the files: status, lines of standard error."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "home"))

    def run(command, *options):
        words = {
            "finetune": "finetune classify --base base --train train.jsonl --dev dev.jsonl "
            "--test test.jsonl --out out",
            "pretrain": "pretrain --corpus corpus.txt --tokenizer base --preset tiny "
            "--max-length 24 --out out",
        }
        capsys.readouterr()
        status = main([*words[command].split(), *FAST, *options])
        said = capsys.readouterr().err.splitlines()
        return status, [line for line in said if "steps/s" not in line and line.strip()]

    return run


@pytest.fixture
def stopped(run, monkeypatch):
    """Stopped by SIGTERM in the middle of the fifth step."""
    update = Trainer._update

    def interrupted(self, *arguments):
        if self.step == 4:
            signal.raise_signal(signal.SIGTERM)
        return update(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "_update", interrupted)
        status, said = run("finetune")
    assert status == 143
    assert said[-1].startswith("stopped at step 5 and saved: go on with --resume")
    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "module", "name"),
    [("finetune", finetuning, "evaluate"), ("pretrain", pretraining, "write_json")],
)
def test_a_run_cut_short_in_its_final_evaluation_can_be_finished(
    run, tmp_path, monkeypatch, command, module, name
):
    out = tmp_path / "out"
    assert run(command)[0] == 0
    expected = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    shutil.rmtree(out)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, name, killed)
        status, said = run(command)
    assert status == 130
    assert said[-1].startswith("the model in out is trained and saved; to finish its evaluation")
    assert "--resume" in said[-1]
    assert not (out / "metrics.json").exists()
    assert run(command, "--resume")[0] == 0
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    assert found.keys() == expected.keys()
    different = {name for name in found if found[name] != expected[name]}
    assert different <= {"metrics.json", "CARD.md", "log.jsonl", "training_config.json"}
    metrics = [json.loads(each["metrics.json"]) for each in (found, expected)]
    for each in metrics:
        each.pop("train", None)  # seconds
    assert metrics[0] == metrics[1]
    # Of dev and test, and of counted words on both.
    assert len(metrics[0]) == (4 if command == "finetune" else 0)
    status, said = run(command, "--resume")
    assert (status, said) == (
        2,
        ["minibert: out holds a finished model: there is nothing to resume"],
    )


def test_stopped_by_sigterm_a_run_goes_on(stopped, tmp_path):
    assert stopped("finetune", "--resume")[0] == 0
    assert (tmp_path / "out" / "CARD.md").exists()


def swap_labels(path):
    text = path.read_text()
    path.write_text(text.replace("good", "?").replace("bad", "good").replace("?", "bad"))


@pytest.mark.parametrize(
    ("name", "told"), [("train", "other data (training: "), ("dev", "other data (evaluation: ")]
)
def test_changed_labels_are_noticed(stopped, tmp_path, name, told):
    swap_labels(tmp_path / f"{name}.jsonl")
    status, said = stopped("finetune", "--resume")
    assert status == 2
    assert said[-1].startswith(f"minibert: out was started with {told}")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--threshold", "0.3"], "out was started with threshold 0.5, not 0.3"),
        (["--class-weights", "bad=3"], "out was started with "),
        (["--out", "ouput"], "there is nothing to resume: no run in ouput (is --out misspelt?)"),
    ],
)
def test_other_settings_and_a_misspelt_folder_are_refused(stopped, tmp_path, options, told):
    status, said = stopped("finetune", "--resume", *options)
    assert status == 2
    assert said[-1].startswith(f"minibert: {told}")
    assert not (tmp_path / "ouput").exists()


def test_a_warning_is_one_line(stopped, tmp_path):
    path = tmp_path / "out" / "resume" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    status, said = stopped("finetune", "--resume")
    assert status == 0
    told = (
        "minibert: warning: out/resume/model.safetensors is damaged: its SHA-256 is not that of "
        "the file that was saved: going on from the checkpoint before it, of step 4"
    )
    assert told in said
