"""Vectors for probes: the right place, the right order, and nothing of the padding."""

import pytest
import tiny
import torch

from minibert import BertModel
from minibert.course.analysis.probing import text_vectors, token_vectors
from minibert.data.examples import Example, TaggedExample
from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.tagging import TaggingDataset

TEXTS = ["the film was great", "dull", "bob lives in paris ?", "awful and poor", "fine"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return BertModel(tiny.config()).train()


def states_of(model, text):
    """All layers of one text by itself, without dropout: (L + 1, T, d)."""
    with torch.no_grad():
        output = model.eval()(**tiny.tokenizer()(text), output_hidden_states=True)
    return torch.cat(output.hidden_states), output.pooler_output[0]


def test_every_text_has_its_own_vectors_whatever_the_batch(model):
    dataset = ClassificationDataset([Example(text) for text in TEXTS], tiny.tokenizer())
    held = text_vectors(model, dataset, batch_size=2)
    assert model.training  # as it was
    for i, text in enumerate(TEXTS):
        states, pooled = states_of(model, text)
        for found, wanted in (
            (held.cls, states[:, 0]),
            (held.first, states[:, 1]),
            (held.sep, states[:, -1]),
            (held.mean, states.mean(1)),
        ):
            assert torch.allclose(found[:, i], wanted, atol=1e-5)
        assert torch.allclose(held.pooled[i], pooled, atol=1e-5)


def test_a_model_without_pooler_has_no_pooled_vectors(model):
    model.pooler = None
    dataset = ClassificationDataset([Example("fine")], tiny.tokenizer())
    assert text_vectors(model, dataset).pooled is None


def test_a_text_in_windows_has_no_single_vector(model):
    dataset = ClassificationDataset(
        [Example("the film was great and fine")], tiny.tokenizer(), max_length=6, stride=1
    )
    with pytest.raises(ValueError, match="several windows"):
        text_vectors(model, dataset)


def test_a_word_in_pieces_is_the_state_of_its_first(model):
    examples = [
        TaggedExample(["bob", "was", "unbelievable"], ["B-PER", "O", "O"]),
        TaggedExample(["fine", "paris"], ["O", "B-LOC"]),
    ]
    held = token_vectors(model, TaggingDataset(examples, tiny.tokenizer()), batch_size=2)
    assert held.row.tolist() == [0, 0, 0, 1, 1]
    assert held.position.tolist() == [1, 2, 3, 1, 2]  # [CLS] is 0
    assert held.labels.tolist() == [1, 2, 2, 2, 0]  # B-LOC, B-PER, O
    states, _ = states_of(model, "bob was unbelievable")
    assert states.shape[1] == 7  # in three pieces
    assert torch.allclose(held.states[:, 2], states[:, 3], atol=1e-5)
