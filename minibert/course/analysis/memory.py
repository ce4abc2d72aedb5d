"""How much memory a training step takes, computed from the sizes alone (claim D7).

Four things fill it: the weights, a gradient for each, what the optimizer remembers of each, and
the activations, which the forward pass leaves for the backward pass. The first three depend on the
model alone, the last on batch and length too. `memory_counting` counts the same on a model that
really runs; `peak_memory` is held to what a GPU measured, `gpu_memory.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from minibert.model.config import BertConfig
from minibert.model.lora import add_adapter
from minibert.model.task_heads import BertForSequenceClassification
from minibert.training.config import PRECISIONS

GIB = 2**30  # a "12 GB" card has twelve of these
# What cuBLAS takes for itself on a GPU of Hopper's generation (its documentation, "Workspace").
_WORKSPACE = 32 * 2**20


class Memory(NamedTuple):
    """Bytes held during one training step, by what they are."""

    weights: int
    gradients: int
    optimizer: int  # AdamW: two running means of each gradient
    activations: int
    casts: int  # with bf16: the matrices once more, in 16 bits
    workspace: int = 0  # of the GPU's matrix products

    @property
    def total(self) -> int:
        """The sum: of all parts more than is held at any one moment, see `peak_memory`."""
        return sum(self)

    def gib(self) -> dict[str, float]:
        """Every part in GiB, for `plots.stacked_bars`."""
        told = ("weights", "gradients", "optimizer state", "activations")
        names = (*told, "16-bit copies", "work space")
        return {name: size / GIB for name, size in zip(names, self, strict=True)}


def training_memory(
    config: BertConfig,
    batch_size: int,
    length: int,
    *,
    precision: str = "float32",
    is_fused: bool = True,
    on_cpu: bool = False,
    gradient_checkpointing: bool = False,
    adapter_rank: int | None = None,
) -> Memory:
    """The memory that fine-tuning a classifier takes: one label a text, AdamW, post-norm.

    What is held at the worst moment is another sum of these, see `peak_memory`.

    Args:
        config: sizes, and whether there is dropout (its masks are kept for the backward pass).
        batch_size: texts that go through at once; with accumulation those of one part.
        length: tokens of a text, padding included.
        precision: "float32", "bf16" or "fp16": matrix products in 16 bits, the weights still in 32.
        is_fused: attention of which no (T, T) matrix is kept. `False`: written out.
        on_cpu: as the package trains on a CPU: attention written out, and a dropout mask that is a
            factor an element, where on a GPU it is a byte.
        gradient_checkpointing: keep only what goes into each layer, and one layer in full, the
            one that is being computed again.
        adapter_rank: train adapters of this rank, the pooler and the head, and freeze the rest.

    Raises:
        ValueError: if the precision is unknown or the model is pre-norm.
    """
    if precision not in PRECISIONS[1:]:
        raise ValueError(f"unknown precision {precision!r}: choose from {PRECISIONS[1:]}")
    if config.norm_position != "post":
        raise ValueError("the memory of a pre-norm model is not worked out here")
    with torch.device("meta"):
        model = BertForSequenceClassification(config)
        if adapter_rank is not None:
            add_adapter(model, "", adapter_rank)
    trained = [p.numel() for p in model.parameters() if p.requires_grad]
    weights = 4 * sum(p.numel() for p in model.parameters())
    casts = _cast_bytes(model, gradient_checkpointing) if precision != "float32" else 0

    number = 4 if precision == "float32" else 2  # bytes of what a matrix product reads and writes
    tokens, width = batch_size * length, config.hidden_size
    layer = _layer_bytes(
        config, batch_size, length, number, is_fused and not on_cpu, on_cpu, adapter_rank
    )
    depth = config.num_hidden_layers
    if gradient_checkpointing:
        # What goes into each layer, in 32 bits, and the padding mask, which is one for all layers.
        kept = depth * 4 * tokens * width + tokens + layer
        if number == 4:  # in bf16 the layer that is computed again keeps a copy, else the same
            kept -= 4 * tokens * width
    else:
        kept = depth * layer
    # Embeddings: what goes into the LayerNorm, its mean and root, the mask of the dropout.
    if adapter_rank is None:
        kept += 4 * tokens * width + 8 * tokens + _mask_bytes(config, tokens * width, 4, on_cpu)
    kept += _head_bytes(config, batch_size, length, number, on_cpu)
    # A counter for each tensor, and two numbers for each of its elements.
    optimizer = 8 * sum(trained) + 4 * len(trained)
    return Memory(weights, 4 * sum(trained), optimizer, kept, casts)


def peak_memory(
    config: BertConfig, batch_size: int, length: int, *, keeps_states: bool = False, **options: Any
) -> Memory:
    """What a GPU holds at the worst moment of a training step.

    That is where the backward pass begins: all activations are there, and of gradients only those
    on their way through the last layer's feed-forward part, of the residual and, four times as
    wide, of what went into the second matrix. Or it is where the backward pass ends and all
    gradients are there, if that is more. A GPU's context (half a GiB or so) and what PyTorch's
    allocator has reserved and does not use come on top.

    Args:
        keeps_states: whether what comes out of every layer is held until the end, as a list of
            hidden states does. In 32 bits it is held anyway, since the next layer's matrix reads
            it; in 16 bits that reads a copy.
        options: of `training_memory`, but not `on_cpu`.
    """
    memory = training_memory(config, batch_size, length, **options)
    is_narrow = options.get("precision", "float32") != "float32"
    elements = batch_size * length * config.hidden_size
    # 1 + 4 numbers an element; in 16 bits the residual's gradient still has 32 of them. What went
    # into the last LayerNorm is gone by then, and makes up for the other branch's own gradient.
    passing = (10 if is_narrow else 20) * elements
    if options.get("adapter_rank") is None:
        passing += 4 * config.hidden_size * config.intermediate_size  # of the matrix itself
    states = 4 * elements * (config.num_hidden_layers + 1) if keeps_states and is_narrow else 0
    held = memory._replace(workspace=_WORKSPACE)
    begins = held._replace(gradients=passing, activations=memory.activations + states)
    ends = held._replace(activations=0, casts=0)
    return max(begins, ends, key=lambda moment: moment.total)


class Measured(NamedTuple):
    """The most memory that a GPU held in one step, in GiB."""

    preset: str
    batch_size: int
    length: int
    precision: str
    gib: float


def measured_peaks() -> list[Measured]:
    """What one GPU measured; `gpu_memory.json` says which, and when."""
    path = Path(__file__).with_name("gpu_memory.json")
    peaks = json.loads(path.read_text(encoding="utf-8"))["peaks"]
    return [Measured(*peak) for peak in peaks]


def largest_batch(config: BertConfig, length: int, room: int, **options: Any) -> int:
    """The most texts of this length whose training step fits into `room` bytes; 0 if not one does.

    Args:
        options: as for `peak_memory`.
    """
    many = 1024  # where activations decide, and every further text takes the same
    held, twice = (peak_memory(config, n, length, **options).total for n in (many, 2 * many))
    rows = many + (room - held) * many // (twice - held)
    # With few texts the gradients decide, which do not get fewer.
    fits = rows > 0 and peak_memory(config, rows, length, **options).total <= room
    return rows if fits else 0


def _cast_bytes(model: BertForSequenceClassification, gradient_checkpointing: bool) -> int:
    """The matrices of all products in 16 bits, as the backward pass will want them."""
    layers = list(model.bert.encoder.layers)
    # Checkpointing throws them away with the layer, and makes those of one layer again.
    size = sum(map(_matrix_elements, layers[:1] if gradient_checkpointing else layers))
    if model.adapter is not None and not gradient_checkpointing:
        # Below the first adapter nothing is trained: no gradient passes its two wide matrices.
        first: Any = layers[0].get_submodule("attention.query_key_value")
        size -= first.linear.weight.numel() + first.lora_a.numel()
    assert model.bert.pooler is not None
    return 2 * (size + _matrix_elements(model.bert.pooler) + _matrix_elements(model.classifier))


def _matrix_elements(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.ndim == 2)


def _mask_bytes(config: BertConfig, elements: int, number: int, on_cpu: bool) -> int:
    """A dropout mask: a byte an element on a GPU, a factor an element on a CPU."""
    if not config.hidden_dropout_prob:
        return 0
    return elements * number if on_cpu else elements


def _head_bytes(config: BertConfig, batch_size: int, length: int, number: int, on_cpu: bool) -> int:
    """What pooler, classifier and loss leave."""
    elements = batch_size * config.hidden_size
    # Pooler: it reads [CLS], but of the tensor of all positions, unless it casts its own rows.
    size = 4 * length * elements if number == 4 else number * elements
    # What the classifier reads, the tanh before it (the same where nothing is dropped), the loss.
    size += number * elements + 4 * batch_size * config.num_labels + 4
    if config.hidden_dropout_prob:
        size += number * elements + _mask_bytes(config, elements, number, on_cpu)
    return size


def _map_bytes(config: BertConfig, number: int, on_cpu: bool) -> int:
    """Bytes of each weight of attention that is written out; with dropout of mask and rest, too."""
    has_dropout = bool(config.attention_probs_dropout_prob)
    if on_cpu:
        return 3 * number if has_dropout else number
    # A GPU's autocast takes the softmax in 32 bits, and the product reads a copy in 16.
    weights = 4 if number == 4 else 4 + (0 if has_dropout else number)
    return weights + (1 + number if has_dropout else 0)


def _layer_bytes(
    config: BertConfig,
    batch_size: int,
    length: int,
    number: int,
    is_fused: bool,
    on_cpu: bool,
    adapter_rank: int | None,
) -> int:
    """What one layer keeps for the backward pass."""
    tokens = batch_size * length
    elements = tokens * config.hidden_size
    # Into each LayerNorm, in 32 bits, with mean and root of every row, twice.
    size = 2 * (4 * elements + 8 * tokens)
    # Into the four matrices, one of which reads the wide tensor; query, key and value; and what
    # goes into the activation.
    wide = tokens * config.intermediate_size
    size += number * (3 * elements + 3 * elements + 2 * wide)
    size += 2 * _mask_bytes(config, elements, number, on_cpu)
    pairs = batch_size * config.num_attention_heads * length
    if is_fused:
        size += 4 * pairs + number * tokens  # the softmax's denominators, and the padding mask
    else:
        size += pairs * length * _map_bytes(config, number, on_cpu) + tokens
    if adapter_rank is not None:
        size += 4 * number * tokens * adapter_rank  # between the two thin matrices of each adapter
    return size
