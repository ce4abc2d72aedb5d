"""Words in two senses: the sentences, their vectors, and the measures."""

import pytest
import torch

from minibert import BertConfig, BertModel, Tokenizer
from minibert.course.analysis.word_senses import (
    SENSES,
    nearest_is_same,
    sense_vectors,
    within_and_across,
)
from tests.tiny import SPECIAL


@pytest.fixture(scope="module")
def reader():
    texts = [text for senses in SENSES.values() for row in senses.values() for text in row]
    plain = Tokenizer.from_vocab([*SPECIAL, "x"])
    words = dict.fromkeys(
        word
        for text in texts
        for word, _ in plain.backend.pre_tokenizer.pre_tokenize_str(text.lower())
    )
    tokenizer = Tokenizer.from_vocab([*SPECIAL, *words])
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = BertModel(BertConfig(vocab_size=len(tokenizer), intermediate_size=32, **shape))
    return model.eval(), tokenizer


def test_every_word_stands_once_in_each_of_some_sixty_different_sentences():
    texts = []
    for word, senses in SENSES.items():
        assert len(senses) == 2
        for rows in senses.values():
            assert len(rows) == 5
            texts += rows
            for text in rows:
                assert text.lower().rstrip(".").replace(",", "").split().count(word) == 1
                assert text.endswith(".")
    assert len(set(texts)) == len(texts) == 60


def test_the_vectors_are_those_of_the_word_and_of_the_full_stop(reader):
    model, tokenizer = reader
    found = sense_vectors(model, tokenizer, "spring")
    assert found.senses == ["season"] * 5 + ["coil"] * 5
    assert found.layers.shape == (3, 10, 16)
    batch = tokenizer("The cherry trees bloom in spring.")
    with torch.no_grad():
        alone = model(**batch).last_hidden_state[0]
    torch.testing.assert_close(found.layers[-1, 0], alone[-3])
    torch.testing.assert_close(found.ends[-1, 0], alone[-2])
    assert (found.static == found.static[0]).all()


def test_an_unknown_word_names_those_there_are(reader):
    with pytest.raises(ValueError, match="bank, bat"):
        sense_vectors(*reader, "jaguar")


def test_pairs_are_told_by_sense_and_counted_once():
    vectors = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    within, across = within_and_across(vectors, ["a", "a", "b", "b"])
    assert within.tolist() == [1, 1]
    assert across.tolist() == [0, 0, 0, 0]


def test_nearest_counts_ties_as_chance():
    senses = ["a", "a", "b", "b"]
    assert nearest_is_same(torch.eye(4)[[0, 0, 1, 1]], senses) == 1
    assert nearest_is_same(torch.eye(4)[[0, 1, 0, 1]], senses) == 0
    assert nearest_is_same(torch.ones(4, 2), senses) == pytest.approx(1 / 3)
