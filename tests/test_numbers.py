"""Numbers that are none: NaN and infinity in labels, options, JSON, a training and its weights."""

import argparse
import json
import math
import re
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file
from trainings import still, tasks

import minibert
from minibert import BertForSequenceClassification, BertModel
from minibert.cli.main import _parser, main
from minibert.data.examples import Example
from minibert.data.squad import read_squad
from minibert.data.strict_json import dump_json, parse_json
from minibert.data.tables import read_examples
from minibert.finetuning.classification import ClassificationDataset
from minibert.model.lora import add_adapter, merge_adapter
from minibert.training import checkpoints
from minibert.training.config import TrainingConfig
from minibert.training.trainer import Trainer
from minibert.weights.files import read_json

NONE = ("nan", "inf", "-Infinity", "1e400")

# ---------------------------------------------------------------------- JSON


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e999", "9" * 5000])
def test_json_with_a_number_that_is_none_is_refused_with_its_line(number, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(f'{{"a": "NaN Infinity 1e400 \\" ",\n "b": [1.5, {number}]}}')
    line = 1 if number.isdecimal() else 2
    with pytest.raises(ValueError, match=rf"a.json, line {line}: not JSON"):
        read_json(path)
    with pytest.raises(ValueError, match="not JSON"):
        read_squad(path)


def test_json_nested_without_end_is_refused():
    with pytest.raises(json.JSONDecodeError, match="nested too deeply"):
        parse_json("[" * 100_000)


def test_ordinary_json_is_read_as_python_reads_it():
    text = '{"a": [1, -2.5e-3, true, null, "NaN"], "b": {"c": "\\ud83d\\ude00"}}'
    assert parse_json(text) == json.loads(text)
    with pytest.raises(ValueError, match="not JSON compliant"):
        dump_json({"a": [math.nan]})


def test_no_other_module_reads_or_writes_json_by_itself():
    package = Path(minibert.__file__).parent
    modules = [p for p in package.rglob("*.py") if "course" not in p.parts]
    assert [
        path.name for path in modules if re.search(r"\bjson\.(loads?|dumps?)\b", path.read_text())
    ] == ["strict_json.py"]


# ---------------------------------------------------------------------- labels


@pytest.mark.parametrize("number", [*NONE, "1e39"])
def test_a_label_that_is_no_number_is_refused_with_its_line(number, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text(f"text,label\nfine,0.5\ndull,{number}\n")
    with pytest.raises(ValueError, match=r"a.csv, line 3: the label .* is no number"):
        read_examples(table, problem_type="regression")
    lines = tmp_path / "a.jsonl"
    for label in (number, f'"{number}"'):
        lines.write_text(f'{{"text": "a", "label": 0.5}}\n{{"text": "b", "label": {label}}}\n')
        with pytest.raises(ValueError, match=r"a.jsonl, line 2: "):
            read_examples(lines)


def test_a_label_from_python_that_is_no_number_is_refused_with_its_text():
    examples = [Example("fine", label=0.5), Example("dull", label=math.inf)]
    with pytest.raises(ValueError, match=r"text 2 of 2 \('dull'\): the label inf is no number"):
        ClassificationDataset(examples, tiny.tokenizer())


# ---------------------------------------------------------------------- options


def _numeric():
    """Every option of every command that is a number, with what the command needs besides."""
    needed = {
        "pretrain": ["--corpus", "FILE", "--out", "OUT"],
        "finetune": ["classify", "--base", "BERT", "--train", "FILE", "--out", "OUT"],
        "evaluate": ["CLASSES", "FILE"],
        "predict": ["CLASSES", "fine"],
        "fill-mask": ["--model", "MASKED", "a [MASK]"],
        "generate": ["--model", "CAUSAL", "the film"],
        "embed": ["BERT", "fine"],
        "search": ["BERT", "FILE", "fine"],
    }
    kinds = [a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction)]
    for command, parser in kinds[0].choices.items():
        for action in parser._actions:
            if action.type in (int, float):
                yield pytest.param(
                    [command, *needed[command]],
                    action.option_strings[0],
                    id=f"{command} {action.option_strings[0]}",
                )


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    """Models of every kind that a command needs, and a text and rows to read."""
    folder = tmp_path_factory.mktemp("models")
    kinds = {"BERT": BertModel, "CLASSES": BertForSequenceClassification}
    kinds |= {"MASKED": minibert.BertForMaskedLM, "CAUSAL": minibert.BertForCausalLM}
    labels = {0: "bad", 1: "good"}
    made = {
        name: str(tiny.save(folder / name, kind, is_causal=name == "CAUSAL", id2label=labels))
        for name, kind in kinds.items()
    }
    return made | {"FILE": str(tiny.reviews(folder / "rows.jsonl", 8))}


@pytest.mark.parametrize(("command", "option"), list(_numeric()))
def test_a_number_that_makes_no_sense_is_refused_with_its_option(
    command, option, models, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("MINIBERT_DEBUG", raising=False)
    words = [models.get(word, word) for word in command]
    words = [str(tmp_path / "out") if word == "OUT" else word for word in words]
    signed = option == "--null-threshold"  # the only one that may well be negative
    wrong = ["nan", "inf", "-inf", *([] if signed else ["-1"])]
    wrong += ["1e-38"] if option == "--temperature" else []
    for value in wrong:
        assert main([*words, f"{option}={value}"]) == 2, value
        said = capsys.readouterr()
        assert said.out == ""
        assert re.match(rf"minibert: (argument )?{option}\b", said.err), said.err
        assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------------- training


def trainer(folder, *, at=None, broken="loss", **changes):
    """A run whose loss, or gradient, is NaN at one step."""
    torch.manual_seed(0)
    make, data = tasks()["single"]
    values = {"max_steps": 12, "batch_size": 8, "device": "cpu", "precision": "float32"}
    config = TrainingConfig(folder, **{**values, "save_every": 4, **changes})
    made = Trainer(make(still()), config, data, data)
    parameter = next(made.model.parameters())

    def spoil(_module, _inputs, output):
        if made.step + 1 == at and made.model.training:
            output.loss = output.loss * math.nan

    if broken == "loss":
        made.model.register_forward_hook(spoil)
    else:
        parameter.register_hook(lambda g: g * math.inf if made.step + 1 == at else g)
    return made


def finite(folder: Path) -> bool:
    files = folder.rglob("*.safetensors")
    return all(t.isfinite().all() for path in files for t in load_file(path).values())


@pytest.mark.parametrize(
    ("broken", "at", "last"),
    [("loss", 3, None), ("loss", 8, 4), ("gradient", 4, None), ("gradient", 12, 8)],
)
def test_a_loss_or_gradient_that_is_no_number_stops_the_run(broken, at, last, tmp_path):
    told = "the loss is nan" if broken == "loss" else "the norm of the gradient is nan"
    run = trainer(tmp_path, at=at, broken=broken, learning_rate=1e-4, eval_every=100)
    with pytest.raises(ValueError, match=rf"^step {at}, learning rate .*{told}") as error:
        run.fit()
    assert ("no checkpoint" in str(error.value)) == (last is None)
    found = checkpoints.find(tmp_path)
    if last is None:
        assert found is None
    else:
        assert f"that of step {last}, in {found}" in str(error.value)
        assert checkpoints.read_progress(found)["step"] == last
    assert finite(tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    for line in (tmp_path / "log.jsonl").read_text().splitlines():
        parse_json(line)


def test_a_rate_with_which_training_diverges_ends_in_one_line_and_no_model(
    tmp_path, models, capsys
):
    train, out = tiny.reviews(tmp_path / "train.jsonl", 64), tmp_path / "out"
    words = ["finetune", "classify", "--base", models["BERT"], "--train", str(train), "--out"]
    words += [str(out), "--device", "cpu", "--batch-size", "8", "--warmup", "0", "--epochs", "6"]
    assert main([*words, "--learning-rate", "1e9"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(r"minibert: step \d+, learning rate \d\.\d+e\+08: the loss is", said.err)
    assert "Start with a lower --learning-rate in another --out\n" in said.err
    assert not (out / "model.safetensors").exists()
    assert not (out / "metrics.json").exists()
    assert finite(out)


def test_a_metric_that_is_nan_is_null_in_the_log_and_never_the_best(tmp_path):
    run = trainer(tmp_path, best_metric="odd", eval_every=4)
    values = iter([math.nan, 0.5, math.nan])
    run.metrics = lambda results: {"odd": next(values)}
    run.fit()
    assert run.best == 0.5
    lines = map(parse_json, (tmp_path / "log.jsonl").read_text().splitlines())
    assert [line["eval_odd"] for line in lines if "eval_odd" in line] == [None, 0.5, None]


def test_an_evaluation_whose_loss_is_no_number_stops_the_run(tmp_path):
    run = trainer(tmp_path, eval_every=4)
    run.evaluate = lambda: {"loss": math.nan}
    with pytest.raises(ValueError, match=r"^step 4, .* the loss on the evaluation set is nan"):
        run.fit()


# ---------------------------------------------------------------------- weights


def broken_model(value=math.nan):
    model = BertForSequenceClassification(tiny.config())
    with torch.no_grad():
        model.classifier.weight[0, 0] = value
    return model


def test_weights_that_are_no_numbers_are_never_written(tmp_path):
    add = add_adapter(broken_model(), "base", 2)
    for model in (broken_model(), broken_model(-math.inf), add, merge_adapter(add)):
        with pytest.raises(ValueError, match=r"classifier.weight holds NaN or infinity"):
            model.save_pretrained(tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_weights_that_are_no_numbers_are_not_read(tmp_path):
    from safetensors.torch import save_file

    folder = tiny.save(tmp_path / "model", BertForSequenceClassification)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = math.nan
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"model.safetensors: classifier.bias holds NaN"):
        BertForSequenceClassification.from_pretrained(folder)


def test_a_weight_too_large_for_16_bits_is_named(tmp_path, capsys):
    folder = tmp_path / "large"
    broken_model(70_000.0).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    assert main(["export", str(folder), "--out", str(tmp_path / "half")]) == 2
    assert capsys.readouterr().err == (
        "minibert: classifier.weight holds 7e+04, too large for float16: "
        "choose --dtype bfloat16 or float32\n"
    )
    assert not (tmp_path / "half").exists()
