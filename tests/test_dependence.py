"""Influence, interaction, and the longest chain of operations."""

import pytest
import torch
from torch import nn

from minibert import BertModel
from minibert.course.analysis.dependence import influence, interaction, longest_chain
from tests import tiny

IDS, OTHER = torch.tensor([2, 9, 10, 11, 12, 3]), 30


def reader(**changes):
    torch.manual_seed(0)
    model = BertModel(tiny.config(**changes)).eval()
    return lambda ids: model(ids).last_hidden_state[0]


def test_a_full_model_moves_everywhere_and_a_causal_one_never_before_the_change():
    both = influence(reader(), IDS, OTHER)
    assert (both > 0).all()
    causal = influence(reader(is_causal=True), IDS, OTHER)
    assert (causal.triu(1) == 0).all()
    assert (causal.tril()[torch.ones(6, 6).tril().bool()] > 0).all()


def test_left_and_right_interact_in_a_full_model_and_in_no_pair_of_one_way_models():
    one_way = reader(is_causal=True)

    def pair(ids):
        return torch.cat((one_way(ids), one_way(ids.flip(1)).flip(0)), dim=-1)

    assert (interaction(pair, IDS, 2, OTHER) == 0).all()
    together = interaction(reader(), IDS, 2, OTHER)
    assert together.shape == (2, 3)
    assert (together > 1e-4).all()


def test_the_chain_of_a_sum_is_short_and_that_of_a_loop_as_long_as_the_loop():
    x = torch.ones(3, requires_grad=True)
    assert longest_chain((x * 2).sum()) == 3  # the leaf, the product, the sum
    state = x
    for _ in range(5000):
        state = state.tanh()
    assert longest_chain(state) == 5001


def test_a_recurrent_cell_waits_for_every_step_and_the_encoder_does_not():
    cell = nn.LSTMCell(4, 4)

    def chain(length):
        hidden = cell(torch.zeros(1, 4))
        for _ in range(length - 1):
            hidden = cell(torch.zeros(1, 4), hidden)
        return longest_chain(hidden[0])

    assert chain(20) - chain(10) == 10 * (chain(3) - chain(2))
    model = BertModel(tiny.config())
    chains = {n: longest_chain(model(torch.ones(1, n).long()).last_hidden_state) for n in (4, 40)}
    assert chains[4] == chains[40]


def test_a_tensor_without_a_record_says_so():
    with pytest.raises(ValueError, match="nothing was recorded"):
        longest_chain(torch.ones(2))
