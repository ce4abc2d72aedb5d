"""Acceptability by rule: what is spoilt and how, three in ten, each sentence on one side."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from minibert.course.texts.acceptability import labelled_sentences, spoil_agreement, spoil_order
from minibert.data.datasets import load_dataset


@pytest.mark.parametrize(
    ("sentence", "spoilt"),
    [
        ("The cats are on the mat.", "The cats is on the mat."),
        ("He said it was and is so.", "He said it were and is so."),
        ("Cats sleep on the mat.", None),
        ("Is it so?", None),  # the first word has a capital, and questions turn it round anyway
    ],
)
def test_the_first_verb_that_can_takes_the_other_number(sentence, spoilt):
    assert spoil_agreement(sentence) == spoilt
    if spoilt:
        assert spoil_agreement(spoilt) == sentence


@pytest.mark.parametrize(
    ("sentence", "spoilt"),
    [
        ("It is a cat on the mat today.", "It is a cat on mat the today."),
        ("It lies on the Thames.", None),  # before a name nothing is moved
        ("The cat sleeps.", None),
    ],
)
def test_an_article_or_a_preposition_goes_behind_its_word(sentence, spoilt):
    assert spoil_order(sentence) == spoilt


def test_three_sentences_in_ten_are_spoilt_by_the_two_rules_in_turn():
    passages = [f"The place number {i} is one of the many here." for i in range(200)]
    judged = labelled_sentences(passages)
    assert len(judged) == 200
    assert Counter(sentence.rule for sentence in judged) == {"": 140, "agreement": 30, "order": 30}
    for sentence in judged:
        assert (sentence.text == sentence.original) == (sentence.label == "acceptable")
        assert sorted(sentence.text) == sorted(sentence.original) or sentence.rule == "agreement"
    assert labelled_sentences(reversed(passages)) == judged


def test_a_sentence_to_which_only_one_rule_applies_is_not_taken():
    assert labelled_sentences(["Seven cats sleep on the mat in the hall."]) == []
    assert labelled_sentences(["Paris is where Berlin is not and never was."]) == []


def test_a_sentence_in_two_passages_is_taken_once():
    sentence = "The place number one is one of the many here."
    assert len(labelled_sentences([sentence, sentence, f"{sentence} No."])) == 1


@pytest.mark.data
def test_boolqs_sentences_are_on_one_side_and_all_have_a_verb_that_could_be_spoilt():
    splits = load_dataset("boolq-acceptability")
    parts = {"train": splits.train, "dev": splits.dev, "test": splits.test}
    assert len(splits.train) > 3000
    assert min(len(splits.dev), len(splits.test)) > 350
    for part in parts.values():
        share = sum(example.label == "unacceptable" for example in part) / len(part)
        assert 0.29 < share < 0.31
    texts = [example.text for part in parts.values() for example in part]
    assert len(set(texts)) == len(texts)
    verb = re.compile(r" (?:is|are|was|were|has|have|does|do) ")
    assert all(verb.search(text) for text in texts)
