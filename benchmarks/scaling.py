"""The paper plan to 8 and 64 GPUs: what computing and exchanging take, and which of them bounds.

    python benchmarks/scaling.py

Prints the table of `SCALING.md`, which says what is assumed. The speed of one GPU is measured: it
comes from `results/gpu.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from minibert.model.config import BertConfig
from minibert.model.heads import BertForPreTraining

RESULTS = Path(__file__).parent / "results" / "gpu.json"
VOCABULARY = 30522
SPEED = "Base, texts up to 512, compiled, dropout 0.1, bf16 between layers"
PAIRS = 225  # tokens that a token attends to, on average over the texts of `gpu.py`
NODE = 8  # GPUs that NVLink joins
NVLINK, NETWORK = 350e9, 45e9  # bytes a second and GPU that NCCL reaches, one way
WAIT = {8: 20e-6, 64: 60e-6}  # seconds that one collective takes however little it carries


class Shape(NamedTuple):
    """A model: parameters, those of the token matrix, layers, FLOPs a token."""

    parameters: int
    tokens: int
    layers: int
    flops: float


class Plan(NamedTuple):
    """Seconds of one step and what a GPU holds besides activations."""

    computing: float
    exchanging: float
    waiting: float  # of exchanging, what computing does not hide
    held: float  # bytes

    @property
    def efficiency(self) -> float:
        """The fraction of the step in which GPUs compute."""
        return self.computing / (self.computing + self.waiting)


def shape(preset: str) -> Shape:
    """What a preset comes to, with both heads of pre-training."""
    config = BertConfig.preset(preset, vocab_size=VOCABULARY)
    with torch.device("meta"):
        count = sum(p.numel() for p in BertForPreTraining(config).parameters())
    d, wide, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    # As `minibert.training.throughput.Work` counts, 15 % of the tokens predicted.
    flops = layers * (6 * (4 * d * d + 2 * d * wide) + 12 * d * PAIRS)
    flops += 6 * 0.15 * d * (VOCABULARY + d)
    return Shape(count, VOCABULARY * d, layers, flops)


def measured_speed() -> float:
    """Real tokens a second of Base on one GPU."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"]
    return float(
        next(r["ours"] for r in rows if (r["name"], r["unit"]) == (SPEED, "real tokens/s"))
    )


def seconds_of(size: float, gpus: int) -> float:
    """Of a reduce-scatter or an all-gather of so many bytes, half of an all-reduce.

    Each GPU passes on (n - 1) / n of them over NVLink; between nodes the rings of the eight GPUs of
    a node take a network card each, so that a card carries an eighth.
    """
    passed = size * (gpus - 1) / gpus
    between = passed / NODE / NETWORK if gpus > NODE else 0.0
    return max(passed / NVLINK, between)


def plan(model: Shape, speed: float, gpus: int, tokens: int, parallel: str) -> Plan:
    """One step of so many tokens on every GPU together."""
    computing = tokens / gpus / speed
    gradients = 4 * model.parameters
    static = 16 * model.parameters  # weights, gradients, two means of AdamW
    if gpus == 1:
        return Plan(computing, 0.0, 0.0, static)
    # The token matrix is read at both ends: its gradient is ready when the backward pass is over.
    last = 2 * seconds_of(4 * model.tokens, gpus) + WAIT[gpus]
    if parallel == "ddp":
        buckets = gradients / 25e6
        exchanging = 2 * seconds_of(gradients, gpus) + buckets * WAIT[gpus]
        waiting = max(last, exchanging - 2 / 3 * computing)
        return Plan(computing, exchanging, waiting, static + gradients)
    # Weights gathered for the forward and again for the backward pass, gradients scattered.
    exchanging = 3 * (seconds_of(gradients, gpus) + model.layers * WAIT[gpus])
    first = seconds_of(4 * model.tokens, gpus) + WAIT[gpus]
    waiting = max(first + last / 2, exchanging - computing)
    layer = gradients / model.layers  # of which weights and gradients are whole, one at a time
    return Plan(computing, exchanging, waiting, static / gpus + 4 * model.tokens + 2 * layer)


def lines() -> Iterator[str]:
    """The rows of the table."""
    base = shape("base")
    for name in ("base", "large"):
        model = shape(name)
        speed = measured_speed() * base.flops / model.flops
        for tokens in (131_072, 1_048_576):
            for parallel in ("ddp", "fsdp"):
                for gpus in (8, 64):
                    made = plan(model, speed, gpus, tokens, parallel)
                    rate = tokens / (made.computing + made.waiting)
                    cells = (
                        f"{name.capitalize()}, {tokens:,}",
                        f"{parallel.upper()}, {gpus}",
                        f"{1e3 * made.computing:.1f}",
                        f"{1e3 * made.exchanging:.1f}",
                        f"{1e3 * made.waiting:.1f}",
                        f"{made.efficiency:.0%}",
                        f"{rate / 1e6:.1f}",
                        f"{made.held / 2**30:.1f}",
                    )
                    yield "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print("\n".join(lines()))
