"""Model folders in Hugging Face layout: `config.json` and `model.safetensors`, in and out.

On disk every tensor has the name that `transformers` gives it, so a folder saved here opens there
and the other way round. In memory the names are ours, and query, key and value are one matrix.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from minibert import names
from minibert.config import BertConfig

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
ADAPTER_CONFIG_FILE = "adapter_config.json"
ADAPTER_WEIGHTS_FILE = "adapter.safetensors"
FILES = ("*.json", "*.txt", "*.safetensors")  # all that is downloaded from a hub

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
            for part, piece in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                renamed[f"{prefix}encoder.layer.{layer}.attention.self.{part}.{kind}"] = piece
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
    for fused, pieces in parts.items():
        absent = [part for part in ("query", "key", "value") if part not in pieces]
        if absent:
            raise ValueError(f"the checkpoint lacks {', '.join(absent)} of {fused}")
        renamed[fused] = torch.cat([pieces[part] for part in ("query", "key", "value")])
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


def config_to_hugging_face(config: BertConfig, architecture: str) -> dict[str, Any]:
    """The contents of `config.json`, with the keys that `transformers` reads and our own."""
    values = config.to_dict()
    is_plain_bert = config.norm_position == "post" and config.position_embedding_type == "learned"
    values["architectures"] = [architecture]
    # transformers has no such model: with another model type it says so, instead of quietly
    # computing something else.
    values["model_type"] = "bert" if is_plain_bert else "minibert"
    values["hidden_act"] = {"gelu_tanh": "gelu_pytorch_tanh"}.get(
        config.hidden_act, config.hidden_act
    )
    del values["position_embedding_type"], values["norm_position"], values["is_causal"]
    del values["num_labels"]
    if not is_plain_bert:
        values["position_embedding_type"] = config.position_embedding_type
        values["norm_position"] = config.norm_position
    values["is_decoder"] = config.is_causal
    values["id2label"] = {str(index): label for index, label in enumerate(config.labels)}
    values["label2id"] = {label: index for index, label in enumerate(config.labels)}
    values["dtype"] = "float32"
    return values


def config_from_hugging_face(values: Mapping[str, Any]) -> BertConfig:
    """Read a `config.json`, ours or one of `transformers`; keys that BERT does not use are left.

    Raises:
        ValueError: for a model that is not a BERT, or for a variant that is not supported.
    """
    if values.get("model_type", "bert") not in ("bert", "minibert"):
        raise ValueError(f"this is a {values['model_type']} model, not a BERT")
    known = {name: values[name] for name in BertConfig.__dataclass_fields__ if name in values}
    known["is_causal"] = bool(values.get("is_decoder", False))
    known["hidden_act"] = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}.get(
        known.get("hidden_act", "gelu"), known.get("hidden_act", "gelu")
    )
    if known.get("position_embedding_type", "absolute") == "absolute":
        known["position_embedding_type"] = "learned"
    labels = values.get("id2label")
    if labels:
        known["num_labels"] = len(labels)
        names = {int(index): str(label) for index, label in labels.items()}
        unnamed = all(label == f"LABEL_{index}" for index, label in names.items())
        known["id2label"] = None if unnamed else names
    return BertConfig(**known)


def resolve(name_or_path: str | os.PathLike[str]) -> Path:
    """The folder of a model: see `minibert.names.resolve`."""
    return names.resolve(name_or_path, FILES)


def read_config(folder: Path) -> BertConfig:
    """The configuration in a model folder."""
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {CONFIG_FILE}: is it a model folder?")
    return config_from_hugging_face(read_json(path))


def read_json(path: Path) -> Any:
    """A JSON file's contents, or a ValueError that names the line."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from None


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model folder under our names, float32.

    Raises:
        FileNotFoundError: if there is no safetensors file; pickled weights are never opened,
            because opening them runs whatever code is inside.
    """
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{folder} has no {WEIGHTS_FILE} (pickled weights are not opened)")
    return from_hugging_face(load_tensors(path))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, float32."""
    try:
        return {name: tensor.float() for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or not a safetensors file ({error})") from None


def write_weights(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write tensors to a safetensors file: aside, synced, renamed."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(plain, aside, metadata={"format": "pt"})
    _put(aside, path)


def write_json(path: Path, values: Any) -> None:
    """Write JSON the same way, so that a reader never sees half a file."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    _put(aside, path)


def _put(aside: Path, path: Path) -> None:
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(aside, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_model(
    folder: Path,
    config: BertConfig,
    state: Mapping[str, Tensor],
    architecture: str,
    dtype: torch.dtype,
    overwrite: bool,
) -> None:
    """Write a model folder in Hugging Face layout.

    Args:
        folder: made if it is not there.
        architecture: the class that `transformers` should open it with.
        dtype: of the stored tensors; float16 halves the file.
        overwrite: replace what is already there.

    Raises:
        ValueError: if the folder already holds a model or an adapter and `overwrite` is off.
    """
    prepare(folder, overwrite)
    values = config_to_hugging_face(config, architecture)
    values["dtype"] = str(dtype).removeprefix("torch.")
    write_weights(
        folder / WEIGHTS_FILE,
        {name: tensor.to(dtype) for name, tensor in to_hugging_face(state).items()},
    )
    write_json(folder / CONFIG_FILE, values)
    # Left beside a whole model, an adapter would be read in its place.
    (folder / ADAPTER_CONFIG_FILE).unlink(missing_ok=True)
    (folder / ADAPTER_WEIGHTS_FILE).unlink(missing_ok=True)


def prepare(folder: Path, overwrite: bool) -> None:
    """Make a folder to write a model or an adapter into; refuse one that has either."""
    for name in (WEIGHTS_FILE, ADAPTER_CONFIG_FILE):
        if not overwrite and (folder / name).exists():
            raise ValueError(f"{folder} already holds a model ({name}): choose another folder")
    if folder.is_file():
        raise ValueError(f"{folder} is a file: choose a folder to write the model into")
    folder.mkdir(parents=True, exist_ok=True)


def fit(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    may_be_new: Iterable[str],
    may_be_cut: bool = False,
) -> dict[str, Tensor]:
    """The tensors of `found` that a model with the tensors `expected` takes.

    Args:
        expected: the model's own state.
        found: a checkpoint's tensors, of a bare encoder or of a model with any head. Heads that
            the model does not have are left.
        may_be_new: prefixes of tensors that start afresh where the checkpoint has none of them:
            heads.
        may_be_cut: the checkpoint may have more layers than the model, which was asked for.

    Returns:
        tensors under the model's names; those that start afresh are not among them.

    Raises:
        ValueError: naming what is missing, what has another shape, and what is there that this
            model would have to compute with and cannot.
    """
    has_prefix = any(name.startswith("bert.") for name in expected)
    found_prefix = any(name.startswith("bert.") for name in found)
    if has_prefix and not found_prefix:
        found = {f"bert.{name}": tensor for name, tensor in found.items()}
    elif found_prefix and not has_prefix:
        found = {name.removeprefix("bert."): tensor for name, tensor in found.items()}
    taken = {name: found[name] for name in expected if name in found}
    # Half a head is a damaged file, not a new head.
    new = tuple(
        prefix for prefix in may_be_new if not any(name.startswith(prefix) for name in taken)
    )
    missing = [name for name in expected if name not in found and not name.startswith(new)]
    problems = [
        f"{name} is {tuple(taken[name].shape)}, not {tuple(expected[name].shape)}"
        for name in taken
        if taken[name].shape != expected[name].shape
    ]
    if missing:
        problems.append(f"missing: {', '.join(missing)}")
    body = tuple(
        f"{prefix}{part}." for prefix in ("", "bert.") for part in ("embeddings", "encoder")
    )
    unknown = [name for name in found if name.startswith(body) and name not in expected]
    if unknown and not may_be_cut:
        problems.append(f"not in this model: {', '.join(unknown)}")
    if "mlm.dense.weight" in expected:
        problems += [
            f"{name} is not the {what}, and this model has no other"
            for name, what in (
                ("mlm.decoder.weight", "token matrix"),
                ("mlm.decoder.bias", "bias mlm.bias"),
            )
            if name in found
        ]
    if problems:
        raise ValueError(f"the checkpoint does not fit this model: {'; '.join(problems)}")
    return taken
