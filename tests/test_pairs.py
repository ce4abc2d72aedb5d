"""Sentence pairs from documents: balanced, honest, and nothing gives the answer away."""

import math
import random

import numpy as np
import pytest
import torch

from minibert.model.config import BertConfig
from minibert.model.heads import BertForPreTraining
from minibert.pretraining.corpus import TokenCorpus
from minibert.pretraining.dataset import OBJECTIVES, PretrainingDataset
from minibert.pretraining.pairs import divide_budget, draw_pairs, split_points
from minibert.tokenization.tokenizer import Tokenizer

WORDS = [f"w{number}" for number in range(300)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, CLS, SEP = 0, 2, 3


def made_documents(count=400, seed=0):
    draw = random.Random(seed)
    return [
        [" ".join(draw.choices(WORDS, k=draw.randint(3, 25))) for _ in range(draw.randint(2, 12))]
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_vocab(SPECIAL + WORDS)


@pytest.fixture(scope="module")
def corpus(tokenizer, tmp_path_factory):
    return TokenCorpus.build(made_documents(), tokenizer, tmp_path_factory.mktemp("c") / "corpus")


@pytest.fixture(scope="module")
def drawn(corpus):
    """20,000 pairs of at most 61 tokens: the split points, and what was drawn for each."""
    points = split_points(corpus.sentence_starts, corpus.document_starts, len(corpus.tokens))
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(points), 20_000)
    return points, chosen, *draw_pairs(points, chosen, 61, rng)


def document_of(corpus, places):
    return np.searchsorted(corpus.document_starts, places, side="right") - 1


def test_split_points_are_the_sentences_that_do_not_open_a_document():
    starts = np.array([0, 4, 6, 10, 13])
    points = split_points(starts, np.array([0, 6]), 20)
    assert points.position.tolist() == [4, 10, 13]
    assert points.before.tolist() == [4, 4, 7]
    assert points.after.tolist() == [2, 10, 7]
    assert points.document.tolist() == [0, 1, 1]


@pytest.mark.parametrize("budget", [2, 7, 61])
def test_a_budget_is_shared_evenly_and_used_up(budget):
    before, after = np.meshgrid(np.arange(1, 80), np.arange(1, 80))
    taken_before, taken_after = divide_budget(before, after, budget)
    assert (taken_before + taken_after == np.minimum(before + after, budget)).all()
    assert (taken_before >= np.minimum(before, budget // 2)).all()
    assert (taken_after >= np.minimum(after, budget // 2)).all()


def test_half_of_the_pairs_are_true(drawn):
    label = drawn[-1]
    assert abs(label.sum() - len(label) / 2) < 4.5 * math.sqrt(len(label)) / 2


def test_a_true_pair_is_what_stands_in_the_text(drawn):
    points, chosen, start_a, length_a, start_b, length_b, label = drawn
    true = label == 0
    assert (start_a + length_a == points.position[chosen]).all()
    assert (start_b[true] == points.position[chosen][true]).all()
    assert (length_b <= points.after[chosen]).all()


def test_a_random_second_half_is_never_from_the_same_document(drawn, corpus):
    _, _, start_a, _, start_b, length_b, label = drawn
    from_a, from_b = document_of(corpus, start_a), document_of(corpus, start_b)
    assert (from_a[label == 1] != from_b[label == 1]).all()
    assert (from_a[label == 0] == from_b[label == 0]).all()
    assert (document_of(corpus, start_b + length_b - 1) == from_b).all()  # and ends in its own


def test_no_segment_is_empty_or_over_the_budget(drawn):
    _, _, _, length_a, _, length_b, _ = drawn
    assert min(length_a.min(), length_b.min()) >= 1
    assert (length_a + length_b).max() == 61


def test_both_kinds_use_up_the_budget(drawn):
    # A random B that is a little short would else show in the sum.
    points, chosen, _, length_a, _, length_b, _ = drawn
    assert (length_a == np.minimum(points.before[chosen], 61 - length_b)).all()


def test_lengths_tell_nothing(drawn):
    _, _, _, length_a, _, length_b, label = drawn
    for length in (length_a, length_b, length_a + length_b):
        true, other = length[label == 0], length[label == 1]
        assert abs(true.mean() - other.mean()) < 0.5
        for share_of_lengths in (0.1, 0.25, 0.5, 0.75):
            ends = np.quantile(true, share_of_lengths), np.quantile(other, share_of_lengths)
            assert abs(ends[0] - ends[1]) <= 2


def test_where_the_second_half_stops_tells_nothing(drawn, corpus):
    # Cut to measure, random halves stop in the middle of a sentence and true ones at the end of
    # their document: a model that looks at the last token alone is then right in 3 of 4 pairs.
    _, _, _, _, start_b, length_b, label = drawn
    ends = np.append(corpus.sentence_starts, len(corpus.tokens))
    stops_with_sentence = np.isin(start_b + length_b, ends)
    true, other = (stops_with_sentence[label == kind].mean() for kind in (0, 1))
    assert 0.2 < true < 0.95  # both kinds of stop are there
    assert abs(true - other) < 0.03


def test_random_halves_come_from_everywhere(drawn):
    points, _, _, _, start_b, _, label = drawn
    assert len(np.unique(start_b[label == 1])) > 0.8 * len(points)


def test_one_document_may_hold_nearly_all_sentences():
    starts = np.arange(0, 1000, 5)
    points = split_points(starts, np.array([0, 990]), 1000)
    chosen = np.arange(len(points))
    start_a, _, start_b, length_b, label = draw_pairs(points, chosen, 40, np.random.default_rng(0))
    in_first = start_a[label == 1] < 990
    assert ((start_b[label == 1] < 990) != in_first).all()
    assert length_b.min() >= 1


def test_pairs_need_two_documents():
    points = split_points(np.array([0, 5, 9]), np.array([0]), 12)
    with pytest.raises(ValueError, match="two documents of at least two sentences"):
        draw_pairs(points, np.array([0]), 10, np.random.default_rng(0))


# ---------------------------------------------------------------- the corpus on disk


def test_the_corpus_is_the_documents_in_a_memory_mapped_file(corpus, tokenizer):
    documents = made_documents()
    assert isinstance(corpus.tokens, np.memmap)
    assert corpus.tokens.dtype == np.uint16
    sentences = [sentence for document in documents for sentence in document]
    vocab = tokenizer.vocab
    assert len(corpus.sentence_starts) == len(sentences)
    assert len(corpus.document_starts) == len(documents)
    for piece, sentence in zip(
        np.split(corpus.tokens, corpus.sentence_starts[1:]), sentences, strict=True
    ):
        assert piece.tolist() == [vocab[word] for word in sentence.split()]


def test_a_finished_corpus_is_opened_and_not_made_again(corpus, tokenizer, tmp_path):
    folder = tmp_path / "c"
    first = TokenCorpus.build([["w1 w2", "w3"]], tokenizer, folder)
    again = TokenCorpus.build(iter([["never read"]]), tokenizer, folder)
    assert again.tokens.tolist() == first.tokens.tolist() == [6, 7, 8]


def test_an_interrupted_corpus_is_made_again(tokenizer, tmp_path):
    def broken():
        yield ["w1 w2", "w3"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TokenCorpus.build(broken(), tokenizer, tmp_path / "c")
    made = TokenCorpus.build([["w4"], ["", "w5 w6"]], tokenizer, tmp_path / "c")
    assert made.tokens.tolist() == [9, 10, 11]
    assert made.sentence_starts.tolist() == made.document_starts.tolist() == [0, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]  # nothing is left beside it


def test_a_corpus_without_text_is_refused(tokenizer, tmp_path):
    with pytest.raises(ValueError, match="no text in it"):
        TokenCorpus.build([[], [""]], tokenizer, tmp_path / "c")


# ---------------------------------------------------------------- batches


@pytest.fixture(scope="module")
def batches(corpus, tokenizer):
    def collate(objective, seed=0, rows=64, max_length=48):
        dataset = PretrainingDataset(corpus, tokenizer, max_length, objective)
        indices = np.random.default_rng(seed).integers(0, len(dataset), rows)
        return dataset.collate(indices, torch.Generator().manual_seed(seed))

    return collate


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("max_length", [12, 48, 128])
def test_rows_are_framed_and_no_longer_than_asked(batches, objective, max_length):
    batch = batches(objective, max_length=max_length)
    ids = batch["input_ids"].clone()
    if objective != "causal":
        labels = batch["labels"]
        ids = torch.where(labels != -100, labels, ids)  # as it was before the corruption
    assert ids.shape[1] <= max_length
    mask = batch.get("attention_mask", torch.ones_like(ids))
    separators = 2 if objective == "mlm+nsp" else 1
    for row, real, segment in zip(ids, mask, batch["token_type_ids"], strict=True):
        length = int(real.sum())
        assert real.tolist() == [1] * length + [0] * (len(row) - length)
        assert row[0] == CLS
        assert row[length - 1] == SEP
        assert int((row == SEP).sum()) == separators
        assert (row[length:] == PAD).all()
        if objective == "mlm+nsp":
            first_b = int((row == SEP).nonzero()[0]) + 1
            expected = [0] * first_b + [1] * (length - first_b) + [0] * (len(row) - length)
        else:
            expected = [0] * len(row)
        assert segment.tolist() == expected


def test_without_pairs_the_text_is_left_whole(batches, corpus):
    ids = batches("causal")["input_ids"]
    text = corpus.tokens.astype(np.int64)
    for row in ids[:8]:
        inside = row[(row != PAD) & (row != CLS) & (row != SEP)].numpy()
        starts = np.flatnonzero(text == inside[0])
        assert any((text[s : s + len(inside)] == inside).all() for s in starts)


def test_causal_labels_are_the_text_without_padding(batches):
    batch = batches("causal")
    expected = batch["input_ids"].masked_fill(batch["input_ids"] == PAD, -100)
    expected[:, 0] = -100
    assert torch.equal(batch["labels"], expected)


def test_masks_and_pairs_are_drawn_anew_and_a_seed_repeats_them(corpus, tokenizer):
    dataset = PretrainingDataset(corpus, tokenizer, 48, "mlm+nsp")
    indices = np.arange(32)

    def draw(seed):
        return dataset.collate(indices, torch.Generator().manual_seed(seed))

    one, same, other = draw(1), draw(1), draw(2)
    assert one.keys() == same.keys()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["next_sentence_label"], other["next_sentence_label"])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return BertForPreTraining(
        BertConfig(
            vocab_size=len(SPECIAL) + len(WORDS),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.1,
        )
    ).eval()


def test_both_nsp_classes_receive_gradient(batches, model):
    # With labels that are all the same, or a mistaken reduction, one row of the matrix stays 0.
    batch = batches("mlm+nsp")
    for kind in (0, 1):
        model.zero_grad()
        rows = batch["next_sentence_label"] == kind
        assert rows.sum() > 10
        part = {
            name: batch[name][rows]
            for name in ("input_ids", "attention_mask", "token_type_ids", "next_sentence_label")
        }
        model(**part).nsp_loss.backward()
        # Down for the right class is up for the other.
        assert model.nsp.bias.grad[kind] < -0.1
        assert model.nsp.bias.grad[1 - kind] > 0.1
        assert (model.nsp.weight.grad.abs().max(dim=1).values > 1e-3).all()
        assert model.bert.pooler.weight.grad.abs().max() > 1e-4


@torch.no_grad()
def test_the_loss_does_not_depend_on_extra_padding(batches, model):
    batch = batches("mlm+nsp")
    length = batch["input_ids"].shape[1]
    plain = model(**batch)
    wider = {
        name: torch.nn.functional.pad(batch[name], (0, 9), value=value)
        for name, value in (
            ("input_ids", PAD),
            ("token_type_ids", 0),
            ("attention_mask", 0),
            ("labels", -100),
        )
    }
    positions = batch["masked_positions"]
    wider["masked_positions"] = positions // length * (length + 9) + positions % length
    wider["next_sentence_label"] = batch["next_sentence_label"]
    padded = model(**wider)
    assert padded.loss.item() == pytest.approx(plain.loss.item(), abs=1e-5)
    assert padded.mlm_loss.item() == pytest.approx(plain.mlm_loss.item(), abs=1e-5)


def test_an_unknown_objective_and_a_length_without_room_are_refused(corpus, tokenizer):
    with pytest.raises(ValueError, match="unknown objective 'nsp'"):
        PretrainingDataset(corpus, tokenizer, 48, "nsp")
    with pytest.raises(ValueError, match="max_length 4 leaves no room"):
        PretrainingDataset(corpus, tokenizer, 4, "mlm+nsp")


def test_pairs_need_a_document_of_two_sentences(tokenizer, tmp_path):
    made = TokenCorpus.build([["w1"], ["w2"]], tokenizer, tmp_path / "c")
    with pytest.raises(ValueError, match="no document of two sentences"):
        PretrainingDataset(made, tokenizer, 48, "mlm+nsp")


@pytest.mark.parametrize("objective", ["mlm+nsp", "mlm", "causal"])
def test_a_document_of_one_sentence_is_read_whole(objective, tokenizer, tmp_path):
    documents = [["w1 w2"], ["w3", "w4"], ["w5 w6 w7"], ["w8", "w9 w1"]]
    made = TokenCorpus.build(documents, tokenizer, tmp_path / "c")
    dataset = PretrainingDataset(made, tokenizer, 48, objective)
    assert len(dataset) == len(dataset.lengths) == 4  # two split points, two without any
    batch = dataset.collate(np.arange(4), torch.Generator().manual_seed(0))
    words = torch.where(batch["labels"] == -100, batch["input_ids"], batch["labels"])
    for row, text in ((2, "w1 w2"), (3, "w5 w6 w7")):
        real = tokenizer([text])["input_ids"][0]
        assert words[row, : len(real)].tolist() == real.tolist()
        assert (words[row, len(real) :] == tokenizer.pad_token_id).all()
        assert not batch["token_type_ids"][row].any()
    if objective == "mlm+nsp":
        labels = batch["next_sentence_label"]
        assert labels[2:].tolist() == [-100, -100]
        assert (labels[:2] >= 0).all()


def test_rows_without_a_pair_add_nothing_to_the_nsp_loss(model):
    torch.manual_seed(0)
    ids = torch.randint(5, 20, (4, 6))
    whole = model(ids, next_sentence_label=torch.tensor([0, -100, 1, -100])).nsp_loss
    pairs = model(ids[::2], next_sentence_label=torch.tensor([0, 1])).nsp_loss
    assert whole.item() == pytest.approx(pairs.item() * 2 / 4, abs=1e-6)
    none = model(ids, next_sentence_label=torch.full((4,), -100)).nsp_loss
    assert none.item() == 0
