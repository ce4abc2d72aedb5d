"""Which examples make a batch: shuffled, grouped by length, the same for the same seed."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_POOL = 50  # batches sorted by length together
POSITIONS = "masked_positions"


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


def seeded(*numbers: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on these numbers and on nothing that happened before.

    Deriving every draw from (seed, step) instead of from a running state is what makes a resumed
    run identical to one that was never stopped.
    """
    return torch.Generator(device).manual_seed(derived_seed(*numbers))


def derived_seed(*numbers: int) -> int:
    """One 63-bit seed out of several numbers; zeros at the end do not count."""
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
    """Every example once, longest first: for evaluation, where order does not matter.

    Raises:
        ValueError: if `batch_size` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    order = np.argsort(-lengths, kind="stable")
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


def with_label_count(batch: dict[str, Tensor], count: float | None) -> dict[str, Tensor]:
    """A batch with the number of labels that its loss is to be divided by, if there is one.

    A tensor, because `torch.compile` would compile anew for every other number.
    """
    return batch if count is None else {**batch, "label_count": torch.tensor(float(count))}


def split_batch(
    batch: dict[str, Tensor], parts: int, label_count: int | None = None
) -> list[tuple[dict[str, Tensor], float]]:
    """Cut a batch by rows into parts whose weighted losses add up to the loss of the whole.

    Args:
        batch: tensors with a row an example, and `masked_positions` (n_masked,), ascending.
        parts: how many; there may be fewer rows than that.
        label_count: labelled tokens of the whole batch, where the model's loss is a mean over
            these and not over rows.

    Returns:
        for each part its tensors, with `masked_positions` counted from its own first row and its
        fraction of `label_count` under that name; and its weight, its fraction of the rows.
    """
    rows, length = batch["input_ids"].shape[:2]
    result = []
    for number in range(parts):
        first, last = rows * number // parts, rows * (number + 1) // parts
        weight = (last - first) / rows
        # Fewer rows than processes: everybody has to take part, if with a row that weighs nothing.
        if first == last:
            first, last = 0, 1
        part = {name: value[first:last] for name, value in batch.items() if name != POSITIONS}
        if POSITIONS in batch:
            positions = batch[POSITIONS]
            bounds = torch.searchsorted(positions, torch.tensor([first, last]) * length).tolist()
            part[POSITIONS] = positions[slice(*bounds)] - first * length
        # At least 1, because a batch in which nothing is labelled has no mean.
        count = None if label_count is None else max(1, label_count) * (weight or 1.0)
        result.append((with_label_count(part, count), weight))
    return result
