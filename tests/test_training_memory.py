"""The memory of a training step: computed and counted, the same to the last byte."""

import pytest
import torch

from minibert.course.analysis.memory import (
    GIB,
    largest_batch,
    measured_peaks,
    peak_memory,
    training_memory,
)
from minibert.course.analysis.memory_counting import measured_memory, memory_timeline
from minibert.model.config import BertConfig
from minibert.model.lora import add_adapter
from minibert.model.task_heads import BertForSequenceClassification


def config(dropout=0.0, **changes):
    shape = {
        "vocab_size": 50,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 96,
        "max_position_embeddings": 48,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
        "num_labels": 3,
    }
    return BertConfig(**{**shape, **changes})


def batch(rows, length):
    return {
        "input_ids": torch.full((rows, length), 7),
        "attention_mask": torch.ones(rows, length, dtype=torch.long),
        "token_type_ids": torch.zeros(rows, length, dtype=torch.long),
        "labels": torch.zeros(rows, dtype=torch.long),
    }


def classifier(shape, rank=None):
    torch.manual_seed(0)
    model = BertForSequenceClassification(shape)
    return add_adapter(model, "base", rank) if rank else model


@pytest.mark.parametrize("rank", [None, 4])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("is_checkpointed", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_step_on_a_processor_holds_what_was_computed(dropout, is_checkpointed, precision, rank):
    shape = config(dropout)
    model = classifier(shape, rank).train()
    model.bert.encoder.gradient_checkpointing = is_checkpointed
    computed = training_memory(
        shape,
        3,
        10,
        precision=precision,
        on_cpu=True,
        gradient_checkpointing=is_checkpointed,
        adapter_rank=rank,
    )
    assert measured_memory(model, batch(3, 10), precision) == computed


@pytest.mark.parametrize("rank", [None, 4])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize(("rows", "length"), [(3, 10), (5, 17)])
def test_fused_attention_holds_what_was_computed(rows, length, precision, rank):
    # Out of training mode, where there is no dropout, the fused kernel runs on a processor, too.
    model = classifier(config(), rank).eval()
    computed = training_memory(config(), rows, length, precision=precision, adapter_rank=rank)
    assert measured_memory(model, batch(rows, length), precision) == computed


@pytest.mark.parametrize("is_checkpointed", [False, True])
def test_no_moment_of_a_step_holds_more_than_the_sum(is_checkpointed):
    shape = config(hidden_size=64, intermediate_size=256)
    model = classifier(shape).train()
    model.bert.encoder.gradient_checkpointing = is_checkpointed
    seen = memory_timeline(model, batch(8, 40))
    computed = training_memory(shape, 8, 40, on_cpu=True, gradient_checkpointing=is_checkpointed)
    assert 0.75 * computed.total < seen.peak < computed.total
    still = computed.weights + computed.optimizer
    assert still <= seen.held[0] < still + 10_000  # at first weights and optimizer alone
    assert seen.held.index(seen.peak) > 0.9 * seen.forward_end
    after = still + computed.gradients
    assert after <= seen.held[seen.backward_end - 1] < after + 10_000  # all activations are gone
    assert len(seen.held) > seen.backward_end > seen.forward_end


def test_a_measured_step_leaves_nothing_behind():
    model = classifier(config()).train()
    first = measured_memory(model, batch(3, 10))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert measured_memory(model, batch(3, 10)) == first


def test_base_is_sixteen_bytes_a_parameter_before_the_first_text():
    small = training_memory(BertConfig.preset("base"), 1, 1)
    static = small.weights + small.gradients + small.optimizer
    count = small.weights // 4
    assert static == 16 * count + 4 * 153  # the optimizer counts the steps of each tensor
    assert small.total < 2 * GIB


def test_accumulation_and_checkpointing_and_bf16_all_save():
    base = BertConfig.preset("base")
    plain = training_memory(base, 32, 128).total
    assert training_memory(base, 8, 128).total < plain
    assert training_memory(base, 32, 128, gradient_checkpointing=True).total < plain
    assert training_memory(base, 32, 128, precision="bf16").total < plain
    assert training_memory(base, 32, 128, is_fused=False).total > plain
    assert training_memory(base, 32, 128, on_cpu=True).total > plain


@pytest.mark.parametrize("measured", measured_peaks(), ids=str)
def test_the_peak_is_what_a_gpu_measured(measured):
    name, rows, length, precision, gib = measured
    shape, options = BertConfig.preset(name), {"precision": precision}
    told = peak_memory(shape, rows, length, keeps_states=True, **options).total / GIB
    assert told == pytest.approx(gib, rel=0.015)
    total = training_memory(shape, rows, length, **options).total / GIB
    assert abs(total - gib) > abs(told - gib)  # nearer than the plain sum


def test_where_little_is_read_the_gradients_make_the_peak():
    base = BertConfig.preset("base")
    held = training_memory(base, 1, 8)
    static = held.weights + held.optimizer + held.gradients
    assert static < peak_memory(base, 1, 8).total < static + 0.05 * GIB
    assert peak_memory(base, 32, 128).total > static + GIB


def test_attention_written_out_keeps_bytes_for_every_pair_of_tokens():
    """Of 12 heads and layers: in 32 bits weights, their mask, what is left; no mask in eval."""
    base = BertConfig.preset("base")
    still = base.changed(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    pairs = 12 * 12 * 32 * 128 * 128
    for shape, precision, each in (
        (base, "float32", 4 + 1 + 4),
        (base, "bf16", 4 + 1 + 2),
        (still, "float32", 4),
        (still, "bf16", 4 + 2),
    ):
        written, fused = (
            training_memory(shape, 32, 128, precision=precision, is_fused=is_fused).activations
            for is_fused in (False, True)
        )
        assert written - fused == pytest.approx(pairs * each, rel=0.02), (precision, each)


def test_the_largest_batch_fits_and_one_more_does_not():
    room = 40 * 10**6
    rows = largest_batch(config(), 20, room, precision="bf16")
    assert rows > 1
    assert peak_memory(config(), rows, 20, precision="bf16").total <= room
    assert peak_memory(config(), rows + 1, 20, precision="bf16").total > room
    assert largest_batch(config(), 20, 1000) == 0


@pytest.mark.parametrize(
    ("shape", "precision", "message"),
    [
        (config(), "float16", "unknown precision 'float16'"),
        (config(norm_position="pre"), "float32", "pre-norm"),
    ],
)
def test_what_is_not_worked_out_is_said(shape, precision, message):
    with pytest.raises(ValueError, match=message):
        training_memory(shape, 1, 8, precision=precision)
