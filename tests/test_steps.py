"""What a step reads, and that nothing in it waits: packed training, the loader, precision."""

import threading

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from trainings import OBJECTIVES, pretraining_data, still, tasks

from minibert.model.heads import BertForPreTraining
from minibert.training import devices
from minibert.training.batching import seeded
from minibert.training.config import TrainingConfig
from minibert.training.log import TrainingLog
from minibert.training.steps import Steps, loaded_ahead, on_device, pinned
from minibert.training.throughput import Work
from minibert.training.trainer import Trainer

TASKS = tasks()


def settings(folder, **changes):
    values = {"max_steps": 3, "batch_tokens": 200, "learning_rate": 1e-3, "device": "cpu"}
    return TrainingConfig(folder, **{**values, "precision": "float32", **changes})


def trained(folder, objective="mlm+nsp", **changes):
    torch.manual_seed(0)
    model = OBJECTIVES[objective](still())
    history = Trainer(model, settings(folder, **changes), pretraining_data(objective)).fit()
    return model.state_dict(), history


def close(one, other):
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_packed_run_in_parts_is_the_run_in_one(tmp_path, objective):
    whole, _ = trained(tmp_path / "whole", objective)
    parts, _ = trained(tmp_path / "parts", objective, accumulation_steps=3)
    close(whole, parts)


def test_a_packed_run_stopped_and_resumed_ends_with_the_same_bits(tmp_path, monkeypatch):
    straight, _ = trained(tmp_path / "straight", max_steps=6)

    class Stop(Exception):
        pass

    save = Trainer._save_checkpoint

    def save_and_stop(self):
        save(self)
        raise Stop

    monkeypatch.setattr(Trainer, "_save_checkpoint", save_and_stop)
    with pytest.raises(Stop):
        trained(tmp_path / "stopped", max_steps=6, save_every=4)
    monkeypatch.undo()
    resumed, _ = trained(tmp_path / "stopped", max_steps=6, resume=True, accumulation_steps=1)
    assert all(torch.equal(resumed[name], value) for name, value in straight.items())


@pytest.mark.parametrize("name", ["single", "multi", "regression", "token"])
def test_a_packed_batch_trains_every_head_as_the_same_rows_padded(tmp_path, name):
    make, data = TASKS[name]
    states = []
    for changes in ({"batch_tokens": 200}, {"batch_size": 8, "batch_tokens": None}):
        torch.manual_seed(0)
        model = make(still())
        config = settings(tmp_path / str(len(states)), max_steps=1, **changes)
        trainer = Trainer(model, config, data)
        if config.batch_tokens:  # all eight rows, once
            indices = np.arange(8)
            plan = "minibert.training.steps.packed_batches"
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(plan, lambda *_, indices=indices: iter([indices]))
                trainer.fit()
        else:
            trainer.fit()
        states.append(model.state_dict())
    close(*states)


def test_an_epoch_of_a_budget_is_as_long_as_its_tokens(tmp_path):
    data = pretraining_data()
    steps = Steps(BertForPreTraining(still()), settings(tmp_path), data)
    assert steps.epoch_steps == -(-data.token_counts.sum() // 200)


# ---------------------------------------------------------------- nothing waits


class Waits(TorchDispatchMode):
    """Notes what would make a host wait for its GPU: numbers read, sizes that depend on them."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name().removeprefix("aten::")
        is_sized = name == "index.Tensor" and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        reads = (
            "_local_scalar_dense",
            "nonzero",
            "masked_select",
            "equal",
            "is_nonzero",
            "_unique2",
        )
        if is_sized or name.split(".")[0] in reads:
            self.found.append(name)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("packed", [200, None], ids=["packed", "padded"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_nothing_in_a_step_waits_for_the_device(tmp_path, objective, packed):
    torch.manual_seed(0)
    config = settings(tmp_path, batch_tokens=packed, batch_size=8, max_steps=9)
    trainer = Trainer(OBJECTIVES[objective](still()), config, pretraining_data(objective))
    trainer.model.train()
    steps = trainer._staged()
    with TrainingLog(tmp_path, 0, 9, tensorboard=False) as log:
        for _ in range(2):
            step = next(steps)
            with Waits() as waits:
                norm, rate = trainer._update(step, log)
                log.step_done(trainer.step, step.work, norm, rate)
            assert waits.found == []
        with Waits() as waits:  # what the watch sees
            float(norm)
            torch.ones(2)[torch.tensor([True, False])]
        assert waits.found[0] == "_local_scalar_dense"
        assert set(waits.found[1:]) & {"nonzero", "index.Tensor"}


# ---------------------------------------------------------------- the loader


def test_the_loader_hands_over_the_same_items_in_order():
    for is_wanted in (True, False):
        with loaded_ahead(iter(range(50)), is_wanted) as items:
            assert list(items) == list(range(50))


def test_the_loader_works_ahead_and_ends_with_the_block():
    made = []

    def slow():
        for number in range(10**6):
            made.append(number)
            yield number

    with loaded_ahead(slow(), True) as items:
        assert next(items) == 0
    assert not [t for t in threading.enumerate() if t.name == "minibert loader"]
    count = len(made)
    assert 1 <= count <= 4
    assert len(made) == count


def test_what_goes_wrong_in_the_loader_is_raised_where_it_is_read():
    def broken():
        yield 1
        raise ValueError("row 17 is broken")

    with loaded_ahead(broken(), True) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="row 17"):
            next(items)


def test_a_run_reads_the_same_from_the_loader(tmp_path, monkeypatch):
    plain, _ = trained(tmp_path / "plain")
    monkeypatch.setattr(
        "minibert.training.trainer.loaded_ahead", lambda items, _: loaded_ahead(items, True)
    )
    ahead, _ = trained(tmp_path / "ahead")
    assert all(torch.equal(ahead[name], value) for name, value in plain.items())


def test_a_batch_in_one_block_is_the_batch():
    batch = {
        "input_ids": torch.arange(7)[None],
        "cu_seqlens": torch.tensor([0, 3, 7], dtype=torch.int32),
        "label_count": torch.tensor(3.0),
        "flag": torch.tensor([True, False, True]),
        "max_seqlen": 4,
    }
    moved = on_device(pinned(batch), torch.device("cpu"))
    assert moved.keys() == batch.keys()
    for name, value in batch.items():
        if isinstance(value, torch.Tensor):
            assert moved[name].dtype == value.dtype
            assert torch.equal(moved[name], value)
        else:
            assert moved[name] == value
    places = {value.data_ptr() // 64 for value in moved.values() if isinstance(value, torch.Tensor)}
    assert len(places) == 4


# ---------------------------------------------------------------- precision and figures


def test_fp16_is_for_gpus_and_says_so():
    with pytest.raises(ValueError, match="fp16' needs a GPU"):
        devices.choose_precision("fp16", torch.device("cpu"))


def test_float32_on_a_gpu_is_tf32_inside_and_nothing_outside():
    before = torch.get_float32_matmul_precision()
    with devices.autocast("float32", torch.device("cuda")):
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == before
    with devices.autocast("float32", torch.device("cpu")):
        assert torch.get_float32_matmul_precision() == before


def test_compile_without_a_compiler_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ValueError, match="needs a C\\+\\+ compiler"):
        Trainer(BertForPreTraining(still()), settings(tmp_path, compile=True), pretraining_data())


def test_the_stream_between_layers_is_narrow_only_under_autocast(tmp_path):
    changes = {"bf16_stream": True, "precision": "bf16", "max_steps": 1}
    torch.manual_seed(0)
    model = BertForPreTraining(still())
    trainer = Trainer(model, settings(tmp_path, **changes), pretraining_data())
    kinds = []
    layer = model.bert.encoder.layers[0]
    layer.register_forward_pre_hook(lambda _, args: kinds.append(args[0].dtype))
    trainer.fit()
    model(torch.full((1, 5), 7))
    assert kinds == [torch.bfloat16, torch.float32]
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_work_counts_what_the_model_has_to_compute():
    config = still()
    model = BertForPreTraining(config)
    data = pretraining_data()
    batch = data.collate(np.argsort(data.lengths)[[0, 9, -1]], seeded(0))
    lengths = batch["attention_mask"].sum(1).tolist()
    work = Work.of(model, batch)
    assert work.tokens == sum(lengths)
    weights = sum(p.numel() for p in model.bert.encoder.parameters() if p.ndim == 2)
    scores = sum(12 * config.hidden_size * n * n for n in lengths) * config.num_hidden_layers
    head = (
        6
        * len(batch["masked_positions"])
        * config.hidden_size
        * (config.vocab_size + config.hidden_size)
    )
    assert work.flops == 6 * weights * work.tokens + scores + head


def test_a_gpus_log_has_its_share_and_its_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**30)
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    log = TrainingLog(tmp_path, 0, 2, tensorboard=False, best_rate=1e12)
    for step in (1, 2):
        now[0] += 1.0
        log.add_loss(torch.tensor(1.0))
        log.step_done(step, Work(100, 4e11), torch.tensor(1.0), 1e-3)
    assert log.entries[0]["mfu"] == 0.4
    assert log.entries[0]["peak_memory_gib"] == 3.0
