"""`minibert finetune` on tiny made-up files: every task learns, and leaves a folder to use."""

import json
import sys
from pathlib import Path

import pytest
import tiny
import torch

from minibert import BertForPreTraining, BertForSequenceClassification, Tokenizer
from minibert.cli.main import main
from minibert.data.datasets import read_splits
from minibert.data.examples import Example
from minibert.finetuning.classification import ClassificationDataset, parse_class_weights
from minibert.finetuning.predict import predict
from minibert.finetuning.settings import TaskSettings
from minibert.training.trainer import Trainer


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base"))


def finetune(task: str, base: Path, out: Path, *options: object, epochs: int = 12) -> dict:
    fast = ["--precision", "float32", "--device", "cpu", "--batch-size", "8"]
    rate = ["--epochs", str(epochs), "--learning-rate", "3e-3"]
    command = ["finetune", task, "--base", str(base), "--out", str(out), *fast, *rate]
    assert main([*command, *map(str, options)]) == 0
    return json.loads((out / "metrics.json").read_text())


@pytest.mark.slow
def test_a_classifier_learns_and_is_whole(base, tmp_path, capsys):
    train = tiny.reviews(tmp_path / "train.jsonl", 64)
    dev, test = (tiny.reviews(tmp_path / f"{name}.jsonl", 20) for name in ("dev", "test"))
    out = tmp_path / "out"
    figures = finetune("classify", base, out, "--train", train, "--dev", dev, "--test", test)
    assert figures["dev"]["accuracy"] == figures["test"]["accuracy"] == 1.0
    assert figures["train"]["examples"] == 64
    assert json.loads(capsys.readouterr().out) == figures
    card = (out / "CARD.md").read_text()
    assert "minibert finetune classify" in card
    assert "| accuracy | 1 | 1 |" in card
    # What any Hugging Face tool needs is there, and the names of the labels are kept.
    config = json.loads((out / "config.json").read_text())
    assert config["id2label"] == {"0": "bad", "1": "good"}
    assert config["problem_type"] == "single_label_classification"
    model = BertForSequenceClassification.from_pretrained(out)
    tokenizer = Tokenizer.from_pretrained(out)
    said = predict(model, tokenizer, ["the film 3 was awful and dull"])
    assert said[0].label == "bad"


def test_the_same_seed_gives_the_same_model_and_another_another(base, tmp_path):
    train = tiny.reviews(tmp_path / "train.jsonl", 16)
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        finetune("classify", base, tmp_path / name, "--train", train, "--seed", seed, epochs=1)
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.slow
def test_a_tagger_learns(base, tmp_path, capsys):
    train, dev = tiny.tagged(tmp_path / "train.conll", 48), tiny.tagged(tmp_path / "dev.conll", 8)
    figures = finetune("tag", base, tmp_path / "out", "--train", train, "--dev", dev)
    assert figures["dev"] == {"accuracy": 1.0, "entity_f1": 1.0}
    capsys.readouterr()
    assert main(["predict", str(tmp_path / "out"), "Bob lives in Paris."]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["Bob\tB-PER", "lives\tO", "in\tO", "Paris\tB-LOC", ".\tO"]
    assert main(["evaluate", str(tmp_path / "out"), str(dev)]) == 0
    assert "entity_f1  1.0000" in capsys.readouterr().out


@pytest.mark.slow
def test_an_answerer_learns(base, tmp_path, capsys):
    train, dev = tiny.squad(tmp_path / "train.json", 64), tiny.squad(tmp_path / "dev.json", 12)
    out = tmp_path / "out"
    figures = finetune("answer", base, out, "--train", train, "--dev", dev, epochs=20)
    assert figures["dev"]["exact_match"] > 0.9
    capsys.readouterr()
    context = "The film 3 was great. Bob lives in Rome."
    assert main(["predict", str(out), "Where is Bob?", "--context", context]) == 0
    assert capsys.readouterr().out == "Rome\n"


@pytest.mark.slow
def test_an_answerer_learns_to_say_that_there_is_no_answer(base, tmp_path, capsys):
    train = tiny.squad(tmp_path / "train.json", 64, impossible=True)
    out = tmp_path / "out"
    figures = finetune("answer", base, out, "--train", train, "--dev", train, epochs=20)
    assert figures["dev"]["no_answer_accuracy"] > 0.9
    assert figures["dev"]["has_answer_exact_match"] > 0.9
    capsys.readouterr()
    context = "The film 3 was great. Bob lives in Rome."
    assert main(["predict", str(out), "Who works at Acme?", "--context", context]) == 0
    assert capsys.readouterr().out == "(no answer)\n"
    # A threshold that no score exceeds forbids that.
    more = ["--null-threshold", "1000"]
    assert main(["predict", str(out), "Who works at Acme?", "--context", context, *more]) == 0
    assert capsys.readouterr().out.strip() in context


@pytest.mark.slow
def test_several_labels_a_text(base, tmp_path, capsys):
    train = tmp_path / "train.jsonl"
    parts = {"actor": "anna", "place": "rome", "work": "acme"}
    rows = []
    for i in range(64):
        labels = [name for bit, name in enumerate(parts) if i >> bit & 1]
        text = " ".join(["the", *(parts[name] for name in labels), "."])
        rows.append(json.dumps({"text": text, "label": labels}))
    train.write_text("\n".join(rows))
    out = tmp_path / "out"
    figures = finetune("classify", base, out, "--train", train, "--dev", train)
    assert figures["dev"]["f1_micro"] > 0.95
    capsys.readouterr()
    assert main(["predict", str(out), "the anna acme .", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] == ["actor", "work"]


@pytest.mark.slow
def test_a_number_a_text(base, tmp_path, capsys):
    train = tmp_path / "train.csv"
    rows = [f"the film {i % 4} {tiny.GOOD[i % 3]},{i % 4}" for i in range(64)]
    train.write_text("\n".join(["text,label", *rows]))
    out = tmp_path / "out"
    more = ("--dev", train, "--problem", "regression")
    figures = finetune("classify", base, out, "--train", train, *more, epochs=25)
    assert figures["dev"]["pearson"] > 0.9
    assert json.loads((out / "config.json").read_text())["problem_type"] == "regression"
    capsys.readouterr()
    # What the numbers are is known from the model: no option is needed again.
    assert main(["evaluate", str(out), str(train)]) == 0
    assert "pearson" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("problem", "metric", "labels"),
    [([], "pearson", None), (["--problem", "single"], "accuracy", {"0": "2", "1": "3.5"})],
)
def test_floats_in_a_table_are_numbers_unless_said_otherwise(
    base, tmp_path, problem, metric, labels
):
    rows = "".join(f"the film {i} was great;{('3,5', '2,0')[i % 2]}\n" for i in range(8))
    train, dev = tmp_path / "train.csv", tmp_path / "dev.csv"
    train.write_text("text;label\n" + rows.replace(",", "." if problem else ","))
    dev.write_text("text;label\ndull;2.0\n")
    told = ("--train", train, "--dev", dev, "--steps", 1, *problem)
    assert metric in finetune("classify", base, tmp_path / "out", *told)["dev"]
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["id2label"] == (labels or {"0": "LABEL_0"})


@pytest.mark.slow
def test_pairs_and_columns_of_other_names(base, tmp_path):
    train = tmp_path / "train.tsv"
    rows = [("anna", "paris")[i % 2] + "\t" + ("anna", "paris")[i // 2 % 2] for i in range(32)]
    same = ["same" if len(set(row.split("\t"))) == 1 else "not" for row in rows]
    lines = [f"{row}\t{label}" for row, label in zip(rows, same, strict=True)]
    train.write_text("\n".join(["first\tsecond\tverdict", *lines]))
    names = ["--text-column", "first", "--pair-column", "second", "--label-column", "verdict"]
    out = tmp_path / "out"
    figures = finetune("classify", base, out, "--train", train, "--dev", train, *names, epochs=30)
    assert figures["dev"]["accuracy"] == 1.0


@pytest.mark.slow
def test_an_adapter_is_saved_alone_and_finds_its_base(base, tmp_path, capsys):
    train, out = tiny.reviews(tmp_path / "train.jsonl", 64), tmp_path / "out"
    more = ("--train", train, "--dev", train, "--adapter", 4)
    figures = finetune("classify", base, out, *more, epochs=15)
    assert figures["dev"]["accuracy"] == 1.0
    assert not (out / "model.safetensors").exists()
    assert (out / "adapter.safetensors").stat().st_size < (
        base / "model.safetensors"
    ).stat().st_size / 2
    capsys.readouterr()
    assert main(["predict", str(out), "the film 1 was dull and poor"]) == 0
    assert capsys.readouterr().out.startswith("bad\t")
    assert main(["info", str(out)]) == 0
    assert "adapter: rank 4 beside " in capsys.readouterr().out
    # An adapter on an adapter would not find its weights again.
    more = ["--adapter", "2", "--train", str(train), "--out", str(tmp_path / "second")]
    assert main(["finetune", "classify", "--base", str(out), *more]) == 2
    assert "is an adapter itself: run `minibert export" in capsys.readouterr().err


def test_it_stops_early_and_keeps_the_best(base, tmp_path):
    train, out = tiny.reviews(tmp_path / "train.jsonl", 32), tmp_path / "out"
    finetune(
        "classify", base, out, "--train", train, "--dev", train, "--patience", 2, epochs=40
    )  # fmt: skip
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    seen = [entry["eval_accuracy"] for entry in log if "eval_accuracy" in entry]
    assert len(seen) < 40
    best = seen.index(max(seen))
    assert len(seen) == best + 3  # two more that were no better
    assert json.loads((out / "metrics.json").read_text())["dev"]["accuracy"] == max(seen)


def test_class_weights_reach_the_loss(base, tmp_path, monkeypatch):
    train = tiny.reviews(tmp_path / "train.jsonl", 16)
    seen = {}

    def forward(self, *arguments, **options):
        seen["weights"] = self.class_weights
        return original(self, *arguments, **options)

    original = BertForSequenceClassification.forward
    monkeypatch.setattr(BertForSequenceClassification, "forward", forward)
    more = ("--train", train, "--class-weights", "bad=3")
    finetune("classify", base, tmp_path / "out", *more, epochs=1)
    assert seen["weights"].tolist() == [3.0, 1.0]


def test_class_weights_are_read_as_written():
    examples = [Example("fine", label=label) for label in ("a", "b", "b", "b")]
    dataset = ClassificationDataset(examples, tiny.tokenizer())
    assert parse_class_weights("balanced", dataset) == pytest.approx([2.0, 2 / 3])
    assert parse_class_weights("b=0.5, a=2", dataset) == [2.0, 0.5]
    for wrong in ("c=1", "a=x", "a=0", "a=nan", "even", ""):
        with pytest.raises(ValueError, match="class weights"):
            parse_class_weights(wrong, dataset)


@pytest.mark.slow
def test_long_texts_are_split_and_judged_as_a_whole(base, tmp_path, capsys):
    train = tmp_path / "train.jsonl"
    rows = []
    for i in range(48):
        word, label = ("great", "good") if i % 2 else ("awful", "bad")
        text = f"{word} and " * (20 + i % 3)
        rows.append(json.dumps({"text": text, "label": label}))
    train.write_text("\n".join(rows))
    out = tmp_path / "out"
    more = ("--dev", train, "--max-length", 24, "--stride", 6)
    figures = finetune("classify", base, out, "--train", train, *more, epochs=4)
    assert figures["train"]["examples"] == 48
    assert figures["dev"]["accuracy"] == 1.0
    assert TaskSettings.read(out) == TaskSettings("classify", max_length=24, stride=6)
    # A new text is split in the same way, without a word about it.
    capsys.readouterr()
    assert main(["predict", str(out), "awful and " * 40]) == 0
    assert capsys.readouterr().out.startswith("bad")


def test_a_pretrained_head_is_replaced(tmp_path):
    base = tiny.save(tmp_path / "pretrained", BertForPreTraining)
    train = tiny.reviews(tmp_path / "train.jsonl", 8)
    finetune("classify", base, tmp_path / "out", "--train", train, epochs=1)
    model = BertForSequenceClassification.from_pretrained(tmp_path / "out")
    assert torch.isfinite(model.classifier.weight).all()


def test_sides_come_from_where_they_are_given(tmp_path):
    train, dev = tiny.reviews(tmp_path / "a.jsonl", 40), tiny.reviews(tmp_path / "b.jsonl", 6)
    divided = read_splits(str(train))
    rows = sum(len(side) for side in (divided.train, divided.dev, divided.test))
    given = read_splits(str(train), str(dev))
    assert (len(given.train), len(given.dev), given.test) == (40, 6, [])
    tested = read_splits(str(train), None, str(dev))
    assert len(tested.test) == 6
    assert len(tested.train) + len(tested.dev) == rows
    assert tested.dev == divided.dev


def test_a_user_is_told_what_repeats_and_every_row_is_trained_on(base, tmp_path, capsys):
    train = tmp_path / "train.csv"
    rows = ["fine,good"] * 20 + ["fine,bad", "dull,bad", "poor,bad", "great,good"]
    train.write_text("\n".join(["text,label", *rows]))
    dev = tmp_path / "dev.csv"
    dev.write_text("text,label\ndull,bad\nbad,bad\n")
    more = ("--train", train, "--dev", dev)
    found = finetune("classify", base, tmp_path / "a", *more, epochs=1)
    assert found["train"]["examples"] == 24
    said = capsys.readouterr().err
    assert "training examples: 20 of 24 rows repeat" in said
    assert "1 text with more than one label, such as 'fine'" in said
    assert "dev examples: 1 text of 2 already among those before" in said
    assert "no row is left out; --deduplicate leaves repeated ones out" in said
    found = finetune("classify", base, tmp_path / "b", *more, "--deduplicate", epochs=1)
    assert found["train"]["examples"] == 2
    assert "repeat" not in capsys.readouterr().err


def test_a_failed_start_does_not_stand_in_the_way_of_the_next(base, tmp_path, capsys, monkeypatch):
    train, out = tiny.reviews(tmp_path / "train.jsonl", 16), tmp_path / "out"
    more, text = ("--train", train), tmp_path / "text.txt"
    text.write_text("The film was great. It was fine.\nBob lives in Rome. Anna works.\n")
    command = ["finetune", "classify", "--base", str(base), "--train", str(train)]
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert main([*command, "--out", str(out), "--tensorboard"]) == 2
    assert not out.exists()
    # Whatever goes wrong before the first step: here in the first batch.
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_update", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            finetune("classify", base, out, *more, epochs=1)
        assert not out.exists()
        with pytest.raises(ZeroDivisionError):
            main(["pretrain", "--corpus", str(text), "--steps", "1", "--out", str(out)])
        assert not out.exists()
    assert finetune("classify", base, out, *more, epochs=1)["train"]["examples"] == 13
    # What is there already stays.
    assert main([*command, "--out", str(out)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert (out / "model.safetensors").is_file()
