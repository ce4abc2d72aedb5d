"""Who may look at whom, and what an encoder makes of it."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from minibert.model.attention import (
    KeyValueCache,
    SelfAttention,
    attention,
    causal_mask,
    combined_mask,
    padding_mask,
)
from minibert.model.bert import BertModel
from minibert.model.config import BertConfig
from minibert.model.embeddings import sinusoidal_positions
from minibert.model.encoder import ACTIVATIONS, EncoderLayer, gelu, gelu_tanh
from minibert.model.heads import BertForPreTraining

SIZE, HEADS, LENGTH = 32, 4, 9
CONFIG = BertConfig(
    vocab_size=50,
    hidden_size=SIZE,
    num_hidden_layers=3,
    num_attention_heads=HEADS,
    intermediate_size=64,
    max_position_embeddings=24,
)


def changed(**changes):
    return CONFIG.changed(**changes)


def model(seed=0, **changes):
    """A model whose attention is not flat, as it would be at initialisation."""
    torch.manual_seed(seed)
    made = BertModel(changed(initializer_range=0.3, **changes))
    return made.eval()


def ids(rows=2, length=LENGTH, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(5, CONFIG.vocab_size, (rows, length), generator=generator)


BY_NORM = pytest.mark.parametrize("norm_position", ["post", "pre"])
BY_POSITIONS = pytest.mark.parametrize("positions", ["learned", "sinusoidal"])

# ---------------------------------------------------------------- masks

MASKS = {
    "none": None,
    "right": [[1] * LENGTH, [1] * 5 + [0] * 4],
    "left": [[1] * LENGTH, [0] * 4 + [1] * 5],
    "holes": [[1, 0] * 4 + [1], [0, 0, 1] * 3],
}
BY_MASK = pytest.mark.parametrize("padding", MASKS.values(), ids=MASKS.keys())
BY_DIRECTION = pytest.mark.parametrize("is_causal", [False, True], ids=["full", "causal"])


@BY_MASK
@BY_DIRECTION
@pytest.mark.parametrize("past", [0, 3])
def test_the_combined_mask_is_what_a_loop_over_all_pairs_says(padding, is_causal, past):
    length = LENGTH - past
    mask = combined_mask(torch.tensor(padding) if padding else None, length, is_causal)
    if not padding and past:
        return  # without a padding mask nothing says how long the past is
    for row, real in enumerate(padding or [[1] * LENGTH]):
        for asks in range(length):
            seen = [
                bool(real[answers]) and (not is_causal or answers <= past + asks)
                for answers in range(LENGTH)
            ]
            if is_causal and not any(seen):
                seen[past + asks] = True  # else its softmax would be over nothing
            if mask is None:
                assert all(seen)
            else:
                full = mask.expand(len(padding or [0]), 1, length, LENGTH)
                assert full[row, 0, asks].tolist() == seen


def test_the_causal_mask_counts_the_past():
    assert causal_mask(2, past=1).tolist() == [[True, True, False], [True, True, True]]


def test_the_padding_mask_is_one_row_for_everybody():
    mask = padding_mask(torch.tensor([[1, 0], [1, 1]]))
    assert mask.tolist() == [[[[True, False]]], [[[True, True]]]]


# ---------------------------------------------------------------- attention


def brute_force(query, key, value, mask):
    """Softmax and average by loops over batch, heads and positions, in plain Python numbers."""
    weights = torch.zeros(2, HEADS, LENGTH, LENGTH)
    mixed = torch.zeros_like(query)
    allowed = torch.ones(2, HEADS, LENGTH, LENGTH) if mask is None else mask.expand_as(weights)
    for b, h, t in torch.cartesian_prod(*map(torch.arange, query.shape[:3])).tolist():
        asks = query[b, h, t].tolist()
        scores = {}
        for s in range(LENGTH):
            if allowed[b, h, t, s]:
                product = sum(q * k for q, k in zip(asks, key[b, h, s].tolist(), strict=True))
                scores[s] = math.exp(product / math.sqrt(len(asks)))
        for s, score in scores.items():
            weights[b, h, t, s] = score / sum(scores.values())
            mixed[b, h, t] += weights[b, h, t, s] * value[b, h, s]
    return mixed, weights


@BY_MASK
@BY_DIRECTION
def test_written_out_fused_and_brute_force_agree(padding, is_causal):
    torch.manual_seed(2)
    query, key, value = torch.randn(3, 2, HEADS, LENGTH, SIZE // HEADS)
    mask = combined_mask(torch.tensor(padding) if padding else None, LENGTH, is_causal)
    mixed, weights = attention(query, key, value, mask)
    fused = F.scaled_dot_product_attention(query, key, value, mask)
    assert_close(mixed, fused, atol=1e-5, rtol=0)
    slow, slow_weights = brute_force(query, key, value, mask)
    assert_close(mixed, slow, atol=1e-5, rtol=0)
    assert_close(weights, slow_weights, atol=1e-5, rtol=0)
    assert_close(weights.sum(-1), torch.ones(2, HEADS, LENGTH))
    if mask is not None:
        assert (weights[~mask.expand_as(weights)] == 0).all()  # exactly, not nearly


@BY_MASK
@BY_DIRECTION
def test_both_roads_of_the_layer_agree_in_outputs_and_gradients(padding, is_causal):
    torch.manual_seed(3)
    layer = SelfAttention(CONFIG)
    hidden = torch.randn(2, LENGTH, SIZE)
    mask = combined_mask(torch.tensor(padding) if padding else None, LENGTH, is_causal)
    results = []
    for need_weights in (False, True):
        layer.eval().zero_grad()
        output, weights = layer(hidden, mask, need_weights)
        assert (weights is None) is not need_weights
        output.square().mean().backward()
        results.append((output.detach(), [p.grad.clone() for p in layer.parameters()]))
    (fast, fast_gradients), (slow, slow_gradients) = results
    assert_close(fast, slow, atol=1e-5, rtol=0)
    for one, other in zip(fast_gradients, slow_gradients, strict=True):
        assert_close(one, other, atol=1e-5, rtol=0)


def test_the_first_third_of_the_fused_projection_asks():
    # Query, key and value change places unnoticed where only shapes are looked at.
    torch.manual_seed(4)
    layer, hidden = SelfAttention(CONFIG).eval(), torch.randn(1, LENGTH, SIZE)
    weights, biases = layer.query_key_value.weight.chunk(3), layer.query_key_value.bias.chunk(3)
    query, key, value = (
        F.linear(hidden, weight, bias).view(1, LENGTH, HEADS, -1).transpose(1, 2)
        for weight, bias in zip(weights, biases, strict=True)
    )
    mixed, _ = attention(query, key, value)
    expected = layer.output(mixed.transpose(1, 2).flatten(2))
    assert_close(layer(hidden)[0], expected, atol=1e-6, rtol=0)


def test_the_cache_gives_the_same_as_reading_everything():
    causal = model(is_causal=True)
    text = ids()
    whole = causal(text).last_hidden_state
    cache = KeyValueCache()
    parts = [causal(part, cache=cache).last_hidden_state for part in text.split([4, 1, 4], dim=1)]
    assert len(cache) == LENGTH
    assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=0)


def test_a_full_model_takes_no_cache():
    with pytest.raises(ValueError, match="needs a causal model"):
        model()(ids(), cache=KeyValueCache())


# ---------------------------------------------------------------- perturbation


@torch.no_grad()
def read(made, text, mask=None):
    mask = torch.tensor(mask) if mask is not None else None
    return made(text, mask).last_hidden_state


def with_other_token(text, place):
    moved = text.clone()
    moved[:, place] = 5 + (moved[:, place] - 4) % 45  # another ordinary token
    assert (moved[:, place] != text[:, place]).all()
    return moved


@BY_NORM
@BY_POSITIONS
@pytest.mark.parametrize("place", [0, 4, LENGTH - 1])
def test_a_causal_model_does_not_look_ahead(norm_position, positions, place):
    causal = model(is_causal=True, norm_position=norm_position, position_embedding_type=positions)
    text = ids()
    moved = (read(causal, with_other_token(text, place)) - read(causal, text)).abs().amax(-1)
    assert (moved[:, :place] == 0).all()  # exactly
    assert (moved[:, place:] > 0).all()


@BY_NORM
@BY_POSITIONS
@pytest.mark.parametrize("place", [0, 4, LENGTH - 1])
def test_a_full_model_looks_everywhere(norm_position, positions, place):
    full = model(norm_position=norm_position, position_embedding_type=positions)
    text = ids()
    moved = (read(full, with_other_token(text, place)) - read(full, text)).abs().amax(-1)
    assert (moved > 0).all()


@BY_NORM
@BY_DIRECTION
@pytest.mark.parametrize("side", ["right", "left"])
def test_what_stands_in_a_padded_slot_moves_no_real_position(norm_position, is_causal, side):
    made = model(norm_position=norm_position, is_causal=is_causal)
    mask, text = MASKS[side], ids()
    padded = torch.tensor(mask) == 0
    other = torch.where(padded, ids(seed=7), text)
    assert not torch.equal(other, text)
    before, after = read(made, text, mask), read(made, other, mask)
    assert torch.equal(before[~padded], after[~padded])  # bit for bit
    assert before.isfinite().all()
    # The written-out road, too.
    maps = [made(t, torch.tensor(mask), output_attentions=True) for t in (text, other)]
    assert torch.equal(maps[0].last_hidden_state[~padded], maps[1].last_hidden_state[~padded])


@BY_NORM
@BY_DIRECTION
@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_changes_nothing(norm_position, is_causal, side):
    made = model(norm_position=norm_position, is_causal=is_causal)
    text = ids(rows=1, length=5)
    alone = read(made, text)
    zeros = torch.zeros(1, 4, dtype=torch.long)
    if side == "right":
        padded = read(made, torch.cat((text, zeros), 1), [[1] * 5 + [0] * 4])[:, :5]
    else:
        positions = torch.tensor([[0] * 4 + list(range(5))])
        mask = torch.tensor([[0] * 4 + [1] * 5])
        with torch.no_grad():
            output = made(torch.cat((zeros, text), 1), mask, position_ids=positions)
        padded = output.last_hidden_state[:, 4:]
    assert_close(padded, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_without_positions_a_shuffled_text_gives_shuffled_outputs(positions):
    made, text = model(position_embedding_type=positions), ids()
    order = torch.randperm(LENGTH, generator=torch.Generator().manual_seed(3))
    assert not torch.allclose(read(made, text)[:, order], read(made, text[:, order]), atol=1e-3)
    made.embeddings.position.data.zero_()
    assert_close(read(made, text)[:, order], read(made, text[:, order]), atol=1e-5, rtol=0)


# ---------------------------------------------------------------- the layers


def test_post_norm_and_pre_norm_are_the_formulas():
    for is_pre_norm, name in ((False, "post"), (True, "pre")):
        torch.manual_seed(5)
        layer = EncoderLayer(changed(norm_position=name)).eval()
        hidden = torch.randn(2, LENGTH, SIZE)

        def attend(x, layer=layer):
            return layer.attention(x)[0]

        if is_pre_norm:
            middle = hidden + attend(layer.attention_norm(hidden))
            expected = middle + layer.feed_forward(layer.feed_forward_norm(middle))
        else:
            middle = layer.attention_norm(hidden + attend(hidden))
            expected = layer.feed_forward_norm(middle + layer.feed_forward(middle))
        assert_close(layer(hidden)[0], expected, atol=1e-6, rtol=0)


def test_only_a_pre_norm_stack_ends_in_one_more_norm():
    text = ids()
    post, pre = model(), model(norm_position="pre")
    assert post.encoder.final_norm is None
    last = pre.encoder.final_norm
    last.bias.data.fill_(7.0)
    assert_close(read(pre, text).mean(-1), torch.full(text.shape, 7.0), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [2, 32, 384])
def test_sinusoidal_positions_are_the_formula(size):
    table = sinusoidal_positions(6000, size)
    for position in (0, 1, 2, 511, 5000, 5999):
        for i in range(size // 2):
            angle = position / 10000 ** (2 * i / size)
            assert table[position, 2 * i] == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[position, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-6)


def test_sinusoidal_positions_are_not_trained_and_not_saved():
    made = model(position_embedding_type="sinusoidal")
    assert "embeddings.position" not in made.state_dict()
    assert not any("position" in name for name, _ in made.named_parameters())


def test_the_written_formulas_are_what_the_layers_use():
    x = torch.linspace(-6, 6, 1001)
    assert_close(gelu(x), F.gelu(x), atol=1e-6, rtol=0)
    assert_close(gelu_tanh(x), F.gelu(x, approximate="tanh"), atol=1e-6, rtol=0)
    assert_close(ACTIVATIONS["gelu"](x), gelu(x), atol=1e-6, rtol=0)
    assert_close(ACTIVATIONS["gelu_tanh"](x), gelu_tanh(x), atol=1e-6, rtol=0)
    assert torch.equal(ACTIVATIONS["relu"](x), x.clamp(min=0))
    assert 1e-4 < (gelu(x) - gelu_tanh(x)).abs().max() < 5e-4  # two functions, not one


def test_token_position_and_segment_are_added_and_normalised():
    embeddings = model().embeddings
    text, segments = ids(), torch.ones(2, LENGTH, dtype=torch.long)
    total = embeddings.token.weight[text] + embeddings.position[:LENGTH]
    total = total + embeddings.segment.weight[1]
    assert_close(embeddings(text, segments), embeddings.norm(total), atol=1e-6, rtol=0)
    # Where no segments are given, all is segment A.
    assert torch.equal(embeddings(text), embeddings(text, torch.zeros_like(segments)))


@pytest.mark.parametrize(("cached", "length"), [(0, 25), (20, 5)])
def test_a_text_longer_than_the_positions_is_refused(cached, length):
    made, cache = model(is_causal=True), KeyValueCache()
    if cached:
        made(ids(length=cached), cache=cache)
    with pytest.raises(ValueError, match="25 tokens, but this model reads at most 24"):
        made(ids(length=length), cache=cache)


@BY_NORM
@pytest.mark.slow
def test_gradient_checkpointing_gives_the_same_gradients(norm_position):
    torch.manual_seed(6)
    made = BertModel(changed(norm_position=norm_position, hidden_dropout_prob=0.2)).train()
    gradients = []
    for is_on in (False, True):
        made.encoder.gradient_checkpointing = is_on
        made.zero_grad()
        torch.manual_seed(7)  # the same dropout
        made(ids(), torch.tensor(MASKS["right"])).last_hidden_state.square().mean().backward()
        gradients.append([parameter.grad.clone() for parameter in made.encoder.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert_close(one, other, atol=1e-7, rtol=1e-6)


def test_dropout_follows_the_seed_and_is_off_in_evaluation():
    made = BertModel(changed(hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2))

    def run(seed):
        torch.manual_seed(seed)
        return made(ids()).last_hidden_state

    made.train()
    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    made.eval()
    assert torch.equal(run(1), run(2))


def test_attention_dropout_falls_on_the_weights_and_keeps_their_mean():
    torch.manual_seed(8)
    query, key = torch.randn(2, 1, 1, 400, 8)
    ones = torch.ones(1, 1, 400, 8)
    mixed, weights = attention(query, key, ones, dropout_prob=0.3)
    assert_close(weights.sum(-1), torch.ones(1, 1, 400))  # what is returned is not dropped
    assert mixed.std() > 0.01
    assert mixed.mean().item() == pytest.approx(1, abs=0.02)


# ---------------------------------------------------------------- sizes and first values


@pytest.mark.parametrize(
    ("preset", "kind", "parameters"),
    [
        ("base", BertModel, 109_482_240),
        ("large", BertModel, 335_141_888),
        ("large", BertForPreTraining, 336_226_108),
    ],
)
def test_the_presets_have_as_many_parameters_as_the_published_models(preset, kind, parameters):
    with torch.device("meta"):
        made = kind(BertConfig.preset(preset))
    assert sum(parameter.numel() for parameter in made.parameters()) == parameters


@BY_NORM
def test_weights_start_normal_and_cut_at_two_deviations(norm_position):
    torch.manual_seed(9)
    made = BertForPreTraining(
        BertConfig.preset("mini", vocab_size=2000, norm_position=norm_position)
    )
    # The deviation of a normal distribution that is cut at two deviations, in deviations.
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    narrowed = math.sqrt(1 - 2 * 2 * density / math.erf(math.sqrt(2)))
    for name, parameter in made.named_parameters():
        if name.endswith("norm.weight"):
            assert (parameter == 1).all(), name
        elif name.endswith("bias"):
            assert (parameter == 0).all(), name
        else:
            assert parameter.abs().max() <= 2 * 0.02, name
            if parameter.numel() >= 10_000:
                assert parameter.std().item() == pytest.approx(0.02 * narrowed, rel=0.03), name
                assert abs(parameter.mean().item()) < 4 * 0.02 / math.sqrt(parameter.numel()), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_attention_heads": 5}, "32 cannot be divided among 5 heads"),
        ({"hidden_act": "swish"}, "hidden_act 'swish' is unknown: choose from gelu"),
        ({"hidden_dropout_prob": 1.0}, r"hidden_dropout_prob must be in \[0, 1\)"),
        ({"num_hidden_layers": 0}, "num_hidden_layers must be at least 1"),
        ({"pad_token_id": 50}, "pad_token_id 50 is outside the vocabulary"),
        ({"norm_position": "both"}, "norm_position 'both' is unknown"),
        ({"id2label": {0: "a"}}, r"id2label names \[0\], but num_labels is 2"),
        ({"layers": 3}, "unknown configuration keys: layers"),
        (
            {"position_embedding_type": "sinusoidal", "hidden_size": 33, "num_attention_heads": 3},
            "even hidden_size",
        ),
    ],
)
def test_a_shape_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        changed(**change)


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(ValueError, match="choose from tiny, mini, small, base, large"):
        BertConfig.preset("huge")
