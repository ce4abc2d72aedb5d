"""A smaller BERT cut out of a larger one: a start for pre-training that already attends.

Structured pruning (Muralidharan et al. 2024, "Compact language models via pruning and knowledge
distillation"): keep the vocabulary entries, hidden channels, heads, feed-forward neurons and
layers that matter most on a little real text, and train on. A small post-norm BERT drawn at random
predicts for millions of tokens no more than the frequencies of words before its attention finds
anything to do; one cut from a trained model starts beyond that.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from minibert.model.bert import BertModel
from minibert.model.config import BertConfig
from minibert.model.pretrained import PretrainedModel
from minibert.tokenization.tokenizer import Tokenizer

# What may be smaller than in the model that is cut, and what has to be the same.
_CUT = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
)
_KEPT = ("type_vocab_size", "norm_position", "position_embedding_type", "hidden_act")


def transfer_tokens(model: BertModel, old: Tokenizer, new: Tokenizer) -> Tensor:
    """Token vectors for a new vocabulary, out of those of a trained model.

    An entry that the old vocabulary has keeps its vector; another one gets the mean of its old
    subword tokens (Gee et al. 2022, "Fast vocabulary transfer"); one that the old vocabulary does
    not know at all is drawn like the others, from a generator of its own.

    Returns:
        (new.vocab_size, model's hidden_size).
    """
    matrix = model.embeddings.token.weight.detach()
    known = old.vocab
    spread, centre = matrix.std(dim=0), matrix.mean(dim=0)
    drawn = torch.randn(new.vocab_size, len(centre), generator=torch.Generator().manual_seed(0))
    vectors = centre + spread * drawn
    tokens = new.convert_ids_to_tokens(list(range(new.vocab_size)))
    subwords = old.encode_batch(
        [token.removeprefix("##") for token in tokens], add_special_tokens=False
    )
    for index, (token, encoding) in enumerate(zip(tokens, subwords, strict=True)):
        if token in known:
            vectors[index] = matrix[known[token]]
        elif encoding.ids and old.unk_token_id not in encoding.ids:
            vectors[index] = matrix[encoding.ids].mean(dim=0)
    return vectors


def prune(
    model: PretrainedModel,
    target: PretrainedModel,
    token_vectors: Tensor,
    batch: dict[str, Tensor],
) -> None:
    """Fill a smaller model with what matters most of a larger one.

    Args:
        model: the larger one. A masked-LM head, if it has one, is cut down, too.
        target: changed in place; with heads of the same width. What the larger model lacks (the
            next sentence head, a pooler) is left as it is.
        token_vectors: (target's vocab_size, model's hidden_size), see `transfer_tokens`.
        batch: input_ids and attention_mask of some real text for the larger model: what matters
            is measured on it.

    Raises:
        ValueError: if a dimension of the target is larger than the model's, heads differ in width,
            or the architectures differ; or `token_vectors` does not have the shape said above.
    """
    _check(model.config, target.config, token_vectors)
    bert, smaller = model.base_model, target.base_model
    measured = _Measured(bert, batch)
    channels = _largest(measured.channels, target.config.hidden_size)
    state, cut = bert.state_dict(), {"embeddings.token.weight": token_vectors[:, channels]}
    for name in ("embeddings.segment.weight", "embeddings.position"):
        if name in state:  # sinusoidal positions are computed
            cut[name] = state[name][: target.config.max_position_embeddings, channels]
    for name in state:
        if name.startswith(("embeddings.norm.", "encoder.final_norm.")):
            cut[name] = state[name][channels]
    if "pooler.weight" in state:
        cut["pooler.weight"] = state["pooler.weight"][channels][:, channels]
        cut["pooler.bias"] = state["pooler.bias"][channels]
    # Evenly spread, the last one always among them.
    last, count = model.config.num_hidden_layers - 1, target.config.num_hidden_layers
    for place, source in enumerate(torch.linspace(0, last, count).round().long().tolist()):
        part = _cut_layer(state, source, measured, channels, target.config)
        cut |= {f"encoder.layers.{place}.{name}": tensor for name, tensor in part.items()}
    wanted = smaller.state_dict()
    smaller.load_state_dict({name: cut[name] for name in wanted if name in cut}, strict=False)
    head, smaller_head = getattr(model, "mlm", None), getattr(target, "mlm", None)
    if head is not None and smaller_head is not None:
        # Its bias belongs to the vocabulary, which may be another one.
        values = head.state_dict()
        smaller_head.dense.weight.data.copy_(values["dense.weight"][channels][:, channels])
        for name in ("dense.bias", "norm.weight", "norm.bias"):
            smaller_head.get_parameter(name).data.copy_(values[name][channels])


def _check(old: BertConfig, new: BertConfig, token_vectors: Tensor) -> None:
    for name in _CUT:
        if getattr(new, name) > getattr(old, name):
            raise ValueError(f"{name} {getattr(new, name)} is larger than {getattr(old, name)}")
    for name in _KEPT:
        if getattr(new, name) != getattr(old, name):
            raise ValueError(f"{name} {getattr(new, name)!r} is not {getattr(old, name)!r}")
    if token_vectors.shape != (new.vocab_size, old.hidden_size):
        raise ValueError(
            f"token_vectors are {tuple(token_vectors.shape)}, "
            f"not {(new.vocab_size, old.hidden_size)}"
        )
    if new.head_size != old.head_size:
        raise ValueError(f"heads of {new.head_size} cannot be cut from heads of {old.head_size}")


def _cut_layer(
    state: dict[str, Tensor], layer: int, measured: _Measured, channels: Tensor, new: BertConfig
) -> dict[str, Tensor]:
    """The tensors of one layer, cut down, under their names in it."""
    prefix = f"encoder.layers.{layer}."
    old_size = state[f"{prefix}attention.output.weight"].shape[1]
    heads = _largest(measured.heads[layer], new.num_attention_heads)
    within = (heads[:, None] * new.head_size + torch.arange(new.head_size)).flatten()
    fused = torch.cat([part * old_size + within for part in range(3)])
    neurons = _largest(measured.neurons[layer], new.intermediate_size)
    cut = {}
    # Of each map the output rows and the input columns.
    for name, rows, columns in (
        ("attention.query_key_value", fused, channels),
        ("attention.output", channels, within),
        ("feed_forward.up", neurons, channels),
        ("feed_forward.down", channels, neurons),
    ):
        cut[f"{name}.weight"] = state[f"{prefix}{name}.weight"][rows][:, columns]
        cut[f"{name}.bias"] = state[f"{prefix}{name}.bias"][rows]
    for name in ("attention_norm", "feed_forward_norm"):
        for kind in ("weight", "bias"):
            cut[f"{name}.{kind}"] = state[f"{prefix}{name}.{kind}"][channels]
    return cut


def _largest(importance: Tensor, count: int) -> Tensor:
    """Indices of the largest values, in their original order."""
    return importance.topk(count).indices.sort().values


class _Measured:
    """How much each channel, head and neuron does on a batch: its contribution's mean square."""

    def __init__(self, model: BertModel, batch: dict[str, Tensor]) -> None:
        size = model.config.head_size
        self.channels = torch.zeros(model.config.hidden_size)
        self.heads: list[Tensor] = []
        self.neurons: list[Tensor] = []

        # A hook that returned something would replace the module's output.
        def on_layer(module: nn.Module, inputs: Any, output: Any) -> None:
            self.channels += output[0].flatten(0, 1).var(dim=0)

        def on_attention(module: Any, inputs: Any, output: Any) -> None:
            parts = _contribution(inputs[0], module.weight)
            self.heads.append(parts.view(-1, size).sum(dim=1))

        def on_feed_forward(module: Any, inputs: Any, output: Any) -> None:
            self.neurons.append(_contribution(inputs[0], module.weight))

        handles = []
        layers: Any = model.encoder.layers
        for layer in layers:
            handles.append(layer.register_forward_hook(on_layer))
            handles.append(layer.attention.output.register_forward_hook(on_attention))
            handles.append(layer.feed_forward.down.register_forward_hook(on_feed_forward))
        with torch.no_grad():
            model(**batch)
        for handle in handles:
            handle.remove()


def _contribution(inputs: Tensor, weight: Tensor) -> Tensor:
    """Mean square of what each input (n,) adds through a (m, n) map: E[x^2] * |column|^2."""
    return inputs.flatten(0, -2).square().mean(dim=0) * weight.square().sum(dim=0)
