"""Which examples make a batch: shuffled, grouped by length, the same for the same seed."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_POOL = 50  # batches sorted by length together


class BatchSource(Protocol):
    """What the trainer needs of a data set: examples by number, made into batches by itself."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each example (n,)."""
        ...

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """These examples as one batch of tensors; the generator makes any drawing repeatable."""
        ...


def seeded(*numbers: int) -> torch.Generator:
    """A generator that depends on these numbers and on nothing that happened before.

    Deriving every draw from (seed, step) instead of from a running state is what makes a resumed
    run identical to one that was never stopped.
    """
    generator = torch.Generator()
    generator.manual_seed(derived_seed(*numbers))
    return generator


def derived_seed(*numbers: int) -> int:
    """One 63-bit seed out of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def epoch_batches(
    lengths: NDArray[np.int64], batch_size: int, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """One epoch's batches: every example once, neighbours in length together.

    A batch is padded to its longest example, so mixing lengths wastes work. Sorting everything
    would give the same batches each epoch; sorting within pools of 50 batches keeps the shuffle.

    Returns:
        index arrays of `batch_size`, the last of the epoch maybe shorter, in random order.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    pool = _POOL * batch_size
    batches = []
    for first in range(0, len(order), pool):
        part = order[first : first + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def ordered_batches(lengths: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Every example once, longest first: for evaluation, where order does not matter."""
    order = np.argsort(-lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
