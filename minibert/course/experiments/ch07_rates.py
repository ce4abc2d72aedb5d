"""Is the recurrent network behind, or only its learning rate? The memory task over rates (D1).

The task of `ch07_recurrent.py`: one of eight signals stands somewhere among letters of noise, and
is to be named at the end of the row. Both networks learn it at several learning rates, for the
same number of steps.

    python -m minibert.course.experiments.ch07_rates

It takes a minute a seed on one free core.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from minibert.course.experiments.ch07_recurrent import Answering, networks, rows_with_signals
from minibert.course.experiments.harness import run


def measure(seed: int, *, memory: int, steps: int, rates: list[float]) -> Any:
    """Share named rightly, near and far, by network and rate."""
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    for rate in rates:
        torch.manual_seed(seed)
        for name, network in networks(64).items():
            torch.manual_seed(seed)
            model = Answering(network, 64, memory)
            optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
            draw = torch.Generator().manual_seed(seed)
            for _ in range(steps):
                ids, signal, _ = rows_with_signals(32, memory, draw)
                optimizer.zero_grad()
                cross_entropy(model(ids), signal).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
            ids, signal, distance = rows_with_signals(
                2000, memory, torch.Generator().manual_seed(1000 + seed)
            )
            with torch.no_grad():
                right = (model(ids).argmax(-1) == signal).float()
            far = distance > memory // 2
            found.setdefault(name, {})[str(rate)] = {
                "near": round(right[~far].mean().item(), 4),
                "far": round(right[far].mean().item(), 4),
            }
            print(f"seed {seed}, {name}, {rate}: {found[name][str(rate)]}", flush=True)
    return found


if __name__ == "__main__":
    run(
        "ch07_rates",
        {"memory": 49, "steps": 300, "rates": [5e-4, 2e-3, 5e-3, 1e-2]},
        seeds=[0, 1, 2],
        measure=measure,
        quick={"steps": 3},
    )
