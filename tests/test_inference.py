"""The one loop in which models read without learning: rows, losses, precision, memory."""

import gc
import json
import weakref

import numpy as np
import pytest
import tiny
import torch
from trainings import OBJECTIVES, pretraining_data, still, tiny_config

from minibert.cli import main
from minibert.data.examples import Example
from minibert.finetuning.classification import ClassificationDataset, predicted_scores
from minibert.finetuning.evaluate import evaluate, metrics_for
from minibert.model.bert import BertModel
from minibert.model.heads import BertForCausalLM, BertForMaskedLM, BertForPreTraining
from minibert.model.lora import add_adapter, merge_adapter
from minibert.model.loss import IGNORE_INDEX
from minibert.model.pretrained import PretrainedModel
from minibert.model.task_heads import BertForSequenceClassification
from minibert.pretraining.pruning import prune
from minibert.pretraining.settings import PretrainingSettings
from minibert.pretraining.start import starting_model
from minibert.training.batching import split_batch
from minibert.training.config import TrainingConfig
from minibert.training.inference import run_inference
from minibert.training.trainer import Trainer


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A model folder with each head, and rows to evaluate on."""
    home = tmp_path_factory.mktemp("folders")
    kinds = {
        "classifier": BertForSequenceClassification,
        "masked": BertForMaskedLM,
        "causal": BertForCausalLM,
    }
    made = {name: str(tiny.save(home / name, kind)) for name, kind in kinds.items()}
    named = tiny.config(num_labels=2, id2label={0: "bad", 1: "good"})
    BertForSequenceClassification(named).save_pretrained(made["classifier"], overwrite=True)
    return {**made, "rows": str(tiny.reviews(home / "rows.jsonl", 8))}


def classes(tokenizer):
    texts = [f"the film {n} was {word}" for n, word in enumerate(tiny.GOOD + tiny.BAD)]
    labels = ["good"] * 3 + ["bad"] * 3
    rows = [Example(text, label=label) for text, label in zip(texts, labels, strict=True)]
    return ClassificationDataset(rows, tokenizer)


def classifier():
    torch.manual_seed(0)
    return BertForSequenceClassification(tiny.config(num_labels=2))


def model_for(objective, **changes):
    torch.manual_seed(0)
    return OBJECTIVES[objective](still(**changes))


@pytest.mark.parametrize("size", [1, 7, 64])
def test_every_row_comes_once_and_with_its_number(size):
    data, model = pretraining_data("mlm"), model_for("mlm")
    results = list(run_inference(model, data, size))
    assert sorted(np.concatenate([r.indices for r in results])) == list(range(len(data)))
    for indices, batch, output in results:
        lengths = batch.get("attention_mask", torch.ones_like(batch["input_ids"])).sum(1)
        assert (lengths - 2 == torch.from_numpy(data.lengths[indices])).all()
        assert len(output.logits) == len(batch["masked_positions"])


def test_a_loop_that_is_left_early_leaves_the_model_in_training():
    model = model_for("mlm").train()
    for _ in run_inference(model, pretraining_data("mlm"), 8):
        assert not model.training
        break
    gc.collect()
    assert model.training


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_metrics_that_stop_reading_early_do_not_change_the_loss(tmp_path, objective):
    data, losses = pretraining_data(objective), []
    for number, metrics in enumerate(
        (None, lambda results: {"first": float(next(iter(results)).output.loss)})
    ):
        config = TrainingConfig(tmp_path / str(number), batch_size=8, precision="float32")
        trainer = Trainer(model_for(objective), config, data, data, metrics)
        losses.append(trainer.evaluate()["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_figure_in_training_is_the_figure_of_a_later_evaluation(tmp_path, tokenizer, precision):
    data = classes(tokenizer)
    model = classifier()
    config = TrainingConfig(tmp_path / "run", epochs=2, batch_size=4, precision=precision)
    history = Trainer(model, config, data, data, metrics_for(data)).fit()
    best = min((entry for entry in history if "eval_loss" in entry), key=lambda e: e["eval_loss"])
    later = evaluate(model, data, batch_size=4).metrics
    assert {name: best[f"eval_{name}"] for name in later} == later
    if precision == "bf16":  # else the test could not fail
        assert evaluate(model, data, batch_size=4, precision="float32").metrics != later


def test_the_command_line_finds_the_figures_of_training_again(tmp_path, folders, capsys):
    base = folders["masked"]
    rows, out = tiny.reviews(tmp_path / "rows.jsonl", 24), tmp_path / "out"
    words = ["finetune", "classify", "--base", base, "--train", rows, "--dev", rows, "--out", out]
    words += ["--steps", "6", "--batch-size", "5", "--precision", "bf16", "--learning-rate", "1e-3"]
    assert main([str(word) for word in words]) == 0
    trained = json.loads(capsys.readouterr().out)["dev"]
    for more, same in ([], True), (["--precision", "float32", "--device", "cpu"], False):
        assert main(["evaluate", str(out), str(rows), "--json", *more]) == 0
        found = json.loads(capsys.readouterr().out)["metrics"]
        assert (found == trained) is same


COMMANDS = {
    "evaluate": lambda folders: ["evaluate", folders["classifier"], folders["rows"]],
    "predict": lambda folders: ["predict", folders["classifier"], "great film"],
    "fill-mask": lambda folders: ["fill-mask", "--model", folders["masked"], "great [MASK]"],
    "generate": lambda folders: [
        *("generate", "--model", folders["causal"], "great film", "--max-new-tokens", "2")
    ],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_device_and_precision_reach_the_model(command, folders, monkeypatch, capsys):
    devices, precisions = [], []
    move, enter = PretrainedModel.to, torch.autocast.__enter__
    monkeypatch.setattr(
        PretrainedModel, "to", lambda self, device: devices.append(device) or move(self, device)
    )
    monkeypatch.setattr(
        torch.autocast,
        "__enter__",
        lambda self: precisions.append(self.fast_dtype) or enter(self),
    )
    words = COMMANDS[command](folders)
    assert main([*words, "--device", "cpu", "--precision", "float32"]) == 0
    assert devices == [torch.device("cpu")]
    assert precisions == []
    assert main([*words, "--precision", "bf16"]) == 0
    assert set(precisions) == {torch.bfloat16}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_gpu_that_is_not_there_is_one_line(command, folders, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main([*COMMANDS[command](folders), "--device", "cuda"]) == 2
    assert capsys.readouterr().err == "minibert: no CUDA device here: use --device cpu\n"


@pytest.mark.parametrize("asked", [False, True])
def test_the_state_of_a_layer_is_kept_only_where_it_is_asked_for(asked):
    """Hugging Face's own encoder holds on to all of them in its loop, for the asking or not."""
    torch.manual_seed(0)
    model = BertModel(tiny_config(num_hidden_layers=4)).eval()
    states, alive = [], []

    def note(module, inputs, output):
        alive.append([state() is not None for state in states[:-1]])
        states.append(weakref.ref(output[0]))

    model.embeddings.register_forward_hook(lambda m, i, output: states.append(weakref.ref(output)))
    for layer in model.encoder.layers:
        layer.register_forward_hook(note)
    with torch.no_grad():
        model(torch.randint(5, 60, (2, 9)), output_hidden_states=asked)
    # The embeddings are an argument of the running call. When layer n is done, what layer n - 2 and
    # those before it made is gone, or all of it is there.
    assert alive == [[], [True], [True, asked], [True, asked, asked]]


@pytest.mark.parametrize("parts", [1, 2, 3, 8])
@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm"])
def test_the_masked_positions_of_a_part_are_those_of_its_labels(objective, parts):
    data = pretraining_data(objective)
    batch = data.collate(np.arange(6), torch.Generator().manual_seed(0))
    for part, _ in split_batch(batch, parts, len(batch["masked_positions"])):
        expected = (part["labels"].flatten() != IGNORE_INDEX).nonzero().squeeze(1)
        assert torch.equal(part["masked_positions"], expected)


@pytest.mark.parametrize("source", ["head", "adapter", "merged"])
def test_pruning_keeps_the_masked_word_head_of_whatever_has_one(tmp_path, source, monkeypatch):
    tokenizer = tiny.tokenizer()
    shape = {"vocab_size": len(tokenizer), "hidden_size": 32, "num_attention_heads": 2}
    torch.manual_seed(1)
    larger = BertForPreTraining(tiny_config(**shape))
    if source != "head":
        larger = BertForMaskedLM(tiny_config(**shape))
        larger.save_pretrained(tmp_path / "base")
        add_adapter(larger, str(tmp_path / "base"), 2)
        torch.nn.init.normal_(larger.bert.encoder.layers[0].feed_forward.up.lora_b)
    if source == "merged":
        merge_adapter(larger)
    larger.save_pretrained(tmp_path / "larger")
    tokenizer.save_pretrained(tmp_path / "larger")
    found = []
    monkeypatch.setattr(
        "minibert.pretraining.start.prune",
        lambda old, new, *rest: found.append(old) or prune(old, new, *rest),
    )
    torch.manual_seed(2)
    settings = PretrainingSettings("mlm", prune_from=str(tmp_path / "larger"), dropout=0.0)
    config = tiny_config(hidden_size=16, num_attention_heads=1)
    small = starting_model(settings, config, tokenizer, ["great film", "dull film"])
    (old,) = found
    assert torch.isin(small.mlm.dense.weight, old.mlm.dense.weight).all(), "drawn anew"


class Compiled(torch.nn.Module):
    """What `torch.compile` returns: it has a length only where the model has one."""

    def __init__(self, model, dynamic=None):
        super().__init__()
        self.model = model

    def __len__(self):
        raise TypeError("does not support len()")

    def forward(self, **batch):
        return self.model(**batch)


def test_a_compiled_model_is_evaluated(tmp_path, monkeypatch):
    data = pretraining_data("mlm+nsp")
    losses = []
    monkeypatch.setattr(torch, "compile", Compiled)
    for compiled in (False, True):
        config = TrainingConfig(
            tmp_path / str(compiled), batch_size=8, precision="float32", compile=compiled
        )
        trainer = Trainer(model_for("mlm+nsp"), config, data, data)
        losses.append(trainer.evaluate()["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize("command", ["evaluate", "predict"])
@pytest.mark.parametrize("size", ["0", "-1"])
def test_a_batch_of_no_rows_is_refused(folders, command, size, capsys):
    assert main([*COMMANDS[command](folders), "--batch-size", size]) == 2
    assert "--batch-size must be at least 1" in capsys.readouterr().err


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="unknown precision 'int4'"):
        next(run_inference(model_for("mlm"), pretraining_data("mlm"), precision="int4"))


def test_class_scores_do_not_depend_on_the_batches(tokenizer):
    data, model = classes(tokenizer), classifier()
    scores = [predicted_scores(run_inference(model, data, size), data) for size in (1, 3, 64)]
    for other in scores[1:]:
        np.testing.assert_allclose(scores[0], other, atol=1e-6)
