"""Two models on the same rows, rows to look at again, and how sure a model should be."""

import json
import os
import warnings

import numpy as np
import pytest
import tiny
import torch
from scipy import optimize, stats

from minibert import (
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.cli import main
from minibert.data.conll import read_conll
from minibert.data.examples import Example
from minibert.data.splits import Splits
from minibert.data.squad import read_squad
from minibert.finetuning import metrics, recipe
from minibert.finetuning.answering import AnsweringDataset
from minibert.finetuning.calibration import expected_calibration_error, fit_temperature, scaled
from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.comparison import Outcomes, differing_rows, mcnemar, paired_bootstrap
from minibert.finetuning.evaluate import evaluate
from minibert.finetuning.label_errors import confident_mistakes, likely_label_errors
from minibert.finetuning.predict import predict
from minibert.finetuning.settings import TaskSettings
from minibert.finetuning.tagging import TaggingDataset
from minibert.training.config import TrainingConfig


def outcomes(right, metric="accuracy"):
    right = np.asarray(right)
    named = [str(value) for value in right.astype(int)]
    return Outcomes(metric, right * 1.0, np.ones(len(right)), right > 0, named, ["1"] * len(right))


def softmax(logits):
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


# ---------------------------------------------------------------------- paired tests


@pytest.mark.parametrize("seed", range(20))
def test_mcnemars_p_is_that_of_the_binomial_test(seed):
    draw = np.random.default_rng(seed)
    first, second = draw.random((2, 10 ** (1 + seed % 4))) < [[0.7], [0.7 + 0.02 * (seed % 5)]]
    found = mcnemar(first, second)
    n = found.only_first + found.only_second
    assert n == (first != second).sum()
    p = stats.binomtest(found.only_first, n).pvalue if n else 1.0
    assert found.p == pytest.approx(p, rel=1e-9)


def test_mcnemar_of_equals_is_1_and_of_many_rows_no_overflow():
    same = np.ones(5, bool)
    assert mcnemar(same, same) == (0, 0, 1.0)
    first = np.arange(40_000) < 20_300
    assert mcnemar(first, ~first).p == pytest.approx(stats.binomtest(20_300, 40_000).pvalue)


def test_the_bootstrap_is_that_of_scipy():
    draw = np.random.default_rng(1)
    first = draw.random(400) < 0.7
    second = np.where(draw.random(400) < 0.3, draw.random(400) < 0.85, first)
    found = paired_bootstrap(outcomes(first), outcomes(second), samples=4000)
    theirs = stats.bootstrap(
        (second * 1.0, first * 1.0),
        lambda b, a, axis: b.mean(axis) - a.mean(axis),
        paired=True,
        n_resamples=4000,
        method="percentile",
        random_state=2,
    ).confidence_interval
    assert found.difference == pytest.approx(second.mean() - first.mean())
    assert (found.low, found.high) == pytest.approx(tuple(theirs), abs=1 / 400)  # one row
    assert 0 < found.p < 1


def test_the_bootstrap_of_entity_f1_scores_every_sample_anew():
    tags = ["B-A", "I-A", "B-B", "O"]
    draw = np.random.default_rng(3)
    truth, one, other = ([list(draw.choice(tags, 4)) for _ in range(12)] for _ in range(3))

    def rows(guess):
        spans = [tuple(map(metrics.entity_spans, pair)) for pair in zip(truth, guess, strict=True)]
        gained = np.array([2.0 * len(a & b) for a, b in spans])
        possible = np.array([1.0 * len(a) + len(b) for a, b in spans])
        return Outcomes("entity_f1", gained, possible, None, [], [])

    found = paired_bootstrap(rows(one), rows(other), samples=50, seed=7)
    picks = np.random.default_rng(7).integers(0, 12, (50, 12))
    differences = [
        metrics.entity_f1([truth[i] for i in pick], [other[i] for i in pick])
        - metrics.entity_f1([truth[i] for i in pick], [one[i] for i in pick])
        for pick in picks
    ]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(differences, [2.5, 97.5])))


def test_a_bootstrap_cut_into_chunks_draws_as_many_samples(monkeypatch):
    monkeypatch.setattr("minibert.finetuning.comparison._AT_ONCE", 70)
    better, worse = outcomes(np.arange(10) < 9), outcomes(np.arange(10) < 1)
    found = paired_bootstrap(worse, better, samples=40)
    assert (found.difference, found.p) == (pytest.approx(0.8), 1 / 40)
    assert paired_bootstrap(better, better).p == 1


def test_models_measured_on_other_rows_are_not_compared():
    with pytest.raises(ValueError, match="on the same rows by the same metric"):
        paired_bootstrap(outcomes([1, 0]), outcomes([1, 0, 1]))
    with pytest.raises(ValueError, match="same metric"):
        differing_rows(outcomes([1, 0]), outcomes([1, 0], "f1"))


@pytest.mark.parametrize("task", ["single", "multi", "regression", "bio", "tags", "answer"])
def test_the_rows_add_up_to_the_metric(task, tmp_path):
    torch.manual_seed(0)
    tokenizer, changes = tiny.tokenizer(), {"initializer_range": 0.5}
    words = ("great", "awful", "fine and dull", "lovely", "poor", "who was anna ?")
    if task in ("bio", "tags"):
        examples = read_conll(tiny.tagged(tmp_path / "a.conll", 12))
        if task == "tags":
            examples = [type(e)(e.words, [t[-1] for t in e.tags]) for e in examples]
        dataset = TaggingDataset(examples, tokenizer)
        kind, metric = BertForTokenClassification, "entity_f1" if task == "bio" else "accuracy"
        changes["num_labels"] = len(dataset.label_names)
    elif task == "answer":
        dataset = AnsweringDataset(read_squad(tiny.squad(tmp_path / "a.json", 12)), tokenizer)
        kind, metric = BertForQuestionAnswering, "f1"
    else:
        label = {"single": ["a", "b"], "multi": [["a"], ["a", "b"]], "regression": [0.5, 2.0]}
        rows = [Example(w, label=label[task][i % 2]) for i, w in enumerate(words)]
        dataset = ClassificationDataset(rows, tokenizer)
        kind = BertForSequenceClassification
        metric = "mean_absolute_error" if task == "regression" else "accuracy"
        changes |= {
            "num_labels": 1 if task == "regression" else 2,
            "problem_type": dataset.problem_type,
        }
    found = evaluate(kind(tiny.config(**changes)).eval(), dataset)
    rows = found.outcomes
    assert rows.metric == metric
    assert rows.gained.sum() / rows.possible.sum() == pytest.approx(found.metrics[metric])
    assert len(rows.predicted) == len(rows.expected) == len(rows.gained) == dataset.size
    equal = [a == b for a, b in zip(rows.predicted, rows.expected, strict=True)]
    assert rows.right is None if task == "regression" else rows.right.tolist() == equal


# ---------------------------------------------------------------------- rows to look at again


def suspected(probabilities, labels):
    """Confident learning by the book, one row at a time."""
    classes = range(probabilities.shape[1])
    bars = {
        j: np.mean([p[j] for p, label in zip(probabilities, labels, strict=True) if label == j])
        for j in classes
        if j in labels
    }
    found = []
    for i, (p, label) in enumerate(zip(probabilities, labels, strict=True)):
        reached = [j for j in classes if j in bars and p[j] >= bars[j] - 1e-9]
        best = max(reached, key=lambda j: p[j], default=label)
        if best != label and max(classes, key=lambda j: p[j]) != label:
            found.append((p[label] - max(p[j] for j in classes if j != label), i))
    return [i for _, i in sorted(found)]


@pytest.mark.parametrize("seed", range(10))
def test_label_errors_are_those_of_confident_learning_and_mostly_the_planted_ones(seed):
    draw = np.random.default_rng(seed)
    classes, n = 2 + seed % 4, 400
    true = draw.integers(0, classes, n)
    flipped = draw.random(n) < 0.1
    labels = np.where(flipped, (true + draw.integers(1, classes, n)) % classes, true)
    logits = draw.normal(size=(n, classes))
    logits[np.arange(n), true] += 4
    found = likely_label_errors(softmax(logits), labels)
    assert found.tolist() == suspected(softmax(logits), labels)
    assert flipped[found].mean() > 0.8
    assert flipped[found].sum() > 0.5 * flipped.sum()  # the bar is a mean: half may miss it
    assert flipped[found[:10]].all()


def test_a_label_that_the_model_predicts_is_not_suspected_though_it_misses_the_bar():
    probabilities = np.array([[0.99, 0.01], [0.99, 0.01], [0.6, 0.4], [0.7, 0.3], [0.45, 0.55]])
    assert likely_label_errors(probabilities, np.array([0, 0, 0, 1, 0])).tolist() == [4]


def test_a_class_that_no_row_bears_accuses_nobody():
    probabilities = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.3, 0.6, 0.1]])
    assert likely_label_errors(probabilities, np.array([1, 0, 1])).tolist() == []
    assert confident_mistakes(probabilities, np.array([1, 0, 1])).tolist() == [0]


def test_mistakes_come_the_surest_first():
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert confident_mistakes(probabilities, np.array([1, 1, 1, 0])).tolist() == [2, 3, 0]


# ---------------------------------------------------------------------- temperature


def drawn(temperature, n=600, classes=3, seed=0):
    """Logits of a model that should be divided by so much, and labels drawn as it then says."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(n, classes)) * 2
    labels = [draw.choice(classes, p=p) for p in softmax(logits)]
    return logits * temperature, np.array(labels)


def test_a_scaled_softmax_is_the_softmax_of_scaled_logits():
    logits, _ = drawn(1)
    np.testing.assert_allclose(scaled(softmax(logits), 2.5), softmax(logits / 2.5), atol=1e-12)
    np.testing.assert_allclose(scaled(np.array([[1.0, 0.0]]), 1.7).sum(), 1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_is_that_of_the_least_loss(temperature):
    logits, labels = drawn(temperature)

    def loss(t):
        return -np.log(softmax(logits / t)[np.arange(len(labels)), labels]).mean()

    theirs = optimize.minimize_scalar(loss, bounds=(0.1, 10), method="bounded").x
    found = fit_temperature(softmax(logits), labels)
    assert found == pytest.approx(theirs, rel=1e-3)
    assert found == pytest.approx(temperature, rel=0.15)
    if temperature != 1:
        before = expected_calibration_error(softmax(logits), labels)
        after = expected_calibration_error(scaled(softmax(logits), found), labels)
        assert after < before / 2
    assert (scaled(softmax(logits), found).argmax(1) == logits.argmax(1)).all()


def test_four_mistakes_are_too_few_to_fit_a_temperature():
    logits = np.tile([[3.0, 0.0]], (100, 1))
    labels = np.arange(100) < 4
    assert fit_temperature(softmax(logits), labels.astype(int)) == 1
    labels = np.arange(100) < 5
    assert fit_temperature(softmax(logits), labels.astype(int)) == pytest.approx(
        3 / np.log(95 / 5), abs=1e-3
    )


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A short training on labels that nobody can learn; what it found; its folders and data."""
    root = tmp_path_factory.mktemp("noisy")
    base = tiny.save(root / "base", initializer_range=0.5)
    draw = np.random.default_rng(0)

    def some(count):
        texts = [f"the film {i % 10} was {draw.choice(tiny.GOOD)}" for i in range(count)]
        return [Example(text, label=str(draw.choice(["bad", "good"]))) for text in texts]

    splits = Splits(some(32), some(40), some(40))
    training = TrainingConfig(root / "run", max_steps=2, learning_rate=1e-2, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it learns nothing, and is told so
        found = recipe.finetune(splits, str(base), TaskSettings("classify"), training)
    rows = [{"text": e.text, "label": e.label} for e in splits.dev]
    (root / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root, splits, found


def test_a_temperature_is_fitted_on_dev_and_kept_with_the_model(noisy):
    root, splits, found = noisy
    settings = TaskSettings.read(root / "run")
    assert settings.temperature != 1
    model = BertForSequenceClassification.from_pretrained(root / "run")
    dataset = ClassificationDataset(splits.dev, tiny.tokenizer(), model.config.labels)
    plain = evaluate(model, dataset)
    assert settings.temperature == fit_temperature(plain.probabilities, plain.truth)
    error = plain.metrics["calibration_error"]
    assert found["dev"]["calibration_error_unscaled"] == pytest.approx(error, abs=1e-6)
    assert found["dev"]["calibration_error"] < error
    assert found["dev"]["accuracy"] == plain.metrics["accuracy"]
    assert found["test"]["temperature"] == settings.temperature


def test_evaluate_and_predict_use_the_temperature(noisy, capsys):
    root, splits, found = noisy
    assert main(["evaluate", str(root / "run"), str(root / "dev.jsonl"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["metrics"]
    assert printed == pytest.approx(found["dev"], abs=1e-6)
    assert main(["predict", str(root / "run"), splits.dev[0].text, "--json"]) == 0
    chances = json.loads(capsys.readouterr().out)["probabilities"]
    model = BertForSequenceClassification.from_pretrained(root / "run")
    temperature = TaskSettings.read(root / "run").temperature
    with torch.no_grad():
        logits = model(**tiny.tokenizer()(splits.dev[0].text)).logits[0] / temperature
    assert list(chances.values()) == pytest.approx(logits.softmax(-1).tolist(), abs=1e-5)
    (same,) = predict(model, tiny.tokenizer(), [splits.dev[0].text], temperature=temperature)
    assert same.probabilities == pytest.approx(chances, abs=1e-6)


def test_a_run_cut_short_while_it_writes_the_metrics_is_resumed_with_its_temperature(
    noisy, tmp_path, monkeypatch
):
    root, splits, found = noisy
    write = recipe.write_json

    def killed(path, values):
        if path.name == "metrics.json":
            raise KeyboardInterrupt
        write(path, values)

    settings = TaskSettings("classify")
    options = {"max_steps": 2, "learning_rate": 1e-2, "device": "cpu"}
    monkeypatch.setattr(recipe, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        recipe.finetune(
            splits, str(root / "base"), settings, TrainingConfig(tmp_path / "r", **options)
        )
    monkeypatch.undo()
    again = TrainingConfig(tmp_path / "r", resume=True, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        resumed = recipe.finetune(splits, str(root / "base"), settings, again)
    assert resumed["dev"] == found["dev"]
    assert TaskSettings.read(tmp_path / "r") == TaskSettings.read(root / "run")


# ---------------------------------------------------------------------- the command line


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    root = tmp_path_factory.mktemp("two")
    labels = {"problem_type": "single_label_classification", "id2label": {0: "bad", 1: "good"}}
    for name, spread in (("one", 0.1), ("other", 0.5)):
        tiny.save(root / name, BertForSequenceClassification, initializer_range=spread, **labels)
    tiny.reviews(root / "test.jsonl", 40)
    return root


def evaluated(root, capsys, *options):
    os.chdir(root)
    status = main(["evaluate", *options])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    return printed.out


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.chdir(os.getcwd())  # put back what `evaluated` changes


def test_two_models_are_compared_and_the_rows_on_which_they_differ_are_listed(two, capsys):
    command = ("one", "test.jsonl", "--against", "other")
    found = json.loads(evaluated(two, capsys, *command, "--json"))
    own = json.loads(evaluated(two, capsys, "one", "test.jsonl", "--json"))
    other = json.loads(evaluated(two, capsys, "other", "test.jsonl", "--json"))
    assert {name: found[name] for name in own} == own
    against = found["against"]
    assert against["metrics"] == other["metrics"]
    change = other["metrics"]["accuracy"] - own["metrics"]["accuracy"]
    assert against["bootstrap"]["difference"] == pytest.approx(change)
    test = against["mcnemar"]
    assert 0 < len(against["rows"]) < 40
    assert test["only_first"] + test["only_second"] == len(against["rows"])  # of two classes
    assert (test["only_second"] - test["only_first"]) / 40 == pytest.approx(change)
    texts = [json.loads(line) for line in (two / "test.jsonl").read_text().splitlines()]
    for row in against["rows"]:
        assert texts[row["row"] - 1] == {"text": row["text"], "label": row["expected"]}
        assert {row["first"], row["second"]} == {"bad", "good"}
    printed = evaluated(two, capsys, *command)
    assert f"Rows on which they differ: {len(against['rows'])}" in printed
    assert "(McNemar's exact test)" in printed
    assert "(paired bootstrap)" in printed
    assert f"\n{against['rows'][0]['row']} " in printed


def test_a_model_does_not_differ_from_itself(two, capsys):
    command = ("one", "test.jsonl", "--against", "one", "--json")
    against = json.loads(evaluated(two, capsys, *command))["against"]
    assert against["rows"] == []
    assert against["mcnemar"] == {"only_first": 0, "only_second": 0, "p": 1.0}
    assert against["bootstrap"]["p"] == 1


def test_mistakes_and_label_errors_are_listed_on_request(two, capsys):
    command = ("other", "test.jsonl", "--mistakes", "3", "--label-errors")
    found = json.loads(evaluated(two, capsys, *command, "--json"))
    model = BertForSequenceClassification.from_pretrained(two / "other")
    rows = [json.loads(line) for line in (two / "test.jsonl").read_text().splitlines()]
    said = predict(model, tiny.tokenizer(), [row["text"] for row in rows])
    wrong = [i for i, p in enumerate(said) if p.label != rows[i]["label"]]
    wrong.sort(key=lambda i: -max(said[i].probabilities.values()))
    assert len(wrong) > 3
    assert [row["row"] - 1 for row in found["mistakes"]] == wrong[:3]
    first = found["mistakes"][0]
    assert first["predicted_probability"] == pytest.approx(
        max(said[wrong[0]].probabilities.values())
    )
    assert first["label_probability"] == pytest.approx(1 - first["predicted_probability"], abs=1e-6)
    assert found["label_errors"]
    printed = evaluated(two, capsys, *command)
    assert f"Mistakes, the surest first: {len(wrong)}, the first 3\nrow  label" in printed
    assert "Labels that are likely wrong, the likeliest first (confident learning" in printed


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("one", "test.jsonl", "--mistakes", "0"), "--mistakes must be at least 1, not 0"),
        (("number", "number.jsonl", "--mistakes"), "--mistakes needs one label a text"),
        (("number", "number.jsonl", "--label-errors"), "--label-errors needs one label a text"),
        (("one", "test.jsonl", "--against", "number"), "number is for another task or kind of"),
        (("one", "test.jsonl", "--against", "tags"), "tags is for another task or kind of label"),
        (("one", "test.jsonl", "--against", "masked"), "not fine-tuned for a task"),
        (("masked", "test.jsonl", "--against", "masked"), "has no labelled rows to compare"),
    ],
)
def test_what_cannot_be_compared_or_listed_is_told(two, capsys, options, told):
    if not (two / "masked").is_dir():
        tiny.save(two / "masked", BertForMaskedLM)
        tiny.save(two / "tags", BertForTokenClassification)
        number = {"problem_type": "regression", "num_labels": 1}
        tiny.save(two / "number", BertForSequenceClassification, **number)
        (two / "number.jsonl").write_text('{"text": "fine", "label": 1.5}\n' * 3)
    os.chdir(two)
    assert main(["evaluate", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
