"""`minibert finetune --sweep`: several learning rates, the best on dev kept, and a table."""

import json

import pytest
import tiny

from minibert import BertForSequenceClassification
from minibert.cli.main import main
from minibert.data.splits import Splits
from minibert.finetuning import sweep as module
from minibert.finetuning.settings import FinetuningSettings, TaskSettings
from minibert.finetuning.sweep import sweep
from minibert.training.config import TrainingConfig


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("base"))


@pytest.fixture
def files(tmp_path):
    train, dev = tiny.reviews(tmp_path / "train.jsonl", 24), tiny.reviews(tmp_path / "d.jsonl", 6)
    return ["--train", str(train), "--dev", str(dev)]


@pytest.fixture
def scored(monkeypatch):
    """Instead of training: a folder with a log, and the score that is given for a rate."""
    tried = []

    def make(scores, seconds=0.0):
        now = [0.0]
        monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])

        def finetune(splits, base, settings, training, finetuning):
            rate = training.learning_rate
            tried.append(rate)
            now[0] += seconds
            training.output_dir.mkdir(parents=True)
            for name, content in (("training_config", {"best_metric": "f1"}), ("own", rate)):
                (training.output_dir / f"{name}.json").write_text(json.dumps(content))
            return {"dev": {"f1": scores.get(rate, 0.0)}, "test": {"f1": -scores.get(rate, 0.0)}}

        monkeypatch.setattr(module, "finetune", finetune)
        return tried

    return make


ONE_EACH = Splits([1], [1], [1])


def run(out, minutes=60.0, splits=ONE_EACH, **settings):
    training = TrainingConfig(out, learning_rate=1e-3, **settings)
    return sweep(splits, "base", TaskSettings("classify"), training, FinetuningSettings(), minutes)


def test_the_best_on_dev_is_kept_whatever_it_does_on_test(scored, tmp_path):
    tried = scored({1e-3: 0.5, 2e-3: 0.7, 5e-4: 0.6, 4e-3: 0.7})
    assert run(tmp_path / "out") == {"dev": {"f1": 0.7}, "test": {"f1": -0.7}}
    assert tried == [1e-3, 2e-3, 5e-4, 4e-3, 2.5e-4]
    assert json.loads((tmp_path / "out" / "own.json").read_text()) == 2e-3  # the first of equals
    table = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert [row["learning_rate"] for row in table] == tried
    assert [row["f1"] for row in table] == [0.5, 0.7, 0.6, 0.7, 0.0]
    noted = json.loads((tmp_path / "out" / "training_config.json").read_text())
    assert noted["output_dir"] == str(tmp_path / "out")
    assert not (tmp_path / "out" / "sweep").exists()


def test_no_rate_is_begun_that_would_not_end_in_time(scored, tmp_path):
    tried = scored({}, seconds=61.0)
    run(tmp_path / "out", minutes=2.0)
    assert tried == [1e-3]
    run(tmp_path / "more", minutes=3.1)
    assert tried[1:] == [1e-3, 2e-3, 5e-4]


def test_what_a_sweep_needs(scored, tmp_path, monkeypatch):
    scored({})
    for minutes in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="sweep must be a number of minutes above 0"):
            run(tmp_path / "out", minutes)
    with pytest.raises(ValueError, match="sweep chooses on the dev split, and there is none"):
        run(tmp_path / "out", splits=Splits([1], [], [1]))
    with pytest.raises(ValueError, match="sweep cannot be resumed"):
        run(tmp_path / "out", resume=True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="without torchrun"):
        run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_trains_and_leaves_one_whole_model(base, files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "_FACTORS", (1.0, 2.0))
    out = tmp_path / "out"
    command = ["finetune", "classify", "--base", str(base), *files, "--steps", "3"]
    assert main([*command, "--out", str(out), "--sweep", "5", "--adapter", "2"]) == 0
    said = capsys.readouterr()
    assert "minibert: learning rate 0.003: " in said.err
    assert "minibert: learning rate 0.006: " in said.err
    assert len(json.loads((out / "sweep.json").read_text())) == 2
    assert json.loads((out / "metrics.json").read_text()) == json.loads(said.out)
    assert "--sweep 5" in (out / "CARD.md").read_text()
    assert BertForSequenceClassification.from_pretrained(out).adapter is not None
    assert main(["predict", str(out), "dull"]) == 0
    # The first rate fails: nothing is left that would stand in the way.
    later = tmp_path / "later"
    assert main([*command, "--out", str(later), "--sweep", "5", "--class-weights", "x=1"]) == 2
    assert not later.exists()
