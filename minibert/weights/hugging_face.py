"""Names and settings as `transformers` has them, both ways.

On disk every tensor has the name that `transformers` gives it. In memory the names are ours, and
query, key and value are one matrix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

import torch
from torch import Tensor

from minibert.weights.typed_json import Within

# Ours -> Hugging Face's, on names without the leading "bert.".
_RENAMED = [
    (r"^embeddings\.token\.", "embeddings.word_embeddings."),
    (r"^embeddings\.segment\.", "embeddings.token_type_embeddings."),
    (r"^embeddings\.position$", "embeddings.position_embeddings.weight"),
    (r"^embeddings\.norm\.", "embeddings.LayerNorm."),
    (r"^encoder\.layers\.(\d+)\.attention_norm\.", r"encoder.layer.\1.attention.output.LayerNorm."),
    (r"^encoder\.layers\.(\d+)\.attention\.output\.", r"encoder.layer.\1.attention.output.dense."),
    (r"^encoder\.layers\.(\d+)\.feed_forward\.up\.", r"encoder.layer.\1.intermediate.dense."),
    (r"^encoder\.layers\.(\d+)\.feed_forward\.down\.", r"encoder.layer.\1.output.dense."),
    (r"^encoder\.layers\.(\d+)\.feed_forward_norm\.", r"encoder.layer.\1.output.LayerNorm."),
    (r"^pooler\.", "pooler.dense."),
    (r"^mlm\.dense\.", "cls.predictions.transform.dense."),
    (r"^mlm\.norm\.", "cls.predictions.transform.LayerNorm."),
    (r"^mlm\.bias$", "cls.predictions.bias"),
    (r"^nsp\.", "cls.seq_relationship."),
]
_RENAMED_BACK = [
    (r"^embeddings\.word_embeddings\.", "embeddings.token."),
    (r"^embeddings\.token_type_embeddings\.", "embeddings.segment."),
    (r"^embeddings\.position_embeddings\.weight$", "embeddings.position"),
    (r"^embeddings\.LayerNorm\.", "embeddings.norm."),
    (
        r"^encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\.",
        r"encoder.layers.\1.attention_norm.",
    ),
    (r"^encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"encoder.layers.\1.attention.output."),
    (r"^encoder\.layer\.(\d+)\.intermediate\.dense\.", r"encoder.layers.\1.feed_forward.up."),
    (r"^encoder\.layer\.(\d+)\.output\.dense\.", r"encoder.layers.\1.feed_forward.down."),
    (r"^encoder\.layer\.(\d+)\.output\.LayerNorm\.", r"encoder.layers.\1.feed_forward_norm."),
    (r"^encoder\.layer\.(\d+)\.", r"encoder.layers.\1."),
    (r"^pooler\.dense\.", "pooler."),
    (r"^cls\.predictions\.transform\.dense\.", "mlm.dense."),
    (r"^cls\.predictions\.transform\.LayerNorm\.", "mlm.norm."),
    (r"^cls\.predictions\.bias$", "mlm.bias"),
    (r"^cls\.predictions\.decoder\.", "mlm.decoder."),  # second copies: see `_drop_copies`
    (r"^cls\.seq_relationship\.", "nsp."),
]
_FUSED = re.compile(r"^encoder\.layers\.(\d+)\.attention\.query_key_value\.(weight|bias)$")
_SPLIT = re.compile(r"^encoder\.layers\.(\d+)\.attention\.self\.(query|key|value)\.(weight|bias)$")
# Buffers that older versions of transformers saved.
_BUFFER = re.compile(r"^embeddings\.(position_ids|token_type_ids)$")


class ConfigFile(TypedDict, total=False):
    """What is read of a `config.json`: types and limits, which no BERT comes near.

    A slip in a file must not ask for all of a machine's memory; the tensors' shapes are compared
    with the numbers afterwards (`minibert.weights.folder.fit`).
    """

    model_type: str
    architectures: list[Annotated[str, Within(1, 200)]] | None
    vocab_size: Annotated[int, Within(1, 2**24)]
    hidden_size: Annotated[int, Within(1, 2**16)]
    num_hidden_layers: Annotated[int, Within(1, 128)]
    num_attention_heads: Annotated[int, Within(1, 2**12)]
    intermediate_size: Annotated[int, Within(1, 2**18)]
    hidden_act: str
    hidden_dropout_prob: float
    attention_probs_dropout_prob: float
    max_position_embeddings: Annotated[int, Within(1, 2**17)]
    type_vocab_size: Annotated[int, Within(1, 2**10)]
    initializer_range: Annotated[float, Within(1e-9, 100)]
    layer_norm_eps: Annotated[float, Within(0, 1)]
    pad_token_id: int
    is_decoder: bool
    norm_position: str
    position_embedding_type: str
    num_labels: Annotated[int, Within(1, 2**16)]
    id2label: Annotated[dict[int, str], Within(0, 2**16)] | None
    problem_type: str | None


_ACTIVATIONS = {"gelu_tanh": "gelu_pytorch_tanh"}
# The fields of `BertConfig` that are read under their own names.
_FIELDS = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "hidden_dropout_prob", "attention_probs_dropout_prob"),
    *("max_position_embeddings", "type_vocab_size", "initializer_range", "layer_norm_eps"),
    *("pad_token_id", "norm_position", "position_embedding_type", "num_labels", "problem_type"),
)


def _rename(name: str, rules: list[tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        renamed = re.sub(pattern, replacement, name)
        if renamed != name:
            return renamed
    return name


def to_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors under Hugging Face's names; the fused projection is cut in three."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        prefix, bare = ("bert.", name[5:]) if name.startswith("bert.") else ("", name)
        if match := _FUSED.match(bare):
            layer, kind = match.groups()
            for part, third in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                renamed[f"{prefix}encoder.layer.{layer}.attention.self.{part}.{kind}"] = third
        else:
            renamed[prefix + _rename(bare, _RENAMED)] = tensor
    return renamed


def from_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `to_hugging_face`; also takes the `gamma` and `beta` of older files."""
    renamed: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        prefix, bare = ("bert.", name[5:]) if name.startswith("bert.") else ("", name)
        if _BUFFER.match(bare):
            continue
        bare = re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", bare))
        bare = _rename(bare, _RENAMED_BACK)
        if match := _SPLIT.match(bare):
            layer, part, kind = match.groups()
            fused = f"{prefix}encoder.layers.{layer}.attention.query_key_value.{kind}"
            parts.setdefault(fused, {})[part] = tensor
        else:
            renamed[prefix + bare] = tensor
    for fused, thirds in parts.items():
        absent = [part for part in ("query", "key", "value") if part not in thirds]
        if absent:
            raise ValueError(f"the checkpoint lacks {', '.join(absent)} of {fused}")
        renamed[fused] = torch.cat([thirds[part] for part in ("query", "key", "value")])
    return _drop_copies(renamed)


def _drop_copies(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without the second copies of tied tensors; one that differs stays, and `fit` refuses it."""
    if "mlm.decoder.bias" in state:
        state.setdefault("mlm.bias", state["mlm.decoder.bias"])
    for copy, original in (
        ("mlm.decoder.weight", "bert.embeddings.token.weight"),
        ("mlm.decoder.bias", "mlm.bias"),
    ):
        if copy in state and original in state and torch.equal(state[copy], state[original]):
            del state[copy]
    return state


def config_to_hugging_face(config: Mapping[str, Any], architecture: str) -> dict[str, Any]:
    """The contents of `config.json`, with the keys that `transformers` reads and our own.

    Args:
        config: the fields of `BertConfig`.
        architecture: the class of `transformers` that opens the folder.
    """
    values = dict(config)
    own = {name: values.pop(name) for name in ("norm_position", "position_embedding_type")}
    values["architectures"] = [architecture]
    # transformers has no such model: with another model type it says so, instead of quietly
    # computing something else.
    is_plain_bert = own == {"norm_position": "post", "position_embedding_type": "learned"}
    values["model_type"] = "bert" if is_plain_bert else "minibert"
    if not is_plain_bert:
        values |= own
    values["hidden_act"] = _ACTIVATIONS.get(values["hidden_act"], values["hidden_act"])
    values["is_decoder"] = values.pop("is_causal")
    names = values.pop("id2label") or {i: f"LABEL_{i}" for i in range(values["num_labels"])}
    del values["num_labels"]  # told by the names
    values["id2label"] = {str(index): names[index] for index in sorted(names)}
    values["label2id"] = {names[index]: index for index in sorted(names)}
    values["dtype"] = "float32"
    return values


def check_model_type(values: Mapping[str, Any]) -> None:
    """Refuse the `config.json` of a model that is not a BERT."""
    if values.get("model_type", "bert") not in ("bert", "minibert"):
        raise ValueError(f"model_type: this is a {values['model_type']} model, not a BERT")


def config_from_hugging_face(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `BertConfig` in a `config.json`, ours or one of `transformers`.

    Keys that BERT does not use are left out.

    Raises:
        ValueError: for a model that is not a BERT.
    """
    check_model_type(values)
    known = {name: values[name] for name in _FIELDS if name in values}
    known["is_causal"] = bool(values.get("is_decoder", False))
    activation = values.get("hidden_act", "gelu")
    known["hidden_act"] = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}.get(
        activation, activation
    )
    if values.get("position_embedding_type", "absolute") == "absolute":
        known["position_embedding_type"] = "learned"
    labels = values.get("id2label")
    if labels:
        known["num_labels"] = len(labels)
        names = {int(index): str(label) for index, label in labels.items()}
        unnamed = all(label == f"LABEL_{index}" for index, label in names.items())
        known["id2label"] = None if unnamed else names
    return known
