"""Whatever changes in the data of a run, its digest changes."""

import numpy as np
import pytest
import tiny
import torch
from trainings import LENGTH, Rows, pretraining_data, texts

from minibert.data.examples import AnswerExample, Example, TaggedExample
from minibert.finetuning.answering import AnsweringDataset
from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.tagging import TaggingDataset
from minibert.pretraining.dataset import Subset
from minibert.training.fingerprint import fingerprint, of_values


def test_the_same_data_are_known_again():
    assert fingerprint(pretraining_data()) == fingerprint(pretraining_data())
    rows = Rows(**texts(), labels=torch.arange(8) % 2)
    assert fingerprint(rows) == fingerprint(rows)


def test_another_corpus_objective_length_or_subset_is_another():
    shorter = pretraining_data()
    shorter.budget = LENGTH // 2
    data = pretraining_data()
    others = [
        pretraining_data(seed=1),
        pretraining_data(documents=31),
        pretraining_data("mlm"),
        shorter,
        Subset(data, 8),
        Subset(data, 9),
        Subset(shorter, 8),
    ]
    assert len({fingerprint(one) for one in [data, *others]}) == 8


@pytest.mark.parametrize("place", [0, 1, 255, 256, 599])
def test_any_one_label_counts(place):
    # A sample of 64 rows once let 176 of 240 swapped labels pass.
    labels = torch.arange(600) % 2
    rows = {name: value.repeat(75, 1) for name, value in texts(8).items()}
    changed = labels.clone()
    changed[place] = 1 - changed[place]
    assert fingerprint(Rows(**rows, labels=labels)) != fingerprint(Rows(**rows, labels=changed))


def test_any_one_token_of_a_corpus_counts():
    data = pretraining_data()
    before = fingerprint(data)
    data.corpus.tokens[len(data.corpus.tokens) // 2] ^= 1
    assert fingerprint(data) != before


def test_labels_tags_and_answers_count_even_where_the_batches_are_the_same():
    tokenizer = tiny.tokenizer()

    def classes(*labels):
        return ClassificationDataset([Example("the film", None, x) for x in labels], tokenizer)

    def tags(*found):
        words = ["the", "film", "was", "great"]
        settings = {"max_length": 4, "truncation": "longest_first", "labels": ["A", "B"]}
        return TaggingDataset([TaggedExample(words, list(found))], tokenizer, **settings)

    def answers(*found):
        example = AnswerExample("1", "who", "anna lives in paris", [("anna", 0), *found])
        return AnsweringDataset([example], tokenizer)

    # Of the tags, the last two words are cut off; of the answers, only the first is learned.
    for one, other in (
        (classes("a", "b"), classes("b", "a")),
        (tags("A", "A", "A", "A"), tags("A", "A", "A", "B")),
        (answers(), answers(("paris", 14))),
    ):
        assert fingerprint(one) != fingerprint(other)


def test_names_types_and_shapes_count():
    values = [
        {"a": np.zeros(4)},
        {"b": np.zeros(4)},
        {"a": np.zeros((2, 2))},
        {"a": np.zeros(4, np.int64)},
        {"a": np.zeros(0)},
        {"a": [0.0] * 4},
    ]
    assert len({of_values(value) for value in values}) == len(values)
