"""Vectors of texts against sentence-transformers, and the nearest of them against brute force."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from minibert import BertConfig, BertForMaskedLM, BertModel, SentenceEncoder, Tokenizer
from minibert.finetuning.embedding import nearest

WORDS = ["rain", "snow", "sun", "wind", "a", "the", "falls", "shines", "blows", "."]
TEXTS = [" ".join(WORDS[(i * j) % 10] for j in range(1, 2 + 3 * i)) for i in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small random model; its tokens are far apart, so that vectors differ."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    tokenizer = Tokenizer.train(TEXTS, vocab_size=60)
    config = BertConfig.preset(
        "tiny", vocab_size=len(tokenizer), max_position_embeddings=64, initializer_range=0.5
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def reference(folder, pooling, normalize):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    words = Transformer(str(folder))
    modules = [words, Pooling(words.get_embedding_dimension(), pooling_mode=pooling)]
    return SentenceTransformer(modules=[*modules, *([Normalize()] if normalize else [])])


@pytest.mark.slow
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_sentence_transformers(folder, pooling, normalize):
    wanted = reference(folder, pooling, normalize).encode(TEXTS, show_progress_bar=False)
    encoder = SentenceEncoder.from_pretrained(folder, pooling=pooling, normalize=normalize)
    np.testing.assert_allclose(encoder.encode(TEXTS, batch_size=5), wanted, atol=1e-5)
    assert np.ptp(wanted, axis=0).max() > 0.1  # one vector for all would pass too


@pytest.mark.data
@pytest.mark.slow
def test_vectors_of_the_real_weights_are_those_of_sentence_transformers():
    from minibert import weights

    texts = ["A dog runs.", "It rains all day, and nobody minds; not even the cat.", "雨", "x" * 90]
    wanted = reference(weights.resolve("minilm"), "mean", True).encode(
        texts, show_progress_bar=False
    )
    np.testing.assert_allclose(
        SentenceEncoder.from_pretrained("minilm").encode(texts), wanted, atol=1e-5
    )


def test_neither_neighbours_nor_their_number_nor_their_order_change_a_vector(folder):
    encoder = SentenceEncoder.from_pretrained(folder)
    together = encoder.encode(TEXTS, batch_size=4)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS[::-1]), together[::-1], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_a_text_in_windows_is_the_mean_of_their_vectors(folder):
    encoder = SentenceEncoder.from_pretrained(folder, normalize=False)
    words = [WORDS[i % 10] for i in range(20)]
    found = encoder.encode([" ".join(words), "rain"], max_length=12, stride=0)
    parts = encoder.encode([" ".join(words[:10]), " ".join(words[10:]), "rain"])
    np.testing.assert_allclose(found, [parts[:2].mean(0), parts[2]], atol=1e-5)


def test_a_head_is_left_out(folder, tmp_path):
    model = BertForMaskedLM.from_pretrained(folder)
    model.save_pretrained(tmp_path)
    Tokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    np.testing.assert_array_equal(
        SentenceEncoder.from_pretrained(tmp_path).encode(TEXTS),
        SentenceEncoder.from_pretrained(folder).encode(TEXTS),
    )


@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 12), st.integers(0, 99))
def test_the_nearest_are_those_of_brute_force(queries, texts, count, seed):
    drawn = np.random.default_rng(seed).integers(-2, 3, (queries + texts, 3)).astype(np.float32)
    numbers, scores = nearest(drawn[:queries], drawn[queries:], count)
    for query, found, told in zip(drawn[:queries], numbers, scores, strict=True):
        every = [(-float(query @ vector), i) for i, vector in enumerate(drawn[queries:])]
        assert [(-float(s), int(i)) for s, i in zip(told, found, strict=True)] == sorted(every)[
            :count
        ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.encode("rain"), "put the text in"),
        (lambda e: e.encode([]), "no texts"),
        (lambda e: e.encode(["rain", " "]), "text 1 is empty"),
        (lambda e: e.encode(["rain " * 99]), "truncation='longest_first'"),
        (lambda e: SentenceEncoder(e.model, e.tokenizer, pooling="max"), "mean, cls"),
        (lambda e: SentenceEncoder(e.model, e.tokenizer, precision="half"), "unknown precision"),
        (lambda e: nearest(np.eye(2), np.eye(2), 0), "count must be at least 1"),
    ],
)
def test_a_mistake_is_told_in_one_line(folder, call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call(SentenceEncoder.from_pretrained(folder))
    assert "\n" not in str(caught.value)
