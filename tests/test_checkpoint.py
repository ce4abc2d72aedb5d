"""Model folders: what fits is read, what does not is named, what is there is not overwritten."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from minibert import Tokenizer
from minibert.cli.main import main
from minibert.model.bert import BertModel
from minibert.model.config import BertConfig
from minibert.model.heads import BertForMaskedLM
from minibert.model.task_heads import BertForSequenceClassification
from minibert.tokenization.files import SPECIAL_TOKENS
from minibert.weights import names
from minibert.weights.folder import resolve
from minibert.weights.hugging_face import config_from_hugging_face, config_to_hugging_face

CONFIG = BertConfig(
    vocab_size=40,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=12,
)
IDS = torch.randint(5, 40, (2, 8), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    BertForMaskedLM(CONFIG).save_pretrained(tmp_path / "m")
    return tmp_path / "m"


def change(folder, edit):
    """Edit the tensors in a folder's file."""
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


@torch.no_grad()
def states(model):
    return getattr(model, "bert", model)(IDS).last_hidden_state


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"norm_position": "pre"},
        {"position_embedding_type": "sinusoidal"},
        {"hidden_act": "gelu_tanh", "is_causal": True},
        {"num_labels": 3, "id2label": {0: "ja", 1: "nein", 2: "好"}},
        {"num_labels": 1, "problem_type": "regression", "layer_norm_eps": 1e-7},
    ],
)
def test_a_model_comes_back_as_it_was(tmp_path, changes):
    config = CONFIG.changed(**changes)
    model = BertForSequenceClassification(config).eval()
    model.save_pretrained(tmp_path / "m")
    again = BertForSequenceClassification.from_pretrained(tmp_path / "m")
    assert again.config == config
    assert not again.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
    assert torch.equal(again(IDS).logits, model(IDS).logits)


def test_half_the_bits_are_half_the_file(tmp_path):
    model = BertModel(CONFIG)
    model.save_pretrained(tmp_path / "full")
    model.save_pretrained(tmp_path / "half", dtype=torch.float16)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    assert json.loads((tmp_path / "half" / "config.json").read_text())["dtype"] == "float16"
    again = BertModel.from_pretrained(tmp_path / "half")
    assert all(parameter.dtype == torch.float32 for parameter in again.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor.half().float()), name


def test_the_encoder_of_one_head_serves_another(folder):
    torch.manual_seed(1)
    masked = BertForMaskedLM.from_pretrained(folder)
    classifier = BertForSequenceClassification.from_pretrained(folder, num_labels=5)
    assert torch.equal(states(masked), states(classifier))
    assert torch.equal(states(masked), states(BertModel.from_pretrained(folder)))
    assert classifier.classifier.weight.shape == (5, 16)
    assert classifier.classifier.weight.abs().max() > 0  # drawn


def test_the_first_layers_alone_may_be_asked_for(folder):
    whole, part = (
        BertModel.from_pretrained(folder, **changes) for changes in ({}, {"num_hidden_layers": 1})
    )
    with torch.no_grad():
        expected = whole(IDS, output_hidden_states=True).hidden_states[1]
    assert_close(states(part), expected)


def test_new_label_names_bring_their_number(folder):
    model = BertForSequenceClassification.from_pretrained(folder, id2label={0: "a", 1: "b", 2: "c"})
    assert model.config.num_labels == 3
    assert model.config.labels == ["a", "b", "c"]


# ---------------------------------------------------------------- what does not fit


def test_a_missing_tensor_is_named(folder):
    change(folder, lambda t: t.pop("bert.encoder.layer.1.output.dense.bias"))
    with pytest.raises(ValueError, match=r"missing: bert.encoder.layers.1.feed_forward.down.bias$"):
        BertForMaskedLM.from_pretrained(folder)


def test_a_missing_third_of_a_projection_is_named(folder):
    change(folder, lambda t: t.pop("bert.encoder.layer.0.attention.self.key.weight"))
    with pytest.raises(
        ValueError, match=r"lacks key of .*layers.0.attention.query_key_value.weight"
    ):
        BertForMaskedLM.from_pretrained(folder)


def test_another_shape_is_named_with_both(folder):
    name = "bert.embeddings.token_type_embeddings.weight"
    change(folder, lambda t: t.update({name: torch.zeros(3, 16)}))
    with pytest.raises(ValueError, match=r"segment.weight is \(3, 16\), not \(2, 16\)"):
        BertForMaskedLM.from_pretrained(folder)


def test_half_a_head_is_damage_and_not_a_new_head(folder):
    change(folder, lambda t: t.pop("cls.predictions.transform.dense.bias"))
    with pytest.raises(ValueError, match=r"missing: mlm\.dense\.bias"):
        BertForMaskedLM.from_pretrained(folder)


def test_tensors_the_encoder_cannot_use_are_not_left_out_in_silence(folder):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 1}))
    with pytest.raises(ValueError, match=r"not in this model: bert.encoder.layers.1\."):
        BertForMaskedLM.from_pretrained(folder)


def test_a_head_of_another_size_is_named(tmp_path):
    BertForSequenceClassification(CONFIG.changed(num_labels=3)).save_pretrained(tmp_path / "m")
    with pytest.raises(ValueError, match=r"classifier.weight is \(3, 16\), not \(2, 16\)"):
        BertForSequenceClassification.from_pretrained(tmp_path / "m", num_labels=2)


def test_an_unknown_setting_is_named(folder):
    with pytest.raises(ValueError, match="unknown configuration keys: num_layers"):
        BertModel.from_pretrained(folder, num_layers=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "roberta"}, "this is a roberta model, not a BERT"),
        ({"hidden_act": "silu"}, "hidden_act 'silu' is unknown"),
        ({"position_embedding_type": "relative_key"}, "'relative_key' is unknown"),
        ({"num_attention_heads": 5}, "cannot be divided among 5 heads"),
    ],
)
def test_a_model_that_is_no_bert_is_refused(folder, change, message):
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, **change}))
    with pytest.raises(ValueError, match=message):
        BertModel.from_pretrained(folder)


def test_a_config_survives_the_way_there_and_back():
    other = BertConfig(  # in which no field has its default
        vocab_size=90,
        hidden_size=24,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=17,
        hidden_act="gelu_tanh",
        hidden_dropout_prob=0.2,
        attention_probs_dropout_prob=0.3,
        max_position_embeddings=40,
        type_vocab_size=3,
        initializer_range=0.1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
        is_causal=True,
        norm_position="pre",
        position_embedding_type="sinusoidal",
        num_labels=3,
        id2label={0: "a", 1: "b", 2: "c"},
        problem_type="multi_label_classification",
    )
    default = BertConfig().to_dict()
    assert all(value != default[name] for name, value in other.to_dict().items())
    for config in (
        CONFIG,
        CONFIG.changed(is_causal=True, norm_position="pre", num_labels=4),
        other,
    ):
        stored = json.loads(json.dumps(config_to_hugging_face(config.to_dict(), "BertModel")))
        assert BertConfig(**config_from_hugging_face(stored)) == config


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("content", [b"", b"\x80\x02pickle", b"\xff" * 100])
def test_a_damaged_file_is_named(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"model.safetensors is damaged or not a safetensors file"):
        BertModel.from_pretrained(folder)


def test_a_file_that_was_cut_off_is_named(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is damaged"):
        BertModel.from_pretrained(folder)


def test_pickled_weights_are_not_opened_by_themselves(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(1)}, folder / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"no model.safetensors \(pickled weights are not"):
        BertModel.from_pretrained(folder)


class _Touch:
    """What a malicious pickle looks like: opening it runs something."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_weights_are_read_on_request_and_run_nothing(folder, tmp_path, capsys):
    expected = BertForMaskedLM.from_pretrained(folder).state_dict()
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    tokenizer = Tokenizer.from_vocab([*SPECIAL_TOKENS, "film"])
    tokenizer.save_pretrained(folder)
    torch.save(state, folder / "pytorch_model.bin")
    words = ["export", str(folder), "--pickled", "--dtype", "float32", "--out"]
    assert main([*words, str(tmp_path / "safe")]) == 0
    read = BertForMaskedLM.from_pretrained(tmp_path / "safe").state_dict()
    assert all(torch.equal(read[name], tensor) for name, tensor in expected.items())
    assert Tokenizer.from_pretrained(tmp_path / "safe").vocab == tokenizer.vocab
    touched = tmp_path / "touched"
    for content in ({"a": _Touch(touched)}, [1], {"a": 1}):
        torch.save(content, folder / "pytorch_model.bin")
        assert main([*words, str(tmp_path / "no")]) == 2
        assert f"{folder / 'pytorch_model.bin'} " in capsys.readouterr().err
    (folder / "pytorch_model.bin").write_bytes(b"nothing at all")
    assert main([*words, str(tmp_path / "no")]) == 2
    assert "is damaged or holds more than tensors" in capsys.readouterr().err
    assert not touched.exists()
    assert not (tmp_path / "no").exists()


def test_a_config_that_is_no_json_is_named_with_its_line(folder):
    (folder / "config.json").write_text('{\n "a": 1,\n oops\n}')
    with pytest.raises(ValueError, match=r"config.json, line 3: not JSON"):
        BertModel.from_pretrained(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no config\.json: is it a model folder"):
        BertModel.from_pretrained(folder)


def test_a_model_is_not_overwritten_unless_asked(folder):
    before = (folder / "model.safetensors").read_bytes()
    other = BertForMaskedLM(CONFIG)
    with pytest.raises(ValueError, match=r"already holds a model .*: choose another folder"):
        other.save_pretrained(folder)
    assert (folder / "model.safetensors").read_bytes() == before
    other.save_pretrained(folder, overwrite=True)
    assert (folder / "model.safetensors").read_bytes() != before


def test_a_file_is_no_folder_to_write_into(tmp_path):
    (tmp_path / "m").write_text("mine")
    with pytest.raises(ValueError, match="m is a file"):
        BertModel(CONFIG).save_pretrained(tmp_path / "m")
    assert (tmp_path / "m").read_text() == "mine"


def test_a_write_that_fails_leaves_the_old_model(folder, monkeypatch):
    before = (folder / "model.safetensors").read_bytes()

    def fail(*arguments, **options):
        raise OSError("no space left")

    monkeypatch.setattr("minibert.weights.folder.os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        BertForMaskedLM(CONFIG).save_pretrained(folder, overwrite=True)
    assert (folder / "model.safetensors").read_bytes() == before


# ---------------------------------------------------------------- names


def test_names_of_nothing_say_what_there_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FileNotFoundError, match=r"minilmm is no .*known: .*minilm") as raised:
        resolve("minilmm")
    assert "\n" not in str(raised.value)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*: check the path"):
        resolve(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError, match="is a file: pass the folder"):
        resolve(tmp_path / "file")


def test_a_local_folder_comes_before_a_name_and_a_shipped_one_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(names, "SHIPPED", tmp_path / "shipped")
    (tmp_path / "shipped" / "course-xx").mkdir(parents=True)
    assert resolve("course-xx") == tmp_path / "shipped" / "course-xx"
    (tmp_path / "course-xx").mkdir()
    assert resolve("course-xx") == Path("course-xx")


def test_a_hub_model_is_downloaded_with_its_weights_and_without_pickles(tmp_path, monkeypatch):
    import huggingface_hub

    def snapshot_download(name, allow_patterns):
        assert name == "someone/their-bert"
        assert "*.safetensors" in allow_patterns
        assert not any("bin" in pattern for pattern in allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert resolve("someone/their-bert") == tmp_path
