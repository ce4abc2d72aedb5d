"""The memory of a training step: computed and counted, the same to the last byte."""

import pytest
import torch

from minibert.course.analysis.memory import GIB, largest_batch, training_memory
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
        is_fused=False,
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
    computed = training_memory(shape, 8, 40, is_fused=False, gradient_checkpointing=is_checkpointed)
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


def test_the_largest_batch_fits_and_one_more_does_not():
    room = 3 * 10**6
    rows = largest_batch(config(), 20, room, precision="bf16")
    assert rows > 1
    assert training_memory(config(), rows, 20, precision="bf16").total <= room
    assert training_memory(config(), rows + 1, 20, precision="bf16").total > room
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
