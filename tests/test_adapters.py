"""Low-rank adapters: nothing at the start, little on disk, and the base left alone."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from minibert.model.bert import BertModel
from minibert.model.config import BertConfig
from minibert.model.heads import BertForMaskedLM
from minibert.model.lora import add_adapter, merge_adapter
from minibert.model.task_heads import BertForSequenceClassification

CONFIG = BertConfig(
    vocab_size=60,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=16,
    initializer_range=0.2,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
IDS = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 1])


@pytest.fixture
def base(tmp_path):
    torch.manual_seed(0)
    BertModel(CONFIG).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def classifier(base, rank=4):
    torch.manual_seed(1)
    model = BertForSequenceClassification.from_pretrained(base)
    return add_adapter(model, str(base), rank)


def trained(base, steps=5):
    model = classifier(base).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(steps):
        model(IDS, labels=LABELS).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@torch.no_grad()
def logits(model):
    return model(IDS).logits


def test_an_adapter_that_was_not_trained_changes_nothing(base):
    torch.manual_seed(1)
    plain = BertForSequenceClassification.from_pretrained(base)
    assert torch.equal(logits(classifier(base)), logits(plain))


def test_every_matrix_of_every_layer_gets_one_and_nothing_else_is_free(base):
    model = classifier(base, rank=4)
    free = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    lora = {name for name in free if ".lora_" in name}
    assert len(lora) == 2 * 4 * 2  # layers x matrices x (A, B)
    assert free - lora == {
        "bert.pooler.weight",
        "bert.pooler.bias",
        "classifier.weight",
        "classifier.bias",
    }
    # Counted by hand: rank x (in + out) for each of the four matrices.
    sizes = (32 + 96) + (32 + 32) + (32 + 64) + (64 + 32)
    assert sum(dict(model.named_parameters())[n].numel() for n in lora) == 2 * 4 * sizes


def test_training_moves_the_adapter_and_not_the_base(base):
    before, after = classifier(base).state_dict(), trained(base).state_dict()
    for name in before:
        moved = not torch.equal(before[name], after[name])
        assert moved is any(part in name for part in (".lora_", "pooler", "classifier")), name


def test_the_product_is_scaled_by_alpha_over_rank(base):
    model = trained(base)
    layer = model.bert.encoder.layers[0].feed_forward.up
    x = torch.randn(5, 32)
    assert model.adapter.alpha == 8  # twice the rank
    expected = layer.linear(x) + 8 / 4 * (x @ layer.lora_a.T @ layer.lora_b.T)
    assert_close(layer(x), expected)


def test_merged_weights_compute_the_same(base):
    model = trained(base)
    before = logits(model)
    assert (before - logits(classifier(base))).abs().max() > 0.1  # it did learn something
    merge_adapter(model)
    assert_close(logits(model), before, atol=1e-5, rtol=0)
    assert model.adapter is None
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.state_dict().keys() == BertForSequenceClassification(CONFIG).state_dict().keys()


def test_saved_alone_and_read_again_it_is_the_same(base, tmp_path):
    model = trained(base)
    model.save_pretrained(tmp_path / "adapter")
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir()) == [
        "adapter.safetensors",
        "adapter_config.json",
        "config.json",
    ]
    stored = load_file(tmp_path / "adapter" / "adapter.safetensors")
    assert not any("embeddings" in name or ".linear." in name for name in stored)
    again = BertForSequenceClassification.from_pretrained(tmp_path / "adapter")
    assert torch.equal(logits(again), logits(model))
    assert again.adapter == model.adapter
    assert not again.training


def test_the_masked_head_is_saved_with_its_adapter(base, tmp_path):
    torch.manual_seed(2)
    model = add_adapter(BertForMaskedLM.from_pretrained(base), str(base), 2)
    model.mlm.bias.data.normal_()
    model.save_pretrained(tmp_path / "a")
    again = BertForMaskedLM.from_pretrained(tmp_path / "a")
    assert torch.equal(logits(again), logits(model))
    # The encoder alone, with the adapter, for another task.
    bare = BertModel.from_pretrained(tmp_path / "a")
    with torch.no_grad():
        assert_close(bare(IDS).last_hidden_state, model.bert(IDS).last_hidden_state)


def test_a_merged_model_replaces_its_adapter_in_the_folder(base, tmp_path):
    model = trained(base)
    model.save_pretrained(tmp_path / "a")
    before = logits(model)
    merge_adapter(model)
    with pytest.raises(ValueError, match=r"already holds a model \(adapter_config.json\)"):
        model.save_pretrained(tmp_path / "a")
    model.save_pretrained(tmp_path / "a", overwrite=True)
    again = BertForSequenceClassification.from_pretrained(tmp_path / "a")
    assert again.adapter is None
    assert_close(logits(again), before, atol=1e-5, rtol=0)


def test_an_adapter_replaces_a_model_only_where_that_is_asked_for(base):
    model = trained(base)
    with pytest.raises(ValueError, match=r"already holds a model \(model.safetensors\)"):
        model.save_pretrained(base)


def test_a_base_that_is_gone_is_named(base, tmp_path):
    trained(base).save_pretrained(tmp_path / "a")
    shutil.rmtree(base)
    with pytest.raises(
        FileNotFoundError, match=r"a/adapter_config\.json: the adapter needs its base: .*base"
    ):
        BertForSequenceClassification.from_pretrained(tmp_path / "a")


def test_a_base_beside_the_adapter_moves_with_it(base, tmp_path):
    model = trained(base)
    model.save_pretrained(tmp_path / "a")
    settings = tmp_path / "a" / "adapter_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "base": "../base"}))
    (tmp_path / "moved").mkdir()
    for name in ("a", "base"):
        shutil.move(tmp_path / name, tmp_path / "moved" / name)
    again = BertForSequenceClassification.from_pretrained(tmp_path / "moved" / "a")
    assert torch.equal(logits(again), logits(model))


def test_another_base_of_another_shape_is_refused(base, tmp_path):
    trained(base).save_pretrained(tmp_path / "a")
    BertModel(CONFIG.changed(hidden_size=16)).save_pretrained(base, overwrite=True)
    with pytest.raises(ValueError, match=r"embeddings.token.weight is \(60, 16\), not \(60, 32\)"):
        BertForSequenceClassification.from_pretrained(tmp_path / "a")


@pytest.mark.parametrize("drop", ["lora_b", "classifier.bias"])
def test_half_an_adapter_is_refused(base, tmp_path, drop):
    from safetensors.torch import save_file

    trained(base).save_pretrained(tmp_path / "a")
    path = tmp_path / "a" / "adapter.safetensors"
    kept = {name: value for name, value in load_file(path).items() if drop not in name}
    save_file(kept, path)
    with pytest.raises(ValueError, match=f"missing: .*{drop}"):
        BertForSequenceClassification.from_pretrained(tmp_path / "a")


def test_settings_of_another_library_are_refused(base, tmp_path):
    trained(base).save_pretrained(tmp_path / "a")
    (tmp_path / "a" / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')
    with pytest.raises(ValueError, match="it needs base, rank, alpha"):
        BertForSequenceClassification.from_pretrained(tmp_path / "a")


def test_labels_may_change_with_the_configuration(base, tmp_path):
    trained(base).save_pretrained(tmp_path / "a")
    again = BertForSequenceClassification.from_pretrained(
        tmp_path / "a", id2label={0: "no", 1: "yes"}, class_weights=[1.0, 3.0]
    )
    assert again.config.labels == ["no", "yes"]
    assert again.class_weights.tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("rank", "message"), [(0, "at most 32, not 0"), (33, "not 33"), (4, "adapter already")]
)
def test_a_rank_or_a_second_adapter_that_cannot_be_is_refused(base, rank, message):
    model = classifier(base) if rank == 4 else BertForSequenceClassification.from_pretrained(base)
    with pytest.raises(ValueError, match=message):
        add_adapter(model, str(base), rank)


@pytest.mark.data
def test_an_adapter_of_the_real_weights_is_small(tmp_path):
    model = add_adapter(BertForMaskedLM.from_pretrained("minilm"), "minilm", 16)
    model.save_pretrained(tmp_path / "a", dtype=torch.float16)
    assert (tmp_path / "a" / "adapter.safetensors").stat().st_size < 3_000_000
    again = BertForMaskedLM.from_pretrained(tmp_path / "a")
    with torch.no_grad():
        assert_close(again(IDS).logits, model(IDS).logits, atol=2e-2, rtol=0)  # 16 bits
