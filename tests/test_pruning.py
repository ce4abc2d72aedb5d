"""A model cut out of a larger one: nothing is lost where nothing is cut."""

import pytest
import torch
from torch.testing import assert_close

from minibert.model.bert import BertModel
from minibert.model.config import BertConfig
from minibert.model.heads import BertForMaskedLM, BertForPreTraining
from minibert.pretraining.pruning import prune, transfer_tokens
from minibert.tokenization.tokenizer import Tokenizer

CONFIG = BertConfig(
    vocab_size=60,
    hidden_size=32,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=16,
    initializer_range=0.2,
)
BATCH = {
    "input_ids": torch.randint(5, 60, (4, 9), generator=torch.Generator().manual_seed(0)),
    "attention_mask": torch.ones(4, 9, dtype=torch.long),
}


def made(kind, seed, **changes):
    torch.manual_seed(seed)
    model = kind(CONFIG.changed(**changes)).eval()
    for name, parameter in model.named_parameters():
        if name.endswith(("bias", "norm.weight")):  # nothing that is the same everywhere
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return model


def vectors(model):
    return getattr(model, "bert", model).embeddings.token.weight.detach().clone()


@pytest.mark.parametrize("norm_position", ["post", "pre"])
@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
@torch.no_grad()
def test_where_nothing_is_cut_the_outputs_are_the_same(norm_position, positions):
    changes = {"norm_position": norm_position, "position_embedding_type": positions}
    larger, target = made(BertModel, 1, **changes), made(BertModel, 2, **changes)
    prune(larger, target, vectors(larger), BATCH)
    expected, got = larger(**BATCH), target(**BATCH)
    assert torch.equal(got.last_hidden_state, expected.last_hidden_state)
    assert torch.equal(got.pooler_output, expected.pooler_output)


@torch.no_grad()
def test_a_masked_head_comes_along_but_for_the_bias_of_its_vocabulary():
    larger, target = made(BertForMaskedLM, 1), made(BertForPreTraining, 2)
    nsp = target.nsp.weight.clone()
    prune(larger, target, vectors(larger), BATCH)
    assert torch.equal(target.nsp.weight, nsp)  # the larger one had none
    target.mlm.bias.copy_(larger.mlm.bias)
    assert torch.equal(target(**BATCH).prediction_logits, larger(**BATCH).logits)


@torch.no_grad()
def test_what_does_nothing_is_what_is_cut():
    # Half of the neurons and of the heads are silent, half of the channels always zero: without
    # them the model computes the same.
    larger = made(BertModel, 1, norm_position="pre", hidden_size=32, num_hidden_layers=2)
    silent = torch.arange(32) % 2 == 1
    for name, parameter in larger.named_parameters():
        if "query_key_value" in name or ".up." in name or name.startswith("pooler"):
            continue
        if parameter.shape[0] == 32 and "final_norm" not in name and "_norm" not in name:
            parameter[silent] = 0  # no layer writes to the channel
        elif parameter.shape[-1] == 32:
            parameter[..., silent] = 0
    larger.embeddings.norm.weight[silent] = larger.embeddings.norm.bias[silent] = 0
    for layer in larger.encoder.layers:
        layer.attention.output.weight.view(32, 4, 8)[:, [0, 2]] = 0  # silent heads
        layer.feed_forward.down.weight[:, 10:42] = 0  # silent neurons
    kept = (~silent).nonzero().squeeze(1)
    smaller = made(
        BertModel,
        2,
        norm_position="pre",
        num_hidden_layers=2,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=32,
    )
    prune(larger, smaller, vectors(larger), BATCH)
    assert torch.equal(smaller.embeddings.token.weight, larger.embeddings.token.weight[:, kept])
    for small, large in zip(smaller.encoder.layers, larger.encoder.layers, strict=True):
        assert torch.equal(
            small.feed_forward.down.weight,
            large.feed_forward.down.weight[kept][:, [*range(10), *range(42, 64)]],
        )
        spoken = large.attention.output.weight.view(32, 4, 8)[:, [1, 3]].flatten(1)
        assert torch.equal(small.attention.output.weight, spoken[kept])
        query = large.attention.query_key_value.weight[:32].view(4, 8, 32)[[1, 3]].flatten(0, 1)
        assert torch.equal(small.attention.query_key_value.weight[:16], query[:, kept])


@torch.no_grad()
def test_layers_are_spread_over_the_depth_and_end_with_the_last():
    larger, target = made(BertModel, 1), made(BertModel, 2, num_hidden_layers=2)
    prune(larger, target, vectors(larger), BATCH)
    for mine, other in ((0, 0), (1, 2)):
        expected = larger.encoder.layers[other].state_dict()
        for name, tensor in target.encoder.layers[mine].state_dict().items():
            assert torch.equal(tensor, expected[name])


def test_the_larger_model_is_left_as_it_was():
    larger = made(BertModel, 1)
    before = {name: tensor.clone() for name, tensor in larger.state_dict().items()}
    prune(larger, made(BertModel, 2, intermediate_size=16), vectors(larger), BATCH)
    for name, tensor in larger.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(module._forward_hooks for module in larger.modules())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 4}, "num_hidden_layers 4 is larger than 3"),
        ({"intermediate_size": 65}, "intermediate_size 65 is larger than 64"),
        ({"max_position_embeddings": 17}, "max_position_embeddings 17 is larger than 16"),
        ({"num_attention_heads": 2}, "heads of 16 cannot be cut from heads of 8"),
        ({"norm_position": "pre"}, "norm_position 'pre' is not 'post'"),
        ({"position_embedding_type": "sinusoidal"}, "'sinusoidal' is not 'learned'"),
        ({"type_vocab_size": 1}, "type_vocab_size 1 is not 2"),
        ({"vocab_size": 59}, r"token_vectors are \(60, 32\), not \(59, 32\)"),
    ],
)
def test_what_cannot_be_cut_is_refused(changes, message):
    larger = made(BertModel, 1)
    with pytest.raises(ValueError, match=message):
        prune(larger, made(BertModel, 2, **changes), vectors(larger), BATCH)


SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def test_shared_entries_keep_their_vector_and_new_words_get_the_mean_of_their_pieces():
    old = Tokenizer.from_vocab([*SPECIAL, "river", "##side", "town", "##s"])
    new = Tokenizer.from_vocab([*SPECIAL, "towns", "riverside", "town", "河", "##s"])
    model = made(BertModel, 1, vocab_size=len(old))
    matrix = vectors(model)
    moved = transfer_tokens(model, old, new)
    place, source = new.vocab, old.vocab
    assert moved.shape == (len(new), 32)
    for token in [*SPECIAL, "town", "##s"]:
        assert torch.equal(moved[place[token]], matrix[source[token]])
    for word, pieces in (("towns", ["town", "##s"]), ("riverside", ["river", "##side"])):
        mean = matrix[[source[piece] for piece in pieces]].mean(dim=0)
        assert_close(moved[place[word]], mean)
    # Unknown to the old vocabulary: drawn, the same every time.
    assert moved[place["河"]].isfinite().all()
    assert moved[place["河"]].std() > 0
    assert torch.equal(moved, transfer_tokens(model, old, new))
