"""Predictions and figures: in the right order, over windows, by the right rule."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch

from minibert import (
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    Trainer,
    TrainingConfig,
)
from minibert.data.examples import AnswerExample, Example, TaggedExample
from minibert.finetuning.answering import AnsweringDataset, answers
from minibert.finetuning.classification import ClassificationDataset, classify, predicted_scores
from minibert.finetuning.evaluate import evaluate, metrics_for, report
from minibert.finetuning.predict import predict
from minibert.finetuning.tagging import TaggingDataset, tagged_sentences
from minibert.pretraining.fill_mask import fill_mask
from minibert.training.inference import Inference, run_inference

TEXTS = ["awful", "the film was great", "lovely and fine", "the film was not very poor , who saw ?"]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.tokenizer()


def made(kind, **changes):
    torch.manual_seed(1)
    return kind(tiny.config(initializer_range=0.5, **changes)).eval()


def classes(tokenizer, labels=("bad", "good", "good", "bad"), **options):
    examples = [Example(text, label=label) for text, label in zip(TEXTS, labels, strict=True)]
    return ClassificationDataset(examples, tokenizer, **options)


def results_of(dataset, *logits):
    """What `run_inference` would yield if the model said this of each row."""
    order = np.argsort(-dataset.lengths, kind="stable")
    tensors = [torch.tensor([values[i] for i in order]) for values in logits]
    names = ("logits",) if len(logits) == 1 else ("start_logits", "end_logits")
    for first in range(0, len(order), 2):  # two rows a batch
        parts = [tensor[first : first + 2] for tensor in tensors]
        output = SimpleNamespace(**dict(zip(names, parts, strict=True)))
        yield Inference(order[first : first + 2], {}, output)


# ---------------------------------------------------------------------- texts with labels


def test_every_text_gets_its_own_probabilities_whatever_the_batches(tokenizer):
    model = made(BertForSequenceClassification)
    alone = []
    with torch.no_grad():
        for text in TEXTS:
            alone.append(model(**tokenizer(text)).logits.softmax(-1)[0].tolist())
    assert np.std(np.array(alone)[:, 0]) > 0.05  # else any order would do
    for size in (1, 3, 32):
        dataset = classes(tokenizer)
        scores = predicted_scores(run_inference(model, dataset, size), dataset)
        np.testing.assert_allclose(scores, alone, atol=1e-5)


def test_a_text_in_windows_gets_the_mean_of_them(tokenizer):
    long = Example("the film was great " * 4, label="good")
    dataset = ClassificationDataset([Example("awful", label="bad"), long], tokenizer, max_length=12,
                                    stride=2)  # fmt: skip
    assert dataset.samples.tolist() == [0, 1, 1]
    logits = [[2.0, 0.0], [0.0, 4.0], [0.0, -4.0]]
    scores = predicted_scores(results_of(dataset, logits), dataset)
    np.testing.assert_allclose(scores[1], [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(scores[0], torch.tensor([2.0, 0.0]).softmax(-1), atol=1e-6)


def test_figures_of_one_label(tokenizer):
    dataset = classes(tokenizer)  # bad good good bad
    sure = 20.0
    logits = [[sure, 0], [0, sure], [sure, 0], [sure, 0]]
    told = report(results_of(dataset, logits), dataset)
    assert told.metrics["accuracy"] == 0.75
    assert told.metrics["f1_macro"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert told.metrics["calibration_error"] == pytest.approx(0.25, abs=1e-6)
    assert told.confusion.tolist() == [[2, 0], [1, 1]]
    assert told.reliability.counts.tolist() == [4]
    assert "good" in told.table


def test_figures_of_several_labels_follow_the_threshold(tokenizer):
    dataset = classes(tokenizer, [["a"], ["a", "b"], [], ["b"]])
    low = 0.2  # sigmoid: 0.55
    logits = [[9.0, -9.0], [9.0, low], [-9.0, -9.0], [-9.0, low]]
    assert report(results_of(dataset, logits), dataset).metrics["accuracy"] == 1.0
    strict = report(results_of(dataset, logits), dataset, threshold=0.6).metrics
    assert strict["accuracy"] == 0.5
    assert strict["f1_micro"] == pytest.approx(2 * 2 / (2 + 4))


def test_figures_of_numbers(tokenizer):
    dataset = classes(tokenizer, [1.0, 2.0, 3.0, 4.0])
    figures = report(results_of(dataset, [[2.0], [3.0], [4.0], [5.0]]), dataset).metrics
    assert figures == {
        "mean_absolute_error": pytest.approx(1.0),
        "mean_squared_error": pytest.approx(1.0),
        "pearson": pytest.approx(1.0),
    }
    constant = report(results_of(dataset, [[2.0]] * 4), dataset).metrics
    assert constant["pearson"] == 0.0


def test_without_labels_there_is_nothing_to_compare_with(tokenizer):
    examples = [Example(text) for text in TEXTS]
    dataset = ClassificationDataset(examples, tokenizer, labels=["bad", "good"])
    with pytest.raises(ValueError, match="no labels to compare with"):
        report(results_of(dataset, [[0.0, 0.0]] * 4), dataset)


def test_the_trainer_logs_the_same_figures_as_a_later_evaluation(tokenizer, tmp_path):
    dataset = classes(tokenizer)
    model = made(BertForSequenceClassification)
    config = TrainingConfig(tmp_path / "run", epochs=2, batch_size=3, precision="float32")
    history = Trainer(model, config, dataset, dataset, metrics_for(dataset)).fit()
    best = min((entry for entry in history if "eval_loss" in entry), key=lambda e: e["eval_loss"])
    for name, value in evaluate(model, dataset).metrics.items():
        assert best[f"eval_{name}"] == pytest.approx(value, abs=1e-6), name


def test_a_model_in_training_reads_without_dropout_and_goes_on_training(tokenizer):
    model = made(BertForSequenceClassification, hidden_dropout_prob=0.5)
    dataset = classes(tokenizer)
    calm = predicted_scores(run_inference(model, dataset), dataset)
    model.train()
    np.testing.assert_array_equal(predicted_scores(run_inference(model, dataset), dataset), calm)
    assert model.training


# ---------------------------------------------------------------------- tags


def one_hot(labels, width):
    """(T,) classes to logits (width, C) that are sure of them."""
    return [[9.0 if c == label else 0.0 for c in range(3)] for label in labels + [0] * (
        width - len(labels))]  # fmt: skip


def test_tags_come_back_word_by_word_in_the_order_of_the_sentences(tokenizer):
    sentences = [
        TaggedExample(["anna"], ["B-PER"]),
        TaggedExample(["unbelievables", "rome", "."], ["O", "B-LOC", "O"]),
    ]
    dataset = TaggingDataset(sentences, tokenizer, labels=["O", "B-LOC", "B-PER"])
    # [CLS] anna [SEP]; [CLS] un ##believ ##able ##s rome . [SEP]: only first pieces are read.
    logits = [one_hot([1, 2], 8), one_hot([2, 0, 2, 2, 2, 1, 0], 8)]
    said = tagged_sentences(results_of(dataset, logits), dataset)
    assert [s.tags for s in said] == [["B-PER"], ["O", "B-LOC", "O"]]
    assert report(results_of(dataset, logits), dataset).metrics == {"accuracy": 1, "entity_f1": 1}


def test_a_word_in_two_windows_is_read_where_it_has_more_text_around_it(tokenizer):
    words = ["the", "film", "was", "great", "and", "fine", "and", "lovely"]
    example, labels = TaggedExample(words, ["O"] * 8), ["O", "B-LOC", "B-PER"]
    dataset = TaggingDataset([example], tokenizer, labels, max_length=8, stride=4)
    # [CLS] the film was great and fine [SEP], [CLS] was great and fine and lovely [SEP]
    logits = [one_hot([0] + [1] * 6, 8), one_hot([0] + [2] * 6, 8)]
    (said,) = tagged_sentences(results_of(dataset, logits), dataset)
    assert said.tags == ["B-LOC"] * 4 + ["B-PER"] * 4


def test_words_that_were_cut_off_count_as_wrong_unless_they_are_o(tokenizer):
    sentence = TaggedExample(["anna", "saw", "bob"], ["B-PER", "O", "B-PER"])
    dataset = TaggingDataset([sentence], tokenizer, ["O", "B-LOC", "B-PER"], max_length=4)
    figures = report(results_of(dataset, [one_hot([0, 2, 0], 4)]), dataset).metrics
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["entity_f1"] == pytest.approx(2 / 3)


# ---------------------------------------------------------------------- answers

CONTEXT = "anna lives in paris . bob lives in rome . the film was great . who works at acme ?"


def windows(tokenizer, *examples):
    return AnsweringDataset(list(examples), tokenizer, max_length=14, stride=3)


def span_logits(dataset, text, score, null):
    """Logits that put `score` on the tokens of a text, in the windows that hold it."""
    starts, ends = [], []
    for row in range(len(dataset)):
        length = int(dataset.lengths.max())
        start, end = [-5.0] * length, [-5.0] * length
        start[0] = end[0] = null / 2
        for i in range(int(dataset.lengths[row])):
            for j in range(i, int(dataset.lengths[row])):
                inside = dataset.offsets[row][i, 0] >= 0 and dataset.offsets[row][j, 0] >= 0
                if inside and dataset.text(row, i, j) == text:
                    start[i] = end[j] = score / 2
        starts.append(start)
        ends.append(end)
    return starts, ends


def test_the_best_span_of_all_windows_is_the_answer(tokenizer):
    example = AnswerExample("q", "where is bob ?", CONTEXT, [("rome", CONTEXT.index("rome"))])
    dataset = windows(tokenizer, example)
    assert len(dataset) > 2
    logits = span_logits(dataset, "in rome", 8.0, null=2.0)
    logits[0][0][0] = -9.0  # the first window is surest that the answer is in it
    (said,) = answers(results_of(dataset, *logits), dataset)
    assert (said.text, said.start) == ("in rome", CONTEXT.index("in rome"))
    assert (said.score, said.null_score) == (8.0, -9.0 + 1.0)
    figures = report(results_of(dataset, *logits), dataset).metrics
    assert figures == {"exact_match": 0.0, "f1": pytest.approx(2 / 3)}


def test_no_answer_is_said_where_its_score_is_higher_by_more_than_the_threshold(tokenizer):
    dataset = windows(tokenizer, AnswerExample("q", "who ?", CONTEXT, [], is_impossible=True))
    logits = span_logits(dataset, "rome", 4.0, null=5.0)
    for threshold, text in ((None, "rome"), (2.0, "rome"), (0.0, "")):
        (said,) = answers(results_of(dataset, *logits), dataset, threshold)
        assert said.text == text
    figures = report(results_of(dataset, *logits), dataset).metrics
    assert figures["no_answer_accuracy"] == 1.0


def test_predicted_answers_are_pieces_of_their_own_context(tokenizer):
    model = made(BertForQuestionAnswering)
    contexts = ["anna lives in Paris .", CONTEXT]
    said = predict(model, tokenizer, ["where is anna ?", "who ?"], contexts, max_length=20)
    for answer, context in zip(said, contexts, strict=True):
        assert answer.text
        assert context[answer.start :].startswith(answer.text)


# ---------------------------------------------------------------------- new texts


def test_predictions_carry_the_names_and_their_probabilities(tokenizer):
    model = made(BertForSequenceClassification, id2label={0: "bad", 1: "good"})
    said = predict(model, tokenizer, TEXTS)
    dataset = classes(tokenizer)
    assert said == classify(model, dataset)
    for one in said:
        assert sum(one.probabilities.values()) == pytest.approx(1)
        assert one.label == max(one.probabilities, key=one.probabilities.get)


def test_a_tagger_reads_plain_text_and_words(tokenizer):
    model = made(BertForTokenClassification, num_labels=2, id2label={0: "O", 1: "B-PER"})
    plain, words = predict(model, tokenizer, ["Anna lives.", ["Anna", "lives", "."]])
    assert plain.words == ["Anna", "lives", "."]
    assert (plain.words, plain.tags) == (words.words, words.tags)
    assert plain.probabilities == pytest.approx(words.probabilities, abs=1e-5)


def test_regression_and_several_labels_of_new_texts(tokenizer):
    number = made(BertForSequenceClassification, num_labels=1, problem_type="regression")
    assert isinstance(predict(number, tokenizer, ["great"])[0].label, float)
    many = made(BertForSequenceClassification, problem_type="multi_label_classification",
                id2label={0: "a", 1: "b"})  # fmt: skip
    (said,) = predict(many, tokenizer, ["great"], threshold=1e-9)
    assert said.label == ["a", "b"]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ("great", "texts must be a list"),
        (["great", " "], "text 1 is empty"),
        (["great "] * 2, None),
    ],
)
def test_bad_texts_are_told(tokenizer, texts, told):
    model = made(BertForSequenceClassification)
    if told is None:
        assert len(predict(model, tokenizer, texts)) == 2
        return
    with pytest.raises(ValueError, match=told):
        predict(model, tokenizer, texts)


def test_a_model_without_a_task_predicts_nothing(tokenizer):
    with pytest.raises(ValueError, match="fine-tune it first"):
        predict(made(BertForMaskedLM), tokenizer, ["great"])


def test_each_mask_gets_its_likeliest_words(tokenizer):
    model = made(BertForMaskedLM)
    first, second = fill_mask(model, tokenizer, "the [MASK] was [MASK] .", top=3)
    ids = tokenizer("the [MASK] was [MASK] .")["input_ids"]
    with torch.no_grad():
        chances = model(ids).logits[0, [2, 4]].softmax(-1)
    for candidates, row in ((first, chances[0]), (second, chances[1])):
        assert len(candidates) == 3
        assert candidates[0][0] == tokenizer.convert_ids_to_tokens([int(row.argmax())])[0]
        assert candidates[0][1] == pytest.approx(float(row.max()))
    with pytest.raises(ValueError, match=r"no \[MASK\] in the text"):
        fill_mask(model, tokenizer, "the film")
