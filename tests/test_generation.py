"""Continuing a text: neither cache nor company changes it, a seed repeats everything."""

import pytest
import torch
from torch.testing import assert_close

import minibert
from minibert.model.config import BertConfig
from minibert.model.generation import filter_logits, generate
from minibert.model.heads import BertForCausalLM, BertForMaskedLM

VOCABULARY, LIMIT = 40, 32
CONFIG = BertConfig(
    vocab_size=VOCABULARY,
    hidden_size=32,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=LIMIT,
    initializer_range=0.4,
)
MODES = {
    "greedy": {},
    "temperature": {"temperature": 0.8},
    "hot": {"temperature": 3.0},
    "top-k": {"temperature": 1.0, "top_k": 5},
    "top-p": {"temperature": 1.0, "top_p": 0.7},
    "both": {"temperature": 1.5, "top_k": 12, "top_p": 0.9},
}
BY_MODE = pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())


def make(seed=0, kind=BertForCausalLM, **changes):
    torch.manual_seed(seed)
    model = kind(CONFIG.changed(**changes)).eval()
    # A random model with a tied output matrix says the same word for ever; strong positions make
    # it talk, and a mistake in them show.
    model.bert.embeddings.position.data *= 3
    return model


@pytest.fixture(scope="module")
def model():
    return make(3)


def seeded(seed=5):
    return torch.Generator().manual_seed(seed)


def prompts():
    """Three prompts of 6, 3 and 1 tokens, padded on the left, and their mask."""
    ids = torch.randint(5, VOCABULARY, (3, 6), generator=seeded(1))
    mask = torch.tensor([[1] * 6, [0] * 3 + [1] * 3, [0] * 5 + [1]])
    return ids.masked_fill(mask == 0, 0), mask


@BY_MODE
@pytest.mark.parametrize("norm_position", ["post", "pre"])
@pytest.mark.parametrize("eos_token_id", [None, 7])
def test_with_the_cache_and_without_the_same_tokens_come(mode, norm_position, eos_token_id):
    for seed in range(3):
        model = make(seed, norm_position=norm_position)
        ids, mask = prompts()
        with_cache, without = (
            generate(
                model,
                ids,
                20,
                eos_token_id,
                **mode,
                use_cache=use_cache,
                generator=seeded(seed),
                attention_mask=mask,
            )
            for use_cache in (True, False)
        )
        assert torch.equal(with_cache, without)


@pytest.mark.parametrize("use_cache", [True, False])
@pytest.mark.parametrize("eos_token_id", [None, 7])
def test_a_batch_is_its_prompts_one_at_a_time(use_cache, eos_token_id):
    for seed in range(4):
        model = make(seed)
        ids, mask = prompts()
        together = generate(model, ids, 15, eos_token_id, use_cache=use_cache, attention_mask=mask)
        for row, own in enumerate(mask.sum(dim=1).tolist()):
            alone = generate(model, ids[row : row + 1, -own:], 15, eos_token_id)[0, own:]
            assert together[row, 6 : 6 + len(alone)].tolist() == alone.tolist()
            assert (together[row, 6 + len(alone) :] == CONFIG.pad_token_id).all()


def test_greedy_is_the_loop_one_would_write(model):
    ids, _ = prompts()
    text = ids[:1]
    for _ in range(8):
        with torch.no_grad():
            text = torch.cat((text, model(text).logits[:, -1:].argmax(-1)), dim=1)
    assert torch.equal(generate(model, ids[:1], 8), text)
    assert len(set(text[0, 6:].tolist())) > 2  # so that there is something to get wrong


def test_greedy_is_what_transformers_writes(model, tmp_path):
    transformers = pytest.importorskip("transformers")
    model.save_pretrained(tmp_path / "m")
    theirs = transformers.BertLMHeadModel.from_pretrained(tmp_path / "m").eval()
    ids, mask = prompts()
    expected = theirs.generate(
        ids, attention_mask=mask, max_new_tokens=15, do_sample=False, pad_token_id=0, use_cache=True
    )
    assert torch.equal(generate(model, ids, 15, attention_mask=mask), expected)


def test_a_seed_repeats_the_draw_and_another_does_not(model):
    ids, mask = prompts()

    def draw(seed):
        return generate(
            model, ids, 12, temperature=1.0, generator=seeded(seed), attention_mask=mask
        )

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


# ---------------------------------------------------------------- what may be drawn


def test_tokens_are_drawn_as_often_as_the_softmax_says(model):
    ids = prompts()[0][:1].expand(4_000, 6)
    for temperature in (0.7, 2.0):
        drawn = generate(model, ids, 1, temperature=temperature, generator=seeded())[:, -1]
        with torch.no_grad():
            expected = (model(ids[:1]).logits[0, -1] / temperature).softmax(-1)
        found = drawn.bincount(minlength=VOCABULARY) / len(drawn)
        assert (found - expected).abs().max() < 4.5 * 0.5 / 4_000**0.5


def test_top_k_draws_all_of_the_k_and_no_other(model):
    ids = prompts()[0][:1].expand(3000, 6)
    with torch.no_grad():
        best = model(ids[:1]).logits[0, -1].topk(4).indices
    drawn = generate(model, ids, 1, temperature=3.0, top_k=4, generator=seeded())[:, -1]
    assert set(drawn.tolist()) == set(best.tolist())


def test_one_candidate_is_greedy(model):
    ids, mask = prompts()
    greedy = generate(model, ids, 10, attention_mask=mask)
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}):
        drawn = generate(
            model, ids, 10, temperature=2.0, **narrow, generator=seeded(), attention_mask=mask
        )
        assert torch.equal(drawn, greedy)


def test_exactly_k_stay_even_where_they_tie():
    logits = torch.tensor([[1.0, 3.0, 3.0, 3.0, 0.0]])
    kept = filter_logits(logits, top_k=2).isfinite()
    assert kept.tolist() == [[False, True, True, False, False]]
    assert filter_logits(logits, top_k=99).equal(logits)


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.4, 1), (0.5, 1), (0.51, 2), (0.79, 2), (0.9, 3), (1.0, 4)]
)
def test_the_nucleus_is_the_fewest_that_have_enough(top_p, kept):
    # The token that passes the threshold belongs to it: with 0.51 the second is needed, too.
    probability = torch.tensor([[0.05, 0.5, 0.15, 0.3]], dtype=torch.float64)
    result = filter_logits(probability.log(), top_p=top_p)
    expected = torch.isin(torch.arange(4), torch.tensor([1, 3, 2, 0][:kept]))
    assert result.isfinite()[0].tolist() == expected.tolist()
    assert_close(result[result.isfinite()], probability.log()[0, expected])


def test_the_nucleus_is_taken_of_what_top_k_left():
    probability = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    # Of the first two, renormalised, the first has 0.57.
    assert filter_logits(probability.log(), top_k=2, top_p=0.5).isfinite().sum() == 1
    assert filter_logits(probability.log(), top_p=0.5).isfinite().sum() == 2


# ---------------------------------------------------------------- the end


def test_a_row_stops_at_its_end_token_and_is_filled_with_padding(model):
    ids, mask = prompts()
    free = generate(model, ids, 15, attention_mask=mask)[:, 6:]
    end = int(free[1, 4])  # some token that row 1 writes
    ended = generate(model, ids, 15, eos_token_id=end, attention_mask=mask)[:, 6:]
    for row, line in enumerate(free.tolist()):
        own = line.index(end) + 1 if end in line else len(line)
        assert ended[row, :own].tolist() == line[:own]
        assert (ended[row, own:] == CONFIG.pad_token_id).all()
    assert end in ended[1].tolist()


def test_where_every_row_has_ended_it_stops(model):
    ids = prompts()[0][:1]
    first = int(generate(model, ids, 1)[0, -1])
    assert generate(model, ids, 20, eos_token_id=first).shape == (1, 7)


def test_an_end_token_in_the_prompt_ends_nothing(model):
    ids = prompts()[0][:1]
    free = generate(model, ids, 6)
    unused = next(token for token in ids[0].tolist() if token not in free[0, 6:].tolist())
    assert torch.equal(generate(model, ids, 6, eos_token_id=unused), free)


@pytest.mark.parametrize("count", [1, 2, LIMIT - 6])
def test_as_many_tokens_as_asked_for_up_to_the_last_position(model, count):
    assert generate(model, prompts()[0], count).shape == (3, 6 + count)


def test_padding_takes_no_position(model):
    # Two real tokens behind ten padded slots leave thirty.
    ids = torch.tensor([[0] * 10 + [8, 9]])
    written = generate(model, ids, 30, attention_mask=(ids > 0).long())
    assert torch.equal(written[:, 10:], generate(model, ids[:, 10:], 30))


def test_the_mode_of_the_model_and_its_gradients_are_left_alone(model):
    model.train()
    try:
        written = generate(model, prompts()[0], 4)
        assert model.training
    finally:
        model.eval()
    assert torch.equal(written, generate(model, prompts()[0], 4))  # without dropout
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(ValueError, match="at least 1"):
        generate(model.train(), prompts()[0], 0)
    assert model.training
    model.eval()


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_new_tokens": LIMIT - 5}, "6 tokens and 27 new ones, .* at most 32: .* at most 26"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, not 0"),
        ({"temperature": -1.0}, "temperature must be 0"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"top_p": 1.1}, "at most 1, not 1.1"),
        ({"input_ids": torch.zeros(1, 0, dtype=torch.long)}, "T at least 1"),
        ({"input_ids": torch.tensor([5, 6])}, r"must be \(B, T\)"),
        ({"attention_mask": torch.ones(3, 5)}, r"is \(3, 5\), input_ids are \(3, 6\)"),
        ({"attention_mask": torch.tensor([[1] * 5 + [0]] * 3)}, "padded on the left"),
        ({"attention_mask": torch.tensor([[1, 0, 1, 1, 1, 1]] * 3)}, "padded on the left"),
        ({"attention_mask": torch.zeros(3, 6)}, "none may be empty"),
    ],
)
def test_what_cannot_be_written_is_refused(model, change, message):
    with pytest.raises(ValueError, match=message):
        generate(model, **{"input_ids": prompts()[0], "max_new_tokens": 3, **change})


def test_a_model_that_sees_the_future_cannot_write():
    with pytest.raises(ValueError, match="only a causal model can continue"):
        generate(make(kind=BertForMaskedLM), prompts()[0], 3)


def test_the_package_exports_what_the_course_uses():
    assert minibert.generate is generate
    assert callable(minibert.load_dataset)
    assert set(minibert.__all__) <= set(dir(minibert))


def test_only_what_is_drawn_from_is_computed(monkeypatch):
    model, seen = make(), []
    score = type(model.mlm).forward
    monkeypatch.setattr(
        type(model.mlm), "forward", lambda *a: seen.append(tuple(a[1].shape)) or score(*a)
    )
    generate(model, torch.randint(5, VOCABULARY, (2, 7)), 3)
    assert seen == [(2, model.config.hidden_size)] * 3
