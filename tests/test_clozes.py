"""Cloze questions: the gap, the answer's place, and the ones that are asked of another passage."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from minibert.course.texts.clozes import cloze_questions
from minibert.course.texts.written import place, written_questions
from minibert.data.datasets import load_dataset

TEXT = "Rome is old. The capital of Italy has, since 1871, been Rome on the Tiber (Lazio)."


def test_the_gap_stands_where_the_answer_stood():
    (question,) = cloze_questions([("Rome", TEXT)])
    ((answer, start),) = question.answers
    assert question.context[start : start + len(answer)] == answer
    assert answer in ("Italy", "1871", "Rome", "Tiber", "Lazio")
    assert question.question.replace("what", answer) in TEXT
    assert not question.is_impossible


def test_the_first_word_of_a_sentence_is_not_asked_for():
    assert cloze_questions([("a", "Rome is old. Italy is large.")]) == []


def test_a_long_sentence_is_cut_around_the_gap():
    words = " ".join(["word"] * 40)
    (question,) = cloze_questions([("a", f"The {words} Rome {words}.")])
    assert question.question == " ".join(["word"] * 12 + ["what"] + ["word"] * 12)


def test_a_quarter_is_asked_of_a_passage_of_another_title_and_has_no_answer():
    passages = [(f"title {i // 2}", f"This is text {i}n about Place{i}.") for i in range(80)]
    made = cloze_questions(passages)
    assert len(made) == 80
    moved = [question for question in made if question.is_impossible]
    assert len(moved) == 20
    title = {text: name for name, text in passages}
    for question in moved:
        own = next(text for _, text in passages if question.question.split(" about")[0] in text)
        assert not question.answers
        assert title[question.context] != title[own]
    assert cloze_questions(passages) == made


@pytest.mark.data
def test_boolqs_questions_are_split_by_title_and_answered_in_their_context():
    splits = load_dataset("boolq-cloze")
    parts = (splits.train, splits.dev, splits.test)
    train, dev, test = ({question.context for question in part} for part in parts)
    assert not train & (dev | test)
    assert not dev & test
    for part in parts:
        assert len(part) > 1000
        share = sum(question.is_impossible for question in part) / len(part)
        assert 0.24 < share < 0.26
        for question in part:
            for text, start in question.answers:
                assert question.context[start : start + len(text)] == text


@pytest.mark.data
def test_the_written_questions_are_split_by_passage_and_answered_in_it():
    splits = written_questions()
    assert not splits.train
    assert (len(splits.dev), len(splits.test)) == (55, 105)
    dev, test = ({question.context for question in part} for part in (splits.dev, splits.test))
    assert not dev & test
    learned_from = {question.context for question in load_dataset("boolq-cloze").train}
    assert not learned_from & (dev | test)
    for question in splits.dev + splits.test:
        assert question.is_impossible == (not question.answers)
        for text, start in question.answers:
            assert question.context[start : start + len(text)] == text
    assert 0.25 < sum(question.is_impossible for question in splits.test) / len(splits.test) < 0.35


def test_of_an_answer_that_stands_twice_the_file_says_which():
    context = "A fee, a coffee, a second fee."
    assert place("coffee", context) == ("coffee", 9)
    assert place("fee #1", context) == ("fee", 2)
    assert place("fee #2", context) == ("fee", 26)  # the end of another word does not count
    with pytest.raises(ValueError, match="stands 2 times in its passage"):
        place("fee", context)
    for absent in ("tea", "fee #3", "fee #0"):
        with pytest.raises(ValueError, match="is not in its passage"):
            place(absent, context)


@pytest.mark.data
def test_how_a_written_question_is_put_does_not_tell_whether_it_has_an_answer():
    splits = written_questions()
    asked = splits.dev + splits.test
    by_word, by_kind = defaultdict(list), defaultdict(list)
    for question in asked:
        text = question.question.lower()
        kind = re.search(r"how (many|much)|how|wh(o|ich|at|en|ere)", text)
        by_kind[kind and kind[0]].append(question.is_impossible)
        for word in set(re.findall(r"\w+", text)):
            by_word[word].append(question.is_impossible)
    # Whoever knows for each kind of question which is commoner is no better than "it has one".
    right = sum(max(said.count(True), said.count(False)) for said in by_kind.values())
    assert right <= sum(not question.is_impossible for question in asked) + 0.02 * len(asked)
    tells = [
        word for word, said in by_word.items() if len(said) >= 5 and sum(said) > 0.6 * len(said)
    ]
    assert not tells
