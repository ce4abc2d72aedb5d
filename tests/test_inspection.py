"""What `inspection` says about a model is what the model does."""

import pytest
import torch
from torch import nn

from minibert.course.analysis.inspection import (
    gradient_table,
    main_steps,
    query_key_value,
    record,
    trace_shapes,
)
from minibert.model.attention import attention
from minibert.model.bert import BertModel
from minibert.model.config import BertConfig
from minibert.model.heads import BertForMaskedLM, BertForPreTraining
from minibert.model.task_heads import BertForSequenceClassification, BertForTokenClassification
from minibert.weights.parameters import parameter_table

CONFIG = BertConfig.preset("tiny", vocab_size=60, num_hidden_layers=3)
LAYERS, SIZE, HEADS = 3, CONFIG.hidden_size, CONFIG.num_attention_heads


class Names:
    def convert_ids_to_tokens(self, ids):
        return [f"w{i}" for i in ids]


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return {
        "input_ids": torch.randint(5, 60, (2, 7)),
        "attention_mask": torch.tensor([[1] * 7, [1] * 5 + [0] * 2]),
    }


def test_recording_holds_every_layer_and_equals_the_plain_run(batch):
    model = BertForSequenceClassification(CONFIG).eval()
    held = record(model, Names(), **batch)
    assert held.hidden_states.shape == (LAYERS + 1, 2, 7, SIZE)
    assert held.attentions.shape == (LAYERS, 2, HEADS, 7, 7)
    torch.testing.assert_close(held.attentions.sum(-1), torch.ones(LAYERS, 2, HEADS, 7))
    with torch.no_grad():
        plain = model(**batch)
    torch.testing.assert_close(held.logits, plain.logits, atol=1e-5, rtol=0)
    assert held.tokens[0] == [f"w{i}" for i in batch["input_ids"][0].tolist()]


def test_recording_is_without_dropout_and_leaves_the_mode_alone(batch):
    model = BertModel(CONFIG).train()
    first, second = record(model, **batch), record(model, **batch)
    assert torch.equal(first.hidden_states, second.hidden_states)
    assert model.training
    assert model.encoder.layers[0].dropout.training


def test_one_sentence_of_a_recording_has_no_padding(batch):
    held = record(BertModel(CONFIG), **batch)
    one = held[1]
    assert len(one.tokens[0]) == 5
    assert one.hidden_states.shape == (LAYERS + 1, 5, SIZE)
    assert one.attentions.shape == (LAYERS, HEADS, 5, 5)
    assert torch.equal(one.attentions, held.attentions[:, 1, :, :5, :5])
    torch.testing.assert_close(one.attentions.sum(-1), torch.ones(LAYERS, HEADS, 5))


def test_nothing_to_record_is_said_so(batch):
    with pytest.raises(ValueError, match="no BertModel inside"):
        record(nn.Linear(2, 2), **batch)


def test_projections_are_those_that_the_model_used(batch):
    model = BertModel(CONFIG).eval()
    held = record(model, **batch)
    for layer in range(LAYERS):
        query, key, value = query_key_value(
            model.encoder.layers[layer].attention, held.hidden_states[layer]
        )
        mask = batch["attention_mask"][:, None, None, :].bool()
        torch.testing.assert_close(
            attention(query, key, value, mask)[1], held.attentions[layer], atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize(
    ("preset", "total"), [("base", 109_482_240), ("large", 335_141_888)], ids=["base", "large"]
)
def test_table_counts_the_published_models(preset, total):
    with torch.device("meta"):
        table = parameter_table(BertModel(BertConfig.preset(preset)))
    assert table.total == total
    assert sum(part.fraction for part in table) == pytest.approx(1)
    assert not [part.name for part in table if part.name.startswith("head")]
    assert f"{total:,}" in str(table).splitlines()[-1]


def test_table_counts_every_parameter_once_and_names_the_heads():
    model = BertForPreTraining(CONFIG)
    table = parameter_table(model)
    assert table.total == sum(p.numel() for p in model.parameters())
    assert [part.name for part in table][-2:] == ["head: mlm", "head: nsp"]
    counts = {part.name: part.size for part in table}
    assert counts["token embeddings"] == 60 * SIZE
    assert counts["LayerNorm"] == 2 * SIZE * (1 + 2 * LAYERS)


def test_fixed_positions_are_no_parameters():
    model = BertModel(BertConfig.preset("tiny", position_embedding_type="sinusoidal"))
    assert "position embeddings" not in {part.name for part in parameter_table(model)}


def test_gradient_table_counts_what_a_loss_reaches(batch):
    model = BertForSequenceClassification(CONFIG).eval()  # dropout would cut some gradients off
    model.bert.encoder.layers[0].requires_grad_(False)
    model(**batch, labels=torch.tensor([0, 0])).loss.backward()
    table = {part.name: part for part in gradient_table(model)}
    real = batch["input_ids"][batch["attention_mask"].bool()]  # padding is read by nobody
    used = len(set(real.tolist()) - {CONFIG.pad_token_id})
    assert table["token embeddings"] == ("token embeddings", 60 * SIZE, used * SIZE)
    assert table["position embeddings"].reached == 7 * SIZE
    assert table["segment embeddings"].reached == SIZE
    assert table["head: classifier"].reached == table["head: classifier"].size
    feed_forward = table["feed-forward"]
    assert feed_forward.reached == feed_forward.size * (LAYERS - 1) // LAYERS
    largest = max(p.grad.abs().max().item() for p in model.parameters() if p.grad is not None)
    assert sum(part.reached for part in gradient_table(model, above=largest)) == 0
    parts = gradient_table(model)
    assert str(parts).splitlines()[-1].split()[1] == f"{sum(p.reached for p in parts):,}"
    assert [part.name for part in parts] == [part.name for part in parameter_table(model)]


def test_trace_follows_one_sentence_through_every_shape(batch):
    model = BertForSequenceClassification(CONFIG)
    trace = trace_shapes(model, batch)
    shapes = {step.name: (step.before, step.after) for step in trace}
    inside = "bert.encoder.layers.2.attention"
    head = (2, HEADS, 7, SIZE // HEADS)
    assert shapes["bert.embeddings"] == ((2, 7), (2, 7, SIZE))
    assert shapes[f"{inside}.query_key_value"] == ((2, 7, SIZE), (2, 7, 3 * SIZE))
    assert shapes[f"{inside}.query"][1] == shapes[f"{inside}.value"][1] == head
    assert shapes[f"{inside}.weights"] == (head, (2, HEADS, 7, 7))
    assert shapes[f"{inside}.mixed"] == ((2, HEADS, 7, 7), head)
    assert shapes["bert.encoder.layers.2.feed_forward.up"][1] == (2, 7, 4 * SIZE)
    assert shapes["classifier"] == ((2, SIZE), (2, 2))
    order = [step.name for step in trace]
    parts = ["query_key_value", "query", "key", "value", "weights", "mixed", "output"]
    start = order.index(f"{inside}.query_key_value")
    assert order[start : start + 8] == [*(f"{inside}.{part}" for part in parts), inside]
    assert f"2 × 7 → 2 × 7 × {SIZE}" in str(trace)
    assert not [step for step in trace if "dropout" in step.kind.lower()]


def test_trace_leaves_no_hook_behind(batch):
    model = BertModel(CONFIG)
    trace_shapes(model, batch)
    assert not any(module._forward_hooks for module in model.modules())


def test_main_steps_are_the_walk_of_claim_a13(batch):
    one = {name: value[:1] for name, value in batch.items()}
    model = BertForSequenceClassification(CONFIG)
    assert main_steps(model, trace_shapes(model, one)) == [
        ("token ids", (1, 7)),
        ("embeddings", (1, 7, SIZE)),
        ("after 3 layers", (1, 7, SIZE)),
        ("[CLS] alone", (1, SIZE)),
        ("pooler: dense + tanh on [CLS]", (1, SIZE)),
        ("logits", (1, 2)),
        ("probabilities", (1, 2)),
    ]


@pytest.mark.parametrize(
    ("model_class", "last"),
    [
        (BertModel, ("pooler: dense + tanh on [CLS]", (2, SIZE))),
        (BertForMaskedLM, ("probabilities", (2, 7, 60))),
        (BertForTokenClassification, ("probabilities", (2, 7, 2))),
        (BertForPreTraining, ("next-sentence logits", (2, 2))),
    ],
)
def test_every_model_can_be_walked(batch, model_class, last):
    model = model_class(CONFIG)
    assert main_steps(model, trace_shapes(model, batch))[-1] == last
