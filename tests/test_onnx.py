"""The ONNX graph of every head against PyTorch, run by ONNX Runtime."""

import json
import logging

import numpy as np
import pytest
import torch

from minibert import (
    BertConfig,
    BertForCausalLM,
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    Tokenizer,
    load_dataset,
)
from minibert.cli import main
from minibert.weights import onnx as module
from minibert.weights.onnx import INT8_FILE, MODEL_FILE, export_onnx

HEADS = [
    *(BertModel, BertForPreTraining, BertForMaskedLM, BertForCausalLM),
    *(BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering),
]


@pytest.fixture(autouse=True)
def _the_exporter_keeps_no_diary():
    """What pytest captures at every level is thousands of lines, and takes a third of the time."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


def session(path):
    import onnxruntime

    return onnxruntime.InferenceSession(path)


def run(graph, batch):
    batch = {"attention_mask": torch.ones_like(batch["input_ids"]), **batch}
    return dict(
        zip(
            [output.name for output in graph.get_outputs()],
            graph.run(None, {name: value.numpy() for name, value in batch.items()}),
            strict=True,
        )
    )


def drawn(rows, length, seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, length + 1, (rows,), generator=generator)
    lengths[0] = length
    return {
        "input_ids": torch.randint(0, 90, (rows, length), generator=generator),
        "attention_mask": (torch.arange(length) < lengths[:, None]).long(),
        "token_type_ids": torch.randint(0, 2, (rows, length), generator=generator),
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", HEADS, ids=lambda kind: kind.__name__)
def test_every_head_gives_what_pytorch_gives_at_any_size(kind, tmp_path):
    torch.manual_seed(0)
    config = BertConfig.preset(
        "tiny", vocab_size=90, num_hidden_layers=1, num_labels=3, initializer_range=0.1
    )
    model = kind(config).train()  # as somebody might hand it over
    names = export_onnx(model, tmp_path, attentions=True)
    assert model.training
    model.eval()
    graph = session(tmp_path / MODEL_FILE)
    for rows, length in ((1, 1), (1, 512), (7, 20), (3, 2)):
        batch = drawn(rows, length, seed=length)
        with torch.no_grad():
            wanted = model(**batch, output_attentions=True)
        found = run(graph, batch)
        assert list(found) == names
        real = batch["attention_mask"].numpy() > 0  # padding holds what nobody reads
        for name, value in found.items():
            if name == "attentions":
                there = torch.stack(getattr(wanted, "encoder", wanted).attentions).numpy()
                # (layers, B, heads, T, S): queries that are real tokens.
                there, value = (x.transpose(1, 3, 0, 2, 4)[real] for x in (there, value))
            else:
                there = getattr(wanted, name).numpy()
                if there.shape[:2] == real.shape:
                    there, value = there[real], value[real]
            np.testing.assert_allclose(value, there, atol=1e-4, err_msg=name)


@pytest.mark.slow
@pytest.mark.data
def test_the_command_writes_a_folder_with_the_same_words_in_the_blanks(tmp_path, capsys):
    """Over 200 texts of mixed length: float32 to 1e-4, and in int8 the same word in 98 of 100."""
    out = tmp_path / "onnx"
    assert main(["export", "course-en", "--out", str(out), "--onnx", "--int8"]) == 0
    assert "outputs: prediction_logits, seq_relationship_logits" in capsys.readouterr().out
    assert json.loads((out / "config.json").read_text())["architectures"] == ["BertForPreTraining"]
    assert not (out / "model.safetensors").exists()
    model, tokenizer = (
        BertForPreTraining.from_pretrained("course-en"),
        Tokenizer.from_pretrained(out),
    )
    texts = [e.text_pair for e in load_dataset("boolq").dev[:200]]
    texts = [text[: 40 + 3 * i] for i, text in enumerate(texts)]
    whole, small = session(out / MODEL_FILE), session(out / INT8_FILE)
    same = []
    for text in texts:
        batch = tokenizer([text], max_length=128, truncation="longest_first")
        place = 1 + len(same) % (batch["input_ids"].shape[1] - 2)
        batch["input_ids"][0, place] = tokenizer.mask_token_id
        with torch.no_grad():
            wanted = model(**batch).prediction_logits
        np.testing.assert_allclose(run(whole, batch)["prediction_logits"], wanted, atol=1e-4)
        found = run(small, batch)["prediction_logits"][0, place]
        same.append(found.argmax() == wanted[0, place].argmax())
    assert np.mean(same) >= 0.98


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--int8"], "--int8 is for --onnx"),
        (["--attentions"], "--attentions is for --onnx"),
        (["--onnx", "--dtype", "float16"], "--dtype is not for --onnx"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words, message, tmp_path, capsys):
    assert main(["export", "course-en", "--out", str(tmp_path / "out"), *words]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "onnxscript" else True)
    assert main(["export", "course-en", "--out", str(tmp_path / "out"), "--onnx"]) == 2
    assert "ONNX needs onnxscript: pip install" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
