"""The training loop: what it computes, keeps, writes and refuses."""

import dataclasses
import json
import math
import sys
import time

import numpy as np
import pytest
import torch
from trainings import OBJECTIVES, Rows, pretraining_data, still, tasks, texts, tiny_config

from minibert.model.task_heads import BertForSequenceClassification
from minibert.pretraining.dataset import Subset
from minibert.training.config import TrainingConfig
from minibert.training.log import LOG_FILE, TrainingLog
from minibert.training.throughput import Work
from minibert.training.trainer import Trainer

TASKS = tasks()


def settings(folder, **changes):
    values = {"max_steps": 6, "batch_size": 8, "device": "cpu", "precision": "float32"}
    return TrainingConfig(folder, **{**values, **changes})


def pretrainer(folder, objective="mlm+nsp", config=None, **changes):
    torch.manual_seed(0)
    data = pretraining_data(objective)
    model = OBJECTIVES[objective](config or still())
    return Trainer(model, settings(folder, **changes), data, Subset(data, 16))


def logged(folder):
    return [json.loads(line) for line in (folder / LOG_FILE).read_text().splitlines()]


# ---------------------------------------------------------------- the step


@pytest.mark.parametrize("name", TASKS)
def test_accumulation_over_four_parts_follows_one_batch(name, tmp_path):
    make, data = TASKS[name]
    ends = []
    for parts in (1, 4):
        torch.manual_seed(0)
        model = make(still())
        config = settings(tmp_path / str(parts), accumulation_steps=parts, learning_rate=1e-3)
        history = Trainer(model, config, data).fit()
        ends.append((history[-1]["loss"], history[-1]["gradient_norm"]))
    assert ends[1] == pytest.approx(ends[0], rel=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_accumulation_follows_one_batch_in_pre_training(objective, tmp_path):
    one = pretrainer(tmp_path / "1", objective).fit()
    four = pretrainer(tmp_path / "4", objective, accumulation_steps=4).fit()
    assert four[-2]["loss"] == pytest.approx(one[-2]["loss"], rel=1e-5)
    assert four[-1]["eval_loss"] == pytest.approx(one[-1]["eval_loss"], rel=1e-5)


def test_gradients_are_clipped_to_the_norm_asked_for(tmp_path):
    make, data = TASKS["single"]
    trainer = Trainer(make(still()), settings(tmp_path, max_grad_norm=1e-3), data)
    seen = []
    step = trainer.optimizer.step

    def measure():
        squares = [float(p.grad.square().sum()) for p in trainer.model.parameters()]
        seen.append(math.sqrt(sum(squares)))
        step()

    trainer.optimizer.step = measure
    history = trainer.fit()
    assert seen == pytest.approx([1e-3] * 6, rel=1e-2)
    assert history[-1]["gradient_norm"] > 0.01  # what is logged is the norm before


def test_gradient_checkpointing_changes_nothing_but_the_memory(tmp_path):
    config = tiny_config()  # with dropout: the second pass must drop the same units
    plain = pretrainer(tmp_path / "a", config=config).fit()
    trainer = pretrainer(tmp_path / "b", config=config, gradient_checkpointing=True)
    assert trainer.model.bert.encoder.gradient_checkpointing
    for one, other in zip(plain, trainer.fit(), strict=True):
        assert {**one, "tokens_per_second": 0} == {**other, "tokens_per_second": 0}


def test_bf16_trains_close_to_float32_and_keeps_float32_weights(tmp_path):
    exact = pretrainer(tmp_path / "a").fit()
    trainer = pretrainer(tmp_path / "b", precision="bf16")
    assert trainer.fit()[0]["loss"] == pytest.approx(exact[0]["loss"], rel=0.02)
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}


def test_dropout_depends_on_the_seed_and_on_nothing_that_was_drawn_before(tmp_path):
    def last_loss(folder, seed, noise):
        trainer = pretrainer(tmp_path / folder, config=tiny_config(), seed=seed)
        torch.rand(noise)
        return trainer.fit()[0]["loss"]

    assert last_loss("a", 0, 0) == last_loss("b", 0, 5)
    assert last_loss("c", 1, 0) != last_loss("d", 0, 0)


@pytest.mark.slow
def test_a_compiled_model_follows_the_plain_one(tmp_path, monkeypatch):
    # A cache of its own: one that a killed run left half written breaks whoever comes next.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    make, data = TASKS["token"]  # the loss of parts with other numbers of labels
    histories = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = make(still(num_hidden_layers=1))
        config = settings(tmp_path / str(compiled), compile=compiled, accumulation_steps=2)
        trainer = Trainer(model, config, data)
        histories.append(trainer.fit())
    assert histories[1][0]["loss"] == pytest.approx(histories[0][0]["loss"], rel=1e-4)
    saved = type(model).from_pretrained(tmp_path / "True").state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(saved[name], tensor), name


# ---------------------------------------------------------------- evaluation


def test_the_loss_of_an_evaluation_is_the_mean_over_labelled_tokens(tmp_path):
    make, data = TASKS["token"]
    torch.manual_seed(0)
    trainer = Trainer(make(still()), settings(tmp_path, batch_size=3), data)
    whole = data.collate(np.arange(8), None)
    with torch.no_grad():
        expected = float(trainer.model.eval()(**whole).loss)
    assert trainer.evaluate(data)["loss"] == pytest.approx(expected, rel=1e-6)


def test_evaluation_repeats_itself_and_leaves_the_mode_alone(tmp_path):
    trainer = pretrainer(tmp_path, config=tiny_config())
    trainer.model.train()
    assert trainer.evaluate() == trainer.evaluate()
    assert trainer.model.training
    trainer.model.eval()
    trainer.evaluate()
    assert not trainer.model.training


def _scripted(tmp_path, values, **changes):
    """A run whose evaluations measure these values, and the weights it had at each."""
    make, data = TASKS["single"]
    torch.manual_seed(0)
    weights = []

    def metrics(results):
        list(results)
        weights.append({k: v.clone() for k, v in trainer.model.state_dict().items()})
        return {"score": values[len(weights) - 1]}

    config = settings(tmp_path, max_steps=len(values), eval_every=1, best_metric="score", **changes)
    trainer = Trainer(make(still()), config, data, data, metrics)
    return trainer, trainer.fit(), weights


def test_the_best_weights_are_kept_and_come_back(tmp_path):
    trainer, _, weights = _scripted(tmp_path, [0.1, 0.7, 0.3, 0.7])
    state = trainer.model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in weights[1].items())
    saved = BertForSequenceClassification.from_pretrained(tmp_path).state_dict()
    assert all(torch.equal(saved[name], value) for name, value in weights[1].items())
    assert not all(torch.equal(state[name], value) for name, value in weights[3].items())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "log.jsonl",
        "model.safetensors",
        "training_config.json",
    ]


def test_patience_counts_evaluations_without_a_better_one(tmp_path):
    trainer, history, _ = _scripted(tmp_path, [0.1, 0.3, 0.2, 0.4, 0.4, 0.4, 0.9], patience=2)
    assert trainer.step == 6
    assert [e["eval_score"] for e in history if "eval_score" in e] == [0.1, 0.3, 0.2, 0.4, 0.4, 0.4]


def test_without_a_metric_the_lowest_loss_is_the_best(tmp_path):
    make, data = TASKS["single"]
    trainer = Trainer(make(still()), settings(tmp_path, eval_every=2), data, data)
    losses = [entry["eval_loss"] for entry in trainer.fit() if "eval_loss" in entry]
    assert len(losses) == 3
    assert trainer.best == -min(losses)


# ---------------------------------------------------------------- reports


def test_the_log_is_what_fit_returns_and_counts_the_steps(tmp_path):
    trainer = pretrainer(tmp_path, max_steps=25, eval_every=12)
    history = trainer.fit()
    assert logged(tmp_path) == history
    assert [entry["step"] for entry in history if "loss" in entry] == [10, 20, 25]
    assert [entry["step"] for entry in history if "eval_loss" in entry] == [12, 24, 25]
    assert all(entry["tokens_per_second"] > 0 for entry in history if "loss" in entry)
    kept = json.loads((tmp_path / "training_config.json").read_text())
    assert kept == {**dataclasses.asdict(trainer.config), "output_dir": str(tmp_path)}


def test_the_logged_loss_is_the_mean_of_its_steps(tmp_path):
    trainer = pretrainer(tmp_path, max_steps=4)
    losses = []
    forward = trainer.model.forward

    def measure(**batch):
        output = forward(**batch)
        if trainer.model.training:
            losses.append(float(output.loss.detach()))
        return output

    trainer.model.forward = measure
    assert trainer.fit()[0]["loss"] == pytest.approx(sum(losses) / 4)


def test_the_speed_counts_tokens_without_padding_and_time_without_evaluation(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    journal = TrainingLog(tmp_path, 0, 20, tensorboard=False)
    for step in range(1, 11):
        journal.add_loss(torch.tensor(1.0))
        now[0] += 2.0
        if step == 5:
            with journal.clock_stopped():
                now[0] += 1000.0
        journal.step_done(step, Work(30, 4e9), torch.tensor(1.0), 1e-3)
    assert journal.entries[0]["tokens_per_second"] == 15
    assert "mfu" not in journal.entries[0]  # that is for a GPU
    make, data = TASKS["single"]
    counted = []
    monkeypatch.setattr(
        TrainingLog, "step_done", lambda self, step, work, *rest: counted.append(work.tokens)
    )
    Trainer(make(still()), settings(tmp_path / "run", max_steps=1), data).fit()
    assert counted == [int(data.tensors["attention_mask"].sum())]


@pytest.mark.slow
def test_tensorboard_gets_the_same_figures(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = pretrainer(tmp_path, max_steps=12, eval_every=6, tensorboard=True).fit()
    events = reader.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    losses = {event.step: event.value for event in events.Scalars("loss")}
    assert losses == pytest.approx({e["step"]: e["loss"] for e in history if "loss" in e})
    assert [event.step for event in events.Scalars("eval_loss")] == [6, 12]


def test_tensorboard_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        TrainingConfig(tmp_path, tensorboard=True)


def test_progress_goes_to_stderr_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("minibert.training.log._DELAY", 0)
    pretrainer(tmp_path).fit()
    out, err = capsys.readouterr()
    assert out == ""
    assert "training: 100%" in err
    assert "tokens/s" in err


# ---------------------------------------------------------------- refusals


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="is not empty: choose another folder"):
        pretrainer(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file: choose a folder"):
        pretrainer(tmp_path / "file")


def test_a_finished_run_is_not_resumed(tmp_path):
    pretrainer(tmp_path).fit()
    with pytest.raises(ValueError, match="holds a finished model: there is nothing to resume"):
        pretrainer(tmp_path, resume=True)
    with pytest.raises(ValueError, match="is not empty: choose another folder"):
        pretrainer(tmp_path)


def test_an_empty_training_set_is_refused(tmp_path):
    make, _ = TASKS["single"]
    empty = Rows(**{name: value[:0] for name, value in texts().items()})
    with pytest.raises(ValueError, match="the training set is empty"):
        Trainer(make(still()), settings(tmp_path), empty)


def test_an_empty_evaluation_set_is_refused(tmp_path):
    make, data = TASKS["single"]
    empty = Rows(**{name: value[:0] for name, value in texts().items()})
    trainer = Trainer(make(still()), settings(tmp_path), data)
    for nothing in (None, empty):
        with pytest.raises(ValueError, match="no evaluation set"):
            trainer.evaluate(nothing)


@pytest.mark.parametrize("changes", [{"patience": 1}, {"best_metric": "accuracy"}])
def test_settings_that_need_an_evaluation_set_say_so(tmp_path, changes):
    make, data = TASKS["single"]
    with pytest.raises(ValueError, match="needs an evaluation set"):
        Trainer(make(still()), settings(tmp_path, **changes), data)


def test_a_best_metric_that_is_not_measured_lists_what_is(tmp_path):
    make, data = TASKS["single"]
    with pytest.raises(ValueError, match="'f2' is not measured: there are loss"):
        Trainer(make(still()), settings(tmp_path, best_metric="f2"), data, data).fit()


def test_a_batch_that_cannot_be_cut_evenly_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot be cut into 3 equal parts"):
        pretrainer(tmp_path, accumulation_steps=3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"max_steps": 0}, "max_steps must be at least 1"),
        ({"save_every": -5}, "save_every must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number, not nan"),
        ({"weight_decay": float("inf")}, "weight_decay must be a finite number, not inf"),
        ({"seed": 2**63}, "seed must be below"),
        ({"max_grad_norm": 0.0}, "max_grad_norm must be above 0"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative"),
        ({"seed": -1}, "seed must not be negative"),
        ({"warmup_ratio": 1.5}, "warmup_ratio must be between 0 and 1"),
        ({"schedule": "step"}, "unknown schedule 'step': choose from linear, cosine"),
        ({"parallel": "tp"}, "unknown parallel 'tp': choose from ddp, fsdp"),
        ({"precision": "fp8"}, "unknown precision 'fp8'"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        TrainingConfig("folder", **changes)
    assert "\n" not in str(error.value)
