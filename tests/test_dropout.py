"""Dropout: the right share, the right scale, the same for the same seed."""

import math

import pytest
import torch

from minibert.model.dropout import Dropout, dropout


@pytest.mark.parametrize("probability", [0.1, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_share_of_zeros_lies_inside_a_binomial_interval(probability, dtype):
    torch.manual_seed(0)
    n = 400_001  # not a multiple of four: the last draw is used in part
    zeros = int((dropout(torch.ones(n, dtype=dtype), probability) == 0).sum())
    assert abs(zeros - n * probability) < 4 * math.sqrt(n * probability * (1 - probability))


def test_neighbours_are_dropped_independently():
    # Four elements share one draw: their bits must not.
    torch.manual_seed(0)
    gone = (dropout(torch.ones(100_000, 4), 0.5) == 0).float()
    correlations = torch.corrcoef(gone.T)[~torch.eye(4, dtype=torch.bool)]
    assert correlations.abs().max() < 0.02


def test_what_stays_is_scaled_so_that_the_mean_stays():
    torch.manual_seed(0)
    kept = dropout(torch.ones(1000), 0.1)
    assert kept.unique().tolist() == [0.0, pytest.approx(1 / 0.9, rel=1e-4)]


def test_the_gradient_passes_where_the_value_did():
    torch.manual_seed(0)
    x = torch.ones(64, requires_grad=True)
    y = dropout(x, 0.3)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_the_same_seed_drops_the_same_and_evaluation_drops_nothing():
    module, x = Dropout(0.1), torch.randn(3, 5, 7)
    torch.manual_seed(7)
    first = module(x)
    torch.manual_seed(7)
    assert torch.equal(module(x), first)
    assert not torch.equal(module(x), first)
    assert module.eval()(x) is x
