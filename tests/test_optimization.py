"""Schedules and decay groups against the reference; precision and device by the hardware."""

import itertools
import re

import pytest
import torch
from torch import nn
from trainings import tasks, tiny_config
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from minibert.model.heads import BertForMaskedLM
from minibert.model.lora import add_adapter
from minibert.training import devices
from minibert.training.config import SCHEDULES
from minibert.training.optimization import learning_rate_factor, parameter_groups


def _reference(make, total, warmup):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer, warmup, total)
    return [schedule.lr_lambdas[0](step) for step in range(total + 1)]


@pytest.mark.parametrize(("total", "warmup"), [(20, 5), (50, 1), (7, 0), (10, 9)])
@pytest.mark.parametrize(
    ("schedule", "make"),
    [("linear", get_linear_schedule_with_warmup), ("cosine", get_cosine_schedule_with_warmup)],
)
def test_schedules_are_the_references_with_a_first_step_that_moves(schedule, make, total, warmup):
    # The reference's warm-up begins at 0, so its first step does nothing: ours is one step ahead.
    # After the warm-up both are the same.
    expected = _reference(make, total, warmup)
    for step in range(total):
        ours = learning_rate_factor(schedule, step, total, warmup)
        theirs = expected[step + 1] if step < warmup else expected[step]
        assert ours == pytest.approx(theirs, abs=1e-12), step
        assert 0 < ours <= 1


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_rises_to_the_peak_and_falls(schedule):
    rates = [learning_rate_factor(schedule, step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1)
    assert all(a < b for a, b in itertools.pairwise(rates[:10]))
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))


@pytest.mark.parametrize("norm_position", ["post", "pre"])
@pytest.mark.parametrize("name", tasks())
def test_decay_spares_biases_and_layer_norm_and_nothing_else(name, norm_position):
    # The paper's code goes by names: LayerNorm, layer_norm, bias.
    model = tasks()[name][0](tiny_config(norm_position=norm_position))
    decayed, spared = parameter_groups(model, 0.01)
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.01, 0.0)
    spared_ids = {id(parameter) for parameter in spared["params"]}
    decayed_ids = {id(parameter) for parameter in decayed["params"]}
    for key, parameter in model.named_parameters():
        by_name = bool(re.search(r"norm|bias", key))
        assert (id(parameter) in spared_ids) == by_name, key
        assert (id(parameter) in decayed_ids) != by_name, key


def test_frozen_parameters_are_in_no_group():
    model = add_adapter(BertForMaskedLM(tiny_config()), "base", rank=2)
    grouped = [p for group in parameter_groups(model, 0.01) for p in group["params"]]
    assert len(grouped) == sum(p.requires_grad for p in model.parameters())
    assert all(p.requires_grad for p in grouped)


# ---------------------------------------------------------------- device and precision

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16"),
        ({"avx512_bf16": False, "avx2": True}, "float32"),
        ({}, "float32"),
    ],
)
def test_a_processor_gets_bf16_only_where_it_has_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert devices.choose_precision("auto", CPU) == expected
    assert devices.choose_precision("bf16", CPU) == "bf16"
    assert devices.choose_precision("float32", CPU) == "float32"


def test_a_torch_that_cannot_say_gets_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert devices.choose_precision("auto", CPU) == "float32"


@pytest.mark.parametrize(
    ("capability", "expected"), [((6, 1), "float32"), ((7, 5), "fp16"), ((8, 0), "bf16")]
)
def test_a_gpu_gets_bf16_from_ampere_on(monkeypatch, capability, expected):
    # torch.cuda.is_bf16_supported() also says yes where it is emulated.
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert devices.choose_precision("auto", CUDA) == expected
    assert devices.choose_precision("auto", MPS) == "float32"


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_fastest_device(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert devices.choose_device("auto").type == expected
    assert devices.choose_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_told(monkeypatch, name):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="use device='cpu'"):
        devices.choose_device(name)


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="auto, cpu, cuda, mps"):
        devices.choose_device("tpu")
    with pytest.raises(ValueError, match="auto, float32, bf16"):
        devices.choose_precision("fp8", CPU)


def test_bf16_is_for_products_and_float32_for_the_weights():
    linear = nn.Linear(4, 4)
    with devices.autocast("bf16", CPU):
        assert linear(torch.ones(1, 4)).dtype == torch.bfloat16
    with devices.autocast("float32", CPU):
        assert linear(torch.ones(1, 4)).dtype == torch.float32
    assert linear.weight.dtype == torch.float32
