"""Every model and head computes what `transformers` computes, forwards, backwards and on disk.

The float32 bounds are 1e-5 for outputs of unit scale and 1e-4 for gradients. The real weights have
hidden values up to 10, where float32 itself is coarser than that: see `test_real_weights_*`.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from minibert import weights
from minibert.model import heads, task_heads
from minibert.model.bert import BertModel
from minibert.model.config import BertConfig
from minibert.training.optimization import parameter_groups
from minibert.weights import hugging_face

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers")

VOCABULARY, LENGTH, LABELS = 120, 11, 3
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 24,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


@dataclass(frozen=True)
class Case:
    """One head: our class, theirs, what their configuration needs, and labels for it."""

    ours: Any
    theirs: str
    labels: Any = dict
    settings: tuple = ()


def token_labels(count):
    def draw():
        labels = torch.randint(0, count, (3, LENGTH))
        return {"labels": labels.masked_fill(torch.rand(3, LENGTH) < 0.5, -100)}

    return draw


def both_labels():
    return {**token_labels(VOCABULARY)(), "next_sentence_label": torch.tensor([0, 1, 1])}


def spans():
    return {"start_positions": torch.tensor([1, 0, 4]), "end_positions": torch.tensor([2, 0, 4])}


def classifier(draw, **settings):
    return Case(
        task_heads.BertForSequenceClassification,
        "BertForSequenceClassification",
        draw,
        tuple({"num_labels": LABELS, **settings}.items()),
    )


CASES = {
    "encoder": Case(BertModel, "BertModel"),
    "pre-training": Case(heads.BertForPreTraining, "BertForPreTraining", both_labels),
    "masked": Case(heads.BertForMaskedLM, "BertForMaskedLM", token_labels(VOCABULARY)),
    "causal": Case(
        heads.BertForCausalLM,
        "BertLMHeadModel",
        token_labels(VOCABULARY),
        (("is_decoder", True),),
    ),
    "one class": classifier(lambda: {"labels": torch.tensor([2, 0, 1])}),
    "several classes": classifier(
        lambda: {"labels": torch.randint(0, 2, (3, LABELS)).float()},
        problem_type="multi_label_classification",
    ),
    "one score": classifier(lambda: {"labels": torch.randn(3)}, num_labels=1),
    "several scores": classifier(
        lambda: {"labels": torch.randn(3, LABELS)}, problem_type="regression"
    ),
    "several classes, not declared": classifier(
        lambda: {"labels": torch.randint(0, 2, (3, LABELS)).float()}
    ),
    "tokens": Case(
        task_heads.BertForTokenClassification,
        "BertForTokenClassification",
        token_labels(LABELS),
        (("num_labels", LABELS),),
    ),
    "answers": Case(task_heads.BertForQuestionAnswering, "BertForQuestionAnswering", spans),
}
BY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
BY_BATCH = pytest.mark.parametrize("is_padded", [False, True], ids=["full", "padded"])


def reference(case, **changes):
    """A model of theirs in which every parameter matters: no zeros, no ones."""
    config = transformers.BertConfig(**{**SHAPE, **dict(case.settings), **changes})
    config._attn_implementation = "eager"  # the only way of theirs that returns the weights
    model = getattr(transformers, case.theirs)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def twin(case, theirs):
    """Our model with the weights of theirs."""
    ours = case.ours(BertConfig(**hugging_face.config_from_hugging_face(theirs.config.to_dict())))
    found = hugging_face.from_hugging_face(theirs.state_dict())
    ours.load_state_dict(weights.fit(ours.state_dict(), found, ()), strict=True)
    return ours


def batch(is_padded):
    """Three texts, the second and the third a pair."""
    segments = torch.zeros(3, LENGTH, dtype=torch.long)
    segments[1, 4:9] = segments[2, 6:] = 1
    result = {"input_ids": torch.randint(5, VOCABULARY, (3, LENGTH)), "token_type_ids": segments}
    if is_padded:
        mask = torch.ones(3, LENGTH, dtype=torch.long)
        mask[0, 6:] = mask[1, 9:] = 0
        result["attention_mask"] = mask
        result["input_ids"] = result["input_ids"].masked_fill(mask == 0, 0)
    return result


def outputs(model_output):
    """Everything that may be compared, under the names that both sides use."""
    names = (
        "last_hidden_state",
        "pooler_output",
        "logits",
        "prediction_logits",
        "seq_relationship_logits",
        "start_logits",
        "end_logits",
        "loss",
    )
    found = {name: getattr(model_output, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}


@BY_CASE
@BY_BATCH
@pytest.mark.parametrize("is_training", [False, True], ids=["fast", "written out"])
def test_outputs_and_gradients_of_random_weights(case, is_padded, is_training):
    torch.manual_seed(1)
    theirs = reference(case).train(is_training)
    ours = twin(case, theirs).train(is_training)
    inputs = {**batch(is_padded), **case.labels()}
    got, expected = outputs(ours(**inputs)), outputs(theirs(**inputs))
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(got[name], value, atol=1e-5, rtol=1e-5)
    # The same scalar on both sides: the loss, or for the bare encoder a sum that is not constant.
    for found in (got, expected):
        weights = torch.linspace(-1, 1, SHAPE["hidden_size"])
        scalar = found.get("loss")
        if scalar is None:
            scalar = (found["last_hidden_state"] * weights).mean() + found["pooler_output"].mean()
        scalar.backward()
    gradients = hugging_face.to_hugging_face(
        {name: parameter.grad for name, parameter in ours.named_parameters()}
    )
    for name, parameter in theirs.named_parameters():
        assert_close(gradients[name], parameter.grad, atol=1e-4, rtol=1e-4)
    assert any(gradient.abs().max() > 1e-3 for gradient in gradients.values())


@BY_BATCH
@pytest.mark.parametrize("is_causal", [False, True], ids=["full", "causal"])
@pytest.mark.parametrize("act", ["gelu", "relu", "gelu_pytorch_tanh", "gelu_new"])
def test_hidden_states_of_every_layer_and_attention_maps(is_padded, is_causal, act):
    torch.manual_seed(2)
    case = CASES["encoder"]
    theirs = reference(case, is_decoder=is_causal, hidden_act=act).eval()
    ours = twin(case, theirs).eval()
    inputs = batch(is_padded)
    with torch.no_grad():
        expected = theirs(**inputs, output_hidden_states=True, output_attentions=True)
        got = ours(**inputs, output_hidden_states=True, output_attentions=True)
    assert len(got.hidden_states) == len(expected.hidden_states) == SHAPE["num_hidden_layers"] + 1
    assert len(got.attentions) == len(expected.attentions) == SHAPE["num_hidden_layers"]
    for mine, other in zip(got.hidden_states, expected.hidden_states, strict=True):
        assert_close(mine, other, atol=1e-5, rtol=1e-5)
    for mine, other in zip(got.attentions, expected.attentions, strict=True):
        assert_close(mine, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["pre-training", "one class"])
def test_thirty_steps_of_adamw_follow_the_reference(name):
    torch.manual_seed(3)
    case = CASES[name]
    theirs = reference(case).train()
    ours = twin(case, theirs).train()
    # The paper's groups, made for each side out of its own names.
    plain = [n for n, _ in theirs.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    named = dict(theirs.named_parameters())
    groups = [
        {"params": [named[n] for n in named if n not in plain], "weight_decay": 0.01},
        {"params": [named[n] for n in plain], "weight_decay": 0.0},
    ]
    optimizers = [
        torch.optim.AdamW(groups, lr=1e-3),
        torch.optim.AdamW(parameter_groups(ours, 0.01), lr=1e-3),
    ]
    first = last = 0.0
    same = {**batch(True), **case.labels()}
    for step in range(30):
        inputs = same if step % 3 == 0 else {**batch(step % 2 == 0), **case.labels()}
        losses = []
        for model, optimizer in zip((theirs, ours), optimizers, strict=True):
            loss = model(**inputs).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        assert losses[1] == pytest.approx(losses[0], abs=1e-4), f"step {step}"
        first, last = (losses[0] if step == 0 else first), (losses[0] if step == 27 else last)
    assert last < first - 0.1  # the two did learn, and did not stand still together


# ---------------------------------------------------------------- the real weights

TEXTS = ["A dull film.", "The capital of France is Paris, which lies on the river Seine."]
PAIRS = ["It is not.", "What lies on the Seine?"]


@pytest.fixture(scope="module")
def minilm():
    from minibert.tokenization.tokenizer import Tokenizer

    folder = weights.resolve("minilm")
    theirs = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    return BertModel.from_pretrained("minilm"), theirs, Tokenizer.from_pretrained("minilm")


def real_batches(tokenizer):
    yield tokenizer(TEXTS[1:])
    yield tokenizer(TEXTS, padding=True)
    yield tokenizer(TEXTS[1:], PAIRS[1:])
    yield tokenizer(TEXTS, PAIRS, padding=True)


@pytest.mark.data
@torch.no_grad()
def test_real_weights_agree_to_the_precision_of_float32(minilm):
    # Middle layers hold values up to about 10, for which neighbours in float32 are 1e-6 apart and
    # six layers of sums apart by some ten of these. The bound is therefore 1e-5 of the largest
    # magnitude in the layer; the final vectors, of unit scale, keep the plain 1e-5.
    ours, theirs, tokenizer = minilm
    for inputs in real_batches(tokenizer):
        got = ours(**inputs, output_hidden_states=True, output_attentions=True)
        expected = theirs(**inputs, output_hidden_states=True, output_attentions=True)
        for mine, other in zip(got.hidden_states, expected.hidden_states, strict=True):
            assert_close(mine, other, atol=1e-5 * max(1.0, other.abs().max().item()), rtol=0)
        for mine, other in zip(got.attentions, expected.attentions, strict=True):
            assert_close(mine, other, atol=1e-5, rtol=0)
        assert_close(got.pooler_output, expected.pooler_output, atol=1e-5, rtol=0)


@pytest.mark.data
@torch.no_grad()
def test_real_weights_agree_exactly_where_rounding_is_out_of_the_way(minilm):
    ours, theirs, tokenizer = minilm
    ours, theirs = ours.double(), theirs.double()
    try:
        for inputs in real_batches(tokenizer):
            got = ours(**inputs, output_hidden_states=True, output_attentions=True)
            expected = theirs(**inputs, output_hidden_states=True, output_attentions=True)
            for name in ("hidden_states", "attentions"):
                for mine, other in zip(getattr(got, name), getattr(expected, name), strict=True):
                    assert_close(mine, other, atol=1e-12, rtol=0)
            assert_close(got.pooler_output, expected.pooler_output, atol=1e-12, rtol=0)
    finally:
        ours.float(), theirs.float()


@pytest.mark.data
@torch.no_grad()
def test_our_float32_is_as_near_to_the_truth_as_the_reference(minilm):
    ours, theirs, tokenizer = minilm
    for inputs in real_batches(tokenizer):
        truth = theirs.double()(**inputs).last_hidden_state
        error = (theirs.float()(**inputs).last_hidden_state - truth).abs().max().item()
        own = (ours(**inputs).last_hidden_state - truth).abs().max().item()
        assert own < max(1e-5, 2 * error)


@pytest.mark.data
def test_gradients_through_the_real_weights(minilm):
    ours, theirs, tokenizer = minilm
    inputs = tokenizer(TEXTS, PAIRS, padding=True)
    for model in (ours, theirs):
        model.zero_grad()
        output = model(**inputs)
        (output.last_hidden_state.square().mean() + output.pooler_output.mean()).backward()
    gradients = hugging_face.to_hugging_face(
        {name: parameter.grad for name, parameter in ours.named_parameters()}
    )
    for name, parameter in theirs.named_parameters():
        assert_close(gradients[name], parameter.grad, atol=1e-4, rtol=1e-4)


# ---------------------------------------------------------------- folders, both ways


@BY_CASE
def test_a_folder_saved_here_opens_there(case, tmp_path):
    torch.manual_seed(4)
    ours = twin(case, reference(case)).eval()
    ours.save_pretrained(tmp_path / "m")
    theirs, info = getattr(transformers, case.theirs).from_pretrained(
        tmp_path / "m", output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    stored = json.loads((tmp_path / "m" / "config.json").read_text())
    assert stored["architectures"] == [case.theirs]
    compare(ours, theirs)


@BY_CASE
def test_a_folder_saved_there_opens_here(case, tmp_path):
    torch.manual_seed(5)
    theirs = reference(case).eval()
    theirs.save_pretrained(tmp_path / "m")
    compare(case.ours.from_pretrained(tmp_path / "m"), theirs)


@torch.no_grad()
def compare(ours, theirs):
    inputs = batch(is_padded=True)
    expected = outputs(theirs.eval()(**inputs))
    got = outputs(ours(**inputs))
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(got[name], value, atol=1e-5, rtol=1e-5)


def test_label_names_travel_both_ways(tmp_path):
    config = transformers.BertConfig(**SHAPE, id2label={0: "no", 1: "yes", 2: "maybe"})
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "theirs")
    ours = task_heads.BertForSequenceClassification.from_pretrained(tmp_path / "theirs")
    assert ours.config.labels == ["no", "yes", "maybe"]
    ours.save_pretrained(tmp_path / "ours")
    read = transformers.AutoConfig.from_pretrained(tmp_path / "ours")
    assert read.id2label == {0: "no", 1: "yes", 2: "maybe"}
    assert read.label2id == {"no": 0, "yes": 1, "maybe": 2}


@pytest.fixture
def masked_folder(tmp_path):
    """A masked language model of theirs on disk, and how to change the tensors in the file."""
    torch.manual_seed(6)
    theirs = reference(CASES["masked"]).eval()
    theirs.save_pretrained(tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"

    def change(edit):
        tensors = load_file(path)
        edit(tensors)
        save_file(tensors, path, metadata={"format": "pt"})
        return tmp_path / "m"

    return theirs, change


def test_the_names_of_older_files_are_read(masked_folder):
    theirs, change = masked_folder

    def age(tensors):
        for name in list(tensors):
            if "LayerNorm" in name:
                old = name.replace("LayerNorm.weight", "LayerNorm.gamma")
                tensors[old.replace("LayerNorm.bias", "LayerNorm.beta")] = tensors.pop(name)
        tensors["bert.embeddings.position_ids"] = torch.arange(24)[None]
        matrix = tensors["bert.embeddings.word_embeddings.weight"]
        tensors["cls.predictions.decoder.weight"] = matrix.clone()
        tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()

    folder = change(age)
    assert any(name.endswith("gamma") for name in load_file(folder / "model.safetensors"))
    compare(heads.BertForMaskedLM.from_pretrained(folder), theirs)


def test_a_bias_that_is_only_under_the_name_of_its_copy_is_read(masked_folder):
    theirs, change = masked_folder
    folder = change(
        lambda t: t.update({"cls.predictions.decoder.bias": t.pop("cls.predictions.bias")})
    )
    compare(heads.BertForMaskedLM.from_pretrained(folder), theirs)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_an_output_matrix_of_its_own_is_refused_and_not_left_out(masked_folder, name):
    _, change = masked_folder
    shape = (VOCABULARY, SHAPE["hidden_size"]) if name == "weight" else (VOCABULARY,)
    folder = change(lambda t: t.update({f"cls.predictions.decoder.{name}": torch.randn(shape)}))
    with pytest.raises(ValueError, match=f"mlm.decoder.{name} is not"):
        heads.BertForMaskedLM.from_pretrained(folder)
    BertModel.from_pretrained(folder)  # has no output matrix, so nothing is lost


def test_a_shape_that_transformers_does_not_know_does_not_open_as_a_bert(tmp_path):
    config = BertConfig(**SHAPE, norm_position="pre")
    BertModel(config).save_pretrained(tmp_path / "pre")
    with pytest.raises((ValueError, KeyError), match="minibert"):
        transformers.AutoModel.from_pretrained(tmp_path / "pre")
    assert BertModel.from_pretrained(tmp_path / "pre").config == config
