"""Rows laid end to end: the same model, the same batches, and no padding."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from trainings import LENGTH, OBJECTIVES, TOKENIZER, corpus, pretraining_data, still, tasks

from minibert.model.attention import (
    PackedRows,
    attention,
    causal_mask,
    flash_attention,
    has_packed_kernel,
)
from minibert.model.task_heads import BertForQuestionAnswering
from minibert.pretraining.corpus import TokenCorpus
from minibert.pretraining.dataset import PretrainingDataset
from minibert.training.batching import seeded, with_label_count
from minibert.training.config import TrainingConfig
from minibert.training.draws import RowDraws
from minibert.training.packing import PackedShape, cut, filled_up, pack, packed_batches
from minibert.training.steps import Steps

HEADS = tasks()
SHAPE = PackedShape(tokens=128, rows=13, longest=20, predictions=64)
MODELS = pytest.mark.parametrize("changes", [{}, {"norm_position": "pre"}], ids=["post", "pre"])


def grads(model, batch, weight=1.0):
    model.zero_grad()
    output = model(**batch)
    (output.loss * weight).backward()
    return output, [p.grad.clone() for p in model.parameters() if p.grad is not None]


@MODELS
@pytest.mark.parametrize("filled", [False, True], ids=["exact", "filled up"])
@pytest.mark.parametrize("name", [name for name in HEADS if name != "answer"])
def test_a_packed_batch_has_the_loss_and_the_gradient_of_the_padded_one(name, filled, changes):
    make, data = HEADS[name]
    torch.manual_seed(0)
    model = make(still(**changes))
    batch = data.collate(np.arange(8), seeded(0))
    count = model.label_count(batch)
    if filled and count is None:
        return  # a loss over rows has no rows of filling
    padded = with_label_count(batch, count)
    expected, wanted = grads(model, padded)
    made = pack(batch, count is not None)
    made = filled_up(made, SHAPE) if filled else made
    assert "attention_mask" not in made
    weight = (len(made["cu_seqlens"]) - 1) / 8
    made = with_label_count(made, None if count is None else count * weight)
    found, gradients = grads(model, made, weight)
    torch.testing.assert_close(found.loss * weight, expected.loss, rtol=1e-5, atol=1e-6)
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("name", ["token", "causal", "single", "answer"])
def test_a_packed_batch_has_the_logits_of_the_padded_one(name, is_training):
    make, data = HEADS[name]
    torch.manual_seed(0)
    model = make(still()).train(is_training)
    batch = data.collate(np.arange(8), seeded(0))
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    real = batch["attention_mask"].bool()
    expected, found = model(**inputs), model(**pack(inputs, False))
    for key in ("start_logits", "logits"):
        if hasattr(expected, key):
            one, other = getattr(expected, key), getattr(found, key)
            other = other if name == "single" else other[0]
            torch.testing.assert_close(other, one if name == "single" else one[real])


def test_no_row_of_a_packed_batch_reads_another():
    make, data = HEADS["token"]
    torch.manual_seed(0)
    model = make(still())
    made = filled_up(pack(data.collate(np.arange(8), seeded(0)), True), SHAPE)
    before = model(**made).logits[0]
    start, end = made["cu_seqlens"][3:5].tolist()
    made["input_ids"][0, start + 1] += 1
    moved = (model(**made).logits[0] - before).abs().amax(-1) > 0
    assert moved[start:end].all()
    assert not moved[:start].any()
    assert not moved[end:].any()


def test_the_attention_of_a_packed_batch_is_returned_by_row():
    make, data = HEADS["token"]
    model = make(still()).eval()
    batch = data.collate(np.arange(8), seeded(0))
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    expected = model(**inputs, output_attentions=True).encoder.attentions[1]
    found = model(**pack(inputs, False), output_attentions=True).encoder.attentions[1]
    real = batch["attention_mask"].bool()[:, None, :, None]
    torch.testing.assert_close(found * real, expected * real)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_seqlen": None}, "max_seqlen"),
        ({"attention_mask": torch.ones(1, 9)}, "padding"),
    ],
)
def test_a_packed_batch_that_does_not_fit_is_refused(wrong, message):
    model = HEADS["token"][0](still())
    batch = {"input_ids": torch.full((1, 9), 7), "cu_seqlens": torch.tensor([0, 4, 9]).int()}
    with pytest.raises(ValueError, match=message):
        model(**{**batch, "max_seqlen": 5, **wrong})


def test_the_answer_head_takes_no_packed_answers(tmp_path):
    make, data = HEADS["answer"]
    batch = pack(data.collate(np.arange(8), seeded(0)), False)
    with pytest.raises(ValueError, match="pad the batch"):
        make(still())(**batch)
    config = TrainingConfig(tmp_path, batch_tokens=64)
    with pytest.raises(ValueError, match="batch_size"):
        Steps(BertForQuestionAnswering(still()), config, data)


def test_a_packed_text_longer_than_the_model_reads_is_refused(tmp_path):
    model = HEADS["token"][0](still(max_position_embeddings=8))
    with pytest.raises(ValueError, match="12 tokens, but this model reads at most 8"):
        Steps(model, TrainingConfig(tmp_path, batch_tokens=64), HEADS["token"][1])


# ---------------------------------------------------------------- the kernel, without a GPU


@pytest.mark.parametrize("dropout_prob", [0.0, 0.1])
def test_the_kernels_call_is_right_in_form(dropout_prob):
    # The meta device checks the arguments and gives the shapes; a GPU gives the numbers.
    query, key, value = torch.empty(3, 20, 2, 8, dtype=torch.bfloat16, device="meta").unbind(0)
    rows = PackedRows(torch.empty(4, dtype=torch.int32, device="meta"), 12)
    assert has_packed_kernel(query)
    mixed = flash_attention(query, key, value, rows, dropout_prob, True)
    assert mixed.shape == (20, 2, 8)


def test_the_kernel_is_not_asked_for_what_it_cannot():
    assert not has_packed_kernel(torch.empty(1, dtype=torch.bfloat16))  # on a CPU
    assert not has_packed_kernel(torch.empty(1, device="meta"))  # in float32


@pytest.mark.gpu
@pytest.mark.parametrize("causal", [False, True])
def test_the_kernel_computes_what_the_explicit_attention_does(causal):
    torch.manual_seed(0)
    sizes = [5, 17, 0, 40]
    query, key, value = torch.randn(3, 62, 2, 32, dtype=torch.bfloat16, device="cuda").unbind(0)
    starts = torch.tensor([0, *sizes], device="cuda").cumsum(0).int()
    found = flash_attention(query, key, value, PackedRows(starts, 40), 0.0, causal)
    for start, size in zip(starts.tolist(), sizes, strict=False):
        row = slice(start, start + size)
        parts = [part[row].transpose(0, 1)[None].float() for part in (query, key, value)]
        mask = causal_mask(size, device=query.device) if causal else None
        expected = attention(*parts, mask)[0][0].transpose(0, 1)
        torch.testing.assert_close(found[row].float(), expected, rtol=2e-2, atol=2e-2)


def test_a_step_on_a_gpu_takes_the_kernel_in_every_layer(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "minibert.model.attention.flash_attention",
        lambda *args: calls.append(1) or flash_attention(*args),
    )
    make, data = HEADS["pre-training"]
    batch = filled_up(pack(data.collate(np.arange(8), seeded(0)), True), SHAPE)
    moved = {k: v.to("meta") if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
    model = make(still()).to("meta", torch.bfloat16)
    model(**moved, label_count=8.0, loss_only=True).loss.backward()
    assert len(calls) == model.config.num_hidden_layers
    assert all(p.grad is not None for p in model.parameters())


# ---------------------------------------------------------------- batches to a budget

counts = st.lists(st.integers(1, 40), min_size=1, max_size=200).map(np.array)


@settings(deadline=None)
@given(counts, st.integers(40, 300), st.integers(0, 5))
def test_batches_keep_to_the_budget_and_to_every_example_once_an_epoch(counts, budget, seed):
    seen, stream = np.zeros(0, np.int64), packed_batches(counts, budget, seed)
    while len(seen) < 3 * len(counts):
        batch = next(stream)
        assert 0 < counts[batch].sum() <= budget
        seen = np.concatenate([seen, batch])
    for epoch in range(3):
        part = seen[epoch * len(counts) : (epoch + 1) * len(counts)]
        assert sorted(part) == list(range(len(counts)))


@settings(deadline=None)
@given(counts, st.integers(40, 300), st.integers(1, 6))
def test_every_part_of_a_batch_fits_into_the_shape(counts, budget, parts):
    budget *= parts
    shape = PackedShape.of(counts, budget, parts, 0.15)
    stream = packed_batches(counts, budget, 0)
    for _ in range(5):
        chosen = counts[next(stream)]
        slices = cut(chosen, parts)
        assert np.concatenate([chosen[part] for part in slices]).tolist() == chosen.tolist()
        for part in slices:
            assert chosen[part].sum() <= shape.tokens
            assert len(chosen[part]) + -(-shape.tokens // shape.longest) <= shape.rows


def test_a_budget_is_filled_to_the_last_few_tokens():
    counts = np.random.default_rng(0).integers(8, 65, 5000)
    stream = packed_batches(counts, 4096, 0)
    full = [counts[next(stream)].sum() / 4096 for _ in range(50)]
    assert np.mean(full) > 0.99


def test_a_text_longer_than_the_budget_is_refused_with_what_to_give():
    with pytest.raises(ValueError, match=r"90 tokens, but batch_tokens=64: .*batch_tokens=90"):
        PackedShape.of(np.array([3, 90]), 64, 1, 0.15)
    with pytest.raises(ValueError, match=r"shared by 4 parts: .*batch_tokens=360"):
        PackedShape.of(np.array([3, 90]), 128, 4, 0.15)


def test_batches_of_one_shape_have_one_shape():
    data = pretraining_data("mlm+nsp", documents=60)
    shape = PackedShape.of(data.token_counts, 200, 1, data.predicted_share)
    shapes = set()
    stream = packed_batches(data.token_counts, 200, 0)
    for step in range(20):
        indices = next(stream)
        draws = RowDraws((0, step), np.arange(len(indices)))
        made = filled_up(data.collate_packed(indices, draws), shape)
        longest = int(made["cu_seqlens"].diff().max())
        assert longest <= made.pop("max_seqlen")
        assert made["cu_seqlens"][-1] == shape.tokens
        places = made["masked_positions"]
        assert len(places.unique()) == len(places)
        shapes.add(tuple((name, value.shape) for name, value in sorted(made.items())))
    assert len(shapes) == 1


# ---------------------------------------------------------------- draws of a row


def with_single_sentences(objective):
    """Documents of one sentence, which have no second half, among the others."""
    made = corpus(60)
    starts = np.union1d(made.document_starts, made.sentence_starts[:40])
    divided = TokenCorpus(made.tokens, made.sentence_starts, starts)
    return PretrainingDataset(divided, TOKENIZER, LENGTH, objective)


def rows_of(batch):
    """Each row of a packed batch by itself."""
    bounds = batch["cu_seqlens"].tolist()
    rows = []
    for first, last in itertools.pairwise(bounds):
        names = ("input_ids", "labels", "token_type_ids")
        rows.append([batch[name][0, first:last].tolist() for name in names])
    for row, label in zip(rows, batch.get("next_sentence_label", []), strict=False):
        row.append(int(label))
    return rows


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_row_is_drawn_the_same_whatever_rows_it_is_drawn_with(objective):
    data = with_single_sentences(objective)
    indices = np.random.default_rng(0).permutation(len(data))[:60]
    assert (indices >= len(data.points)).sum() > 3
    whole = rows_of(data.collate_packed(indices, RowDraws((3, 7), np.arange(60))))
    for rows in (np.arange(10, 25), np.array([59]), np.arange(0, 60, 7)):
        part = rows_of(data.collate_packed(indices[rows], RowDraws((3, 7), rows)))
        assert part == [whole[row] for row in rows]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_batch_made_packed_is_the_padded_one_without_its_padding(objective, monkeypatch):
    # The same pairs are drawn, and nothing is masked: what is left is how rows are laid out.
    data = with_single_sentences(objective)
    indices = np.random.default_rng(0).permutation(len(data))[:30]
    drawn = data._draw(indices, np.random.default_rng(5))
    monkeypatch.setattr(data, "_draw", lambda *_: drawn)
    monkeypatch.setattr("minibert.pretraining.masking.SELECTED", 0.0)
    packed = data.collate_packed(indices, RowDraws((0, 0), np.arange(30)))
    expected = pack(data.collate(indices, seeded(0)), True)
    assert packed.keys() == expected.keys()
    for name, value in packed.items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(expected[name])), name


def test_packed_rows_are_masked_as_padded_ones_are():
    data = pretraining_data("mlm", documents=400)
    indices = np.arange(len(data))
    batch = data.collate_packed(indices, RowDraws((0, 0), indices))
    ids, labels = batch["input_ids"][0], batch["labels"][0]
    chosen = labels != -100
    assert torch.equal(chosen.nonzero().squeeze(1), batch["masked_positions"])
    ordinary = int((ids > 4).sum() + (ids == 4).sum())
    spread = 4 / np.sqrt(ordinary)
    assert abs(int(chosen.sum()) / ordinary - 0.15) < 0.36 * spread
    became, kept = (ids == 4)[chosen].float().mean(), (ids == labels)[chosen].float().mean()
    spread = 4 / np.sqrt(int(chosen.sum()))
    assert abs(became - 0.8) < 0.4 * spread
    assert abs(kept - 0.1) < 0.35 * spread


def test_draws_of_rows_are_uniform_and_do_not_repeat():
    rows = np.arange(2000)
    draws = RowDraws((0, 1), rows)
    places = np.repeat(rows, 50), np.tile(np.arange(50), 2000)
    first, second = (draws.uniform(*places).reshape(2000, 50) for _ in range(2))
    for values in (first, second):
        assert 0 <= values.min() <= values.max() < 1
        assert abs(values.mean() - 0.5) < 4 / np.sqrt(12 * values.size)
    branch = draws.of_rows(rows).uniform(*places).reshape(2000, 50)
    pairs = [(first, second), (first[1:], first[:-1]), (first[:, 1:], first[:, :-1])]
    for one, other in [*pairs, (branch, second)]:
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(one.size)
    other_step = RowDraws((0, 2), rows).uniform(*places)
    assert np.isin(other_step, first).mean() < 0.05
    picks = np.bincount(draws.integers(rows, 3, 7), minlength=7)
    assert picks[:3].sum() == 0
    assert (abs(picks[3:] - 500) < 4 * np.sqrt(2000 * 0.25 * 0.75)).all()


def test_the_longest_text_of_a_data_set_is_counted_with_its_special_tokens():
    for objective in OBJECTIVES:
        data = pretraining_data(objective)
        for index in range(0, len(data), 9):
            batch = data.collate(np.array([index]), seeded(0))
            assert batch["input_ids"].shape[1] <= data.token_counts[index] <= LENGTH
