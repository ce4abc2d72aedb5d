"""The command with no option: it suits model and data, and says what speaks against the result."""

import json
import sys

import pytest
import tiny
import torch

from minibert import BertForSequenceClassification, BertForTokenClassification
from minibert.cli.main import main
from minibert.data.examples import Example, TaggedExample
from minibert.finetuning import defaults, word_counts
from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.defaults import suited, suited_rate
from minibert.finetuning.doubts import doubts
from minibert.finetuning.evaluate import Report, evaluate
from minibert.finetuning.settings import TaskSettings
from minibert.finetuning.tagging import TaggingDataset
from minibert.training.config import TrainingConfig


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("base"))


# ---------------------------------------------------------------- what suits


@pytest.mark.parametrize(
    ("examples", "batch_size", "epochs", "eval_every"),
    [
        (8, 16, 300, 15),
        (240, 16, 20, None),
        (1000, 16, 5, None),
        (5000, 32, 3, None),
        (8027, 32, 3, None),
    ],
)
def test_few_examples_go_round_more_often(examples, batch_size, epochs, eval_every):
    found, told = suited(TrainingConfig("out"), (), examples, 384)
    assert (found.batch_size, found.epochs) == (batch_size, epochs)
    assert found.epochs * -(-examples // batch_size) >= 300
    assert found.eval_every == found.save_every == eval_every
    assert told[0] == "learning rate 0.0001, which suits a hidden size of 384"
    assert told[1].startswith(f"{epochs} epochs of {examples:,} examples in batches of")
    assert ("for 300 steps at least" in told[1]) == (epochs > 3)


def test_what_the_user_says_is_kept():
    given = TrainingConfig("out", epochs=2, learning_rate=7e-5, batch_size=8, eval_every=5)
    names = ("epochs", "learning_rate", "batch_size")
    assert suited(given, names, 16, 384) == (given, [])
    found, told = suited(TrainingConfig("out", max_steps=40), (), 16, 768)
    assert (found.max_steps, found.epochs, len(told)) == (40, 3, 1)
    # A batch that has to be cut into many parts is not made smaller than they are.
    parts = TrainingConfig("out", accumulation_steps=32)
    assert suited(parts, (), 16, 384, parts=32)[0].batch_size == 32


def test_larger_models_learn_more_slowly_and_adapters_faster():
    assert [suited_rate(size) for size in (128, 256, 384, 768, 1024)] == [
        3e-4, 2e-4, 1e-4, 3e-5, 2e-5,
    ]  # fmt: skip
    assert suited_rate(384, has_adapter=True) == 1e-3


def test_a_run_without_options_says_what_was_chosen_and_what_word_counts_reach(
    base, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(defaults, "LEAST_STEPS", 12)
    train, dev = tiny.reviews(tmp_path / "train.jsonl", 20), tiny.reviews(tmp_path / "d.jsonl", 8)
    out = tmp_path / "out"
    command = ["finetune", "classify", "--base", str(base), "--train", str(train)]
    assert main([*command, "--dev", str(dev), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "minibert: learning rate 0.0003, which suits a hidden size of 32\n" in said.err
    assert "6 epochs of 20 examples in batches of 16, for 12 steps at least" in said.err
    assert json.loads((out / "training_config.json").read_text())["learning_rate"] == 3e-4
    found = json.loads((out / "metrics.json").read_text())
    assert found == json.loads(said.out)
    assert set(found["dev, word counts"]) == {"accuracy"}
    card = (out / "CARD.md").read_text()
    assert "| | dev | dev, word counts |" in card
    # Without scikit-learn there is nothing to compare with, and that is said.
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert main([*command, "--dev", str(dev), "--out", str(tmp_path / "b"), "--steps", "2"]) == 0
    said = capsys.readouterr()
    assert "dev, word counts" not in json.loads(said.out)
    assert "not compared with word counts: scikit-learn is missing" in said.err


@pytest.mark.parametrize(("task", "form"), [("tag", "conll"), ("answer", "json")])
def test_tags_and_answers_get_as_many_steps(base, tmp_path, capsys, monkeypatch, task, form):
    monkeypatch.setattr(defaults, "LEAST_STEPS", 8)
    train = getattr(tiny, {"tag": "tagged", "answer": "squad"}[task])(tmp_path / f"t.{form}", 12)
    out = tmp_path / "out"
    command = ["finetune", task, "--base", str(base), "--train", str(train), "--out", str(out)]
    assert main([*command, "--dev", str(train)]) == 0
    said = capsys.readouterr()
    assert "8 epochs of 12 examples in batches of 16, for 8 steps at least" in said.err
    assert "learning rate 0.0003" in said.err
    assert "word counts" not in said.out + said.err


def test_texts_too_long_are_split_without_being_asked(base, tmp_path, capsys):
    train, out = tmp_path / "train.jsonl", tmp_path / "out"
    texts = {"the film was great " * 20: "good", "dull": "bad", "fine": "good", "poor": "bad"}
    rows = [json.dumps({"text": text, "label": label}) for text, label in texts.items()]
    train.write_text("\n".join(rows))
    command = ["finetune", "classify", "--base", str(base), "--train", str(train)]
    assert main([*command, "--dev", str(train), "--out", str(out), "--steps", "2"]) == 0
    said = capsys.readouterr().err
    assert "2 of 8 texts are longer than the 48 tokens that" in said
    assert "as with --stride 6" in said
    assert TaskSettings.read(out).stride == 6
    assert main(["predict", str(out), "the film was great " * 20]) == 0


# ---------------------------------------------------------------- what speaks against it


def test_a_model_that_learned_nothing_is_told():
    flat = [{"step": i, "loss": 1.10 - 0.001 * i} for i in range(8)]
    falling = [{"step": i, "loss": 1.1 - 0.1 * i} for i in range(8)]
    good, bad = Report({"accuracy": 0.9}), Report({"accuracy": 0.3}, constant="'negative'")
    told = doubts(flat, {"dev": bad}, {"dev": 60}, {"dev": 0.4}, "accuracy")
    assert len(told) == 3
    assert "did not fall (1.100 in the beginning, 1.094 in the end)" in told[0]
    assert "every prediction on dev is 'negative'" in told[1]
    assert "on dev (60 examples) counted words" in told[2]
    assert "accuracy 0.400 against 0.300" in told[2]
    assert doubts(falling, {"dev": good}, {"dev": 60}, {"dev": 0.9}, "accuracy") == []
    assert doubts(falling, {"dev": good}, {}, {}, "accuracy") == []
    # Of an error, less is better.
    errors = Report({"mean_squared_error": 2.0})
    for theirs, count in ((1.0, 1), (3.0, 0)):
        baseline = {"test": theirs}
        told = doubts(falling, {"test": errors}, {"test": 9}, baseline, "mean_squared_error")
        assert len(told) == count


@pytest.mark.parametrize(
    ("labels", "constant"),
    [
        (["a", "b"], "'b'"),
        ([["a"], ["a", "b"]], "'b'"),
        ([1.0, 5.0], "about 0"),
        (["b", "b"], None),
    ],
)
def test_the_same_prediction_for_everything_is_noticed(labels, constant):
    examples = [Example(text, label=label) for text, label in zip("ab", labels, strict=True)]
    dataset = ClassificationDataset(
        examples, tiny.tokenizer(), None if isinstance(labels[0], float) else ["a", "b"]
    )
    model = BertForSequenceClassification(
        tiny.config(num_labels=len(dataset.label_names) or 1, problem_type=dataset.problem_type)
    )
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([-9.0, 9.0][-len(model.classifier.bias) :]))
        if len(model.classifier.bias) == 1:
            model.classifier.bias.zero_()
    assert evaluate(model.eval(), dataset).constant == constant


def test_the_same_tag_for_every_word_is_noticed():
    dataset = TaggingDataset([TaggedExample(["Bob", "lives"], ["B-PER", "O"])], tiny.tokenizer())
    model = BertForTokenClassification(tiny.config(num_labels=2)).eval()
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.0, 9.0]))
    assert evaluate(model, dataset).constant == "'O'"


# ---------------------------------------------------------------- counted words


def counted(rows, metric, test=None):
    examples = [Example(*row) for row in rows]
    train = ClassificationDataset(examples, tiny.tokenizer())
    make = ([Example(*row) for row in test or rows], tiny.tokenizer(), train.label_names)
    held_out = ClassificationDataset(*make, train.problem_type)
    return word_counts.score_word_counts(train, {"dev": held_out, "test": held_out}, metric)


@pytest.mark.parametrize("metric", ["accuracy", "f1_macro"])
def test_counted_words_learn_labels_of_texts_and_pairs(metric):
    texts = [
        (f"the film {i} was {'great' if i % 2 else 'dull'}", None, "ab"[i % 2]) for i in range(20)
    ]
    assert counted(texts, metric) == {"dev": 1.0, "test": 1.0}
    pairs = [(f"film {i}", "great" if i % 2 else "dull", "ab"[i % 2]) for i in range(20)]
    assert counted(pairs, metric)["test"] == 1.0


def test_counted_words_learn_several_labels_and_numbers():
    several = [(("bob " if i % 2 else "") + ("rome" if i % 3 else ""), None) for i in range(1, 24)]
    labels = [["p"] * (i % 2) + ["r"] * bool(i % 3) for i in range(1, 24)]
    rows = [(text or "x", None, label) for (text, _), label in zip(several, labels, strict=True)]
    assert counted(rows, "f1_micro")["test"] > 0.9
    numbers = [
        ("good " * (i % 4 + 1) + "bad " * (3 - i % 4), None, float(i % 4)) for i in range(24)
    ]
    assert counted(numbers, word_counts.LOSS)["test"] < 0.2


def test_counted_characters_where_a_script_has_no_spaces():
    rows = [(f"第{i}个房间很{'好' if i % 2 else '差'}啊", None, "ab"[i % 2]) for i in range(20)]
    unseen = [("我住的房间很好", None, "b"), ("我住的房间很差", None, "a")]
    assert counted(rows, "accuracy", unseen)["test"] == 1.0
    assert counted([("!", None, "a"), ("?", None, "b")], "accuracy")["test"] == 1.0


def test_of_very_many_texts_some_are_counted(monkeypatch):
    monkeypatch.setattr(word_counts, "_MOST", 20)
    rows = [Example(f"{word} {i}", label=word) for i in range(200) for word in ("good", "bad")]
    train, dev = (
        ClassificationDataset(rows, tiny.tokenizer()),
        ClassificationDataset(rows[:40], tiny.tokenizer()),
    )
    seen = []
    fit = word_counts._model

    def noted(*arguments):
        model = fit(*arguments)
        whole = model.fit
        model.fit = lambda x, y: seen.append((x.shape[0], len(set(y)))) or whole(x, y)
        return model

    monkeypatch.setattr(word_counts, "_model", noted)
    assert word_counts.score_word_counts(train, {"dev": dev}, "accuracy") == {"dev": 1.0}
    assert seen == [(20, 2)] * 2
