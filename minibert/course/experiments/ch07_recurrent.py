"""A recurrent network against the encoder: time by length, and memory by distance (claim D1).

Both have about the same number of parameters.

Time: one training pass, forwards and backwards, over rows of growing length, on one thread; the
fastest of several passes, in processor seconds of that thread, so that other programs count little.

Memory: each row (constructed) holds one of eight signals somewhere among letters of noise, and a
question mark at the end, where the signal is to be named. Both networks see the same rows for the
same number of steps, and are then asked about fresh rows, by how far back the signal was.

    python -m minibert.course.experiments.ch07_recurrent

It takes about a minute and a half on one free core.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from minibert import BertConfig
from minibert.course.experiments.harness import run
from minibert.model.encoder import Encoder

SIGNALS, NOISE = 8, 16
ASK = SIGNALS + NOISE


class Recurrent(nn.Module):
    """Two layers of LSTM, as wide as makes its parameters equal those of the encoder."""

    def __init__(self, width: int, parameters: int) -> None:
        super().__init__()
        inside = min(
            range(8, 4 * width),
            key=lambda size: abs(count(nn.LSTM(width, size, 2, device="meta")) - parameters),
        )
        self.lstm = nn.LSTM(width, inside, 2, batch_first=True)
        self.size = inside

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) to (B, T, size)."""
        states: Tensor = self.lstm(x)[0]
        return states


class Attending(nn.Module):
    """The encoder's layers, without embeddings."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.size = config.hidden_size

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) to (B, T, width)."""
        last: Tensor = self.encoder(x)[0]
        return last


class Answering(nn.Module):
    """Embeddings of the symbols and their places, a network, and the signal named at the end."""

    def __init__(self, network: Recurrent | Attending, width: int, length: int) -> None:
        super().__init__()
        self.symbols = nn.Embedding(ASK + 1, width)
        self.places = nn.Parameter(0.1 * torch.randn(length, width))
        self.network = network
        self.name = nn.Linear(network.size, SIGNALS)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, T) to logits (B, SIGNALS)."""
        logits: Tensor = self.name(self.network(self.symbols(ids) + self.places)[:, -1])
        return logits


def count(module: nn.Module) -> int:
    """Parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def networks(width: int) -> dict[str, Recurrent | Attending]:
    """The two, with as nearly as possible the same number of parameters."""
    config = BertConfig.preset(
        "tiny",
        hidden_size=width,
        num_attention_heads=width // 32,
        intermediate_size=4 * width,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.05,
    )
    encoder = Attending(config)
    for parameter in encoder.parameters():
        if parameter.ndim == 2:
            nn.init.normal_(parameter, std=width**-0.5)
    return {"LSTM": Recurrent(width, count(encoder)), "encoder": encoder}


def pass_seconds(network: nn.Module, rows: Tensor, repeats: int) -> float:
    """The fastest of several passes forwards and backwards."""
    best = float("inf")
    for _ in range(repeats + 1):
        start = time.thread_time()
        network(rows).sum().backward()
        best = min(best, time.thread_time() - start)
    return best


def rows_with_signals(batch: int, length: int, draw: torch.Generator) -> tuple[Tensor, ...]:
    """Rows (B, T), the signal's number (B,), and how far before the end it stands (B,)."""
    ids = torch.randint(SIGNALS, SIGNALS + NOISE, (batch, length), generator=draw)
    signal = torch.randint(SIGNALS, (batch,), generator=draw)
    place = torch.randint(length - 1, (batch,), generator=draw)
    ids[torch.arange(batch), place] = signal
    ids[:, -1] = ASK
    return ids, signal, length - 1 - place


def measure(
    seed: int, *, lengths: list[int], repeats: int, memory: int, steps: int, rate: float
) -> Any:
    """Seconds by length, accuracy by distance and by step, of both networks."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    found: dict[str, Any] = {}
    for name, network in networks(128).items():
        seconds = [pass_seconds(network, torch.randn(4, n, 128), repeats) for n in lengths]
        found[name] = {"parameters": count(network), "seconds": [round(s, 6) for s in seconds]}
        print(f"  {name}: {found[name]['seconds']}", flush=True)
    for name, network in networks(64).items():
        torch.manual_seed(seed)
        model = Answering(network, 64, memory)
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
        draw = torch.Generator().manual_seed(seed)
        curve = []
        for _ in range(steps):
            ids, signal, _ = rows_with_signals(32, memory, draw)
            logits = model(ids)
            optimizer.zero_grad()
            cross_entropy(logits, signal).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            curve.append((logits.argmax(-1) == signal).float().mean().item())
        every = max(1, steps // 20)
        ids, signal, distance = rows_with_signals(
            4000, memory, torch.Generator().manual_seed(1000 + seed)
        )
        with torch.no_grad():
            right = (model(ids).argmax(-1) == signal).float()
        band = (distance - 1) * 6 // (memory - 1)  # six stretches of distances
        found[name] |= {
            "by distance": [round(right[band == b].mean().item(), 4) for b in range(6)],
            "distances": [round(distance[band == b].float().mean().item()) for b in range(6)],
            "by step": [
                round(sum(curve[i : i + every]) / every, 4) for i in range(0, steps, every)
            ],
        }
        print(f"  {name}: by distance {found[name]['by distance']}", flush=True)
    return found


if __name__ == "__main__":
    run(
        "ch07_recurrent",
        {
            "lengths": [16, 32, 64, 128, 256, 512],
            "repeats": 3,
            "memory": 49,
            "steps": 300,
            "rate": 2e-3,
        },
        seeds=[0, 1, 2],
        measure=measure,
        quick={"lengths": [16], "repeats": 1, "steps": 3},
    )
