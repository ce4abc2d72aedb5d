"""Which examples make a batch, and how a batch is cut into parts."""

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from trainings import pretraining_data, still, tasks

from minibert.training.batching import (
    derived_seed,
    epoch_batches,
    ordered_batches,
    seeded,
    split_batch,
)

lengths = st.lists(st.integers(1, 500), min_size=1, max_size=300).map(np.array)
batch_sizes = st.integers(1, 40)


@settings(deadline=None)
@given(lengths, batch_sizes, st.integers(0, 2**40), st.integers(0, 1000))
def test_an_epoch_holds_every_example_once(lengths, batch_size, seed, epoch):
    batches = epoch_batches(lengths, batch_size, seed, epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // batch_size)
    short = [len(batch) for batch in batches if len(batch) != batch_size]
    assert short in ([], [len(lengths) % batch_size])


@settings(deadline=None)
@given(lengths, batch_sizes, st.integers(0, 2**40), st.integers(0, 1000))
def test_the_same_seed_and_epoch_give_the_same_batches(lengths, batch_size, seed, epoch):
    first, second = (epoch_batches(lengths, batch_size, seed, epoch) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_epochs_and_seeds_give_other_batches():
    lengths = np.random.default_rng(0).integers(1, 100, 200)
    runs = [
        tuple(np.concatenate(epoch_batches(lengths, 8, seed, epoch)))
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]
    assert len(set(runs)) == 4


@settings(deadline=None)
@given(lengths, st.integers(1, 20), st.integers(0, 1000))
def test_batches_of_a_pool_do_not_overlap_in_length(lengths, batch_size, seed):
    # Up to 50 batches are sorted together: their ranges of length touch at most at the ends.
    lengths = lengths[: 50 * batch_size]
    batches = epoch_batches(lengths, batch_size, seed, 0)
    spans = sorted((lengths[batch].min(), lengths[batch].max()) for batch in batches)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_batches_do_not_come_in_the_order_of_length():
    lengths = np.arange(400)
    firsts = [lengths[batch].min() for batch in epoch_batches(lengths, 8, 0, 0)]
    assert firsts != sorted(firsts)
    assert firsts != sorted(firsts, reverse=True)


@settings(deadline=None)
@given(lengths, batch_sizes)
def test_evaluation_sees_every_example_once_the_longest_first(lengths, batch_size):
    order = np.concatenate(ordered_batches(lengths, batch_size))
    assert sorted(order) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) <= 0).all()


def test_draws_depend_on_all_numbers_and_on_their_order():
    seeds = {derived_seed(*numbers) for numbers in ((1, 2), (2, 1), (1,), (1, 0, 2), (2, 2))}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert torch.rand(3, generator=seeded(5, 6)).equal(torch.rand(3, generator=seeded(5, 6)))


# ---------------------------------------------------------------- parts of a batch

HEADS = tasks()


def _gradients(model, parts):
    model.zero_grad()
    total = 0.0
    for part, weight in parts:
        loss = model(**part).loss * weight
        loss.backward()
        total += float(loss.detach())
    return total, [p.grad.clone() for p in model.parameters() if p.grad is not None]


def _label_count(name, batch):
    if name not in ("pre-training", "masked", "causal", "token"):
        return None
    return int((batch["labels"] != -100).sum())


@pytest.mark.parametrize("parts", [2, 4, 8, 16])
@pytest.mark.parametrize("name", HEADS)
def test_parts_add_up_to_the_loss_and_the_gradient_of_the_whole(name, parts):
    # With 16 parts there are fewer rows than parts; the first rows have no labelled token.
    make, data = HEADS[name]
    torch.manual_seed(0)
    model = make(still(max_position_embeddings=32))
    batch = data.collate(np.arange(8), seeded(0))
    count = _label_count(name, batch)
    plain = model(**copy.copy(batch)).loss
    plain.backward()
    expected = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    loss, gradients = _gradients(model, split_batch(batch, parts, count))
    assert loss == pytest.approx(float(plain.detach()), rel=2e-6)
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_fewer_labels_than_parts_still_add_up():
    # A share of less than one label is a share, not one label.
    make, data = HEADS["token"]
    torch.manual_seed(0)
    model = make(still())
    batch = data.collate(np.arange(8), seeded(0))
    batch["labels"] = torch.full_like(batch["labels"], -100)
    batch["labels"][5, 1] = 1
    expected = float(model(**batch).loss.detach())
    loss, _ = _gradients(model, split_batch(batch, 4, 1))
    assert loss == pytest.approx(expected, rel=1e-6)


def test_a_batch_without_a_label_has_loss_zero_and_no_nan():
    make, data = HEADS["masked"]
    model = make(still())
    batch = data.collate(np.arange(8), seeded(0))
    batch["labels"] = torch.full_like(batch["labels"], -100)
    batch["masked_positions"] = torch.zeros(0, dtype=torch.int64)
    for parts in (1, 4):
        loss, gradients = _gradients(model, split_batch(batch, parts, 0))
        assert loss == 0
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_masked_positions_count_from_the_parts_own_first_row():
    data = pretraining_data()
    batch = data.collate(np.arange(8), seeded(0))
    for part, weight in split_batch(batch, 4, 10):
        flat = part["labels"].flatten()
        assert (flat[part["masked_positions"]] != -100).all()
        assert len(part["masked_positions"]) == int((flat != -100).sum())
        assert weight == 0.25
        assert float(part["label_count"]) == 2.5
