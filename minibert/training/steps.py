"""What each step of a run reads: planned, collated, cut into parts, a step ahead of the device."""

from __future__ import annotations

import itertools
import math
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minibert.model.pretrained import PretrainedModel
from minibert.training import distributed
from minibert.training.batching import (
    BatchSource,
    epoch_batches,
    seeded,
    split_batch,
)
from minibert.training.config import TrainingConfig
from minibert.training.draws import RowDraws
from minibert.training.packing import PackedShape, cut, filled_up, pack, packed_batches
from minibert.training.throughput import Work

Item = TypeVar("Item")
_ALIGNED = 64  # bytes; compiled code assumes 16


class Part(NamedTuple):
    """One part of a step's batch: its number, its tensors, and the weight of its loss."""

    number: int
    batch: dict[str, Any]
    weight: float


class Step(NamedTuple):
    """The parts of one step that this process computes.

    labels: labelled tokens in these parts, where the parts do not have the whole step's count yet;
    work: what is computed in these parts.
    """

    parts: list[Part]
    labels: int | None
    work: Work


class Steps:
    """The steps of a run, each a function of the seed and its number alone.

    Args:
        model: says what its loss is a mean over.
        config: batch size or budget of tokens, accumulation, seed.
        dataset: what is trained on.
        is_filled: give packed batches one shape, for a GPU or a compiler; on a CPU, filling is
            computed in vain.

    Raises:
        ValueError: if a batch cannot be cut into equal parts, a text is longer than the budget, or
            the model cannot be trained on packed batches.
    """

    def __init__(
        self,
        model: PretrainedModel,
        config: TrainingConfig,
        dataset: BatchSource,
        is_filled: bool = True,
    ) -> None:
        self._model, self._config, self._dataset = model, config, dataset
        self._parts = config.accumulation_steps * distributed.world_size()
        self._counts: NDArray[np.int64] = getattr(dataset, "token_counts", dataset.lengths)
        self._shape: PackedShape | None = None
        self._has_token_labels = model.first_label is not None
        if config.batch_tokens is None:
            if config.batch_size % self._parts:
                raise ValueError(
                    f"a batch of {config.batch_size} cannot be cut into {self._parts} equal parts "
                    "(accumulation steps x processes)"
                )
            self.epoch_steps = math.ceil(len(dataset) / config.batch_size)
            return
        if not model.learns_packed:
            raise ValueError(
                "batch_tokens=... lays texts end to end, and this model's loss needs each in a row "
                "of its own: give batch_size=... instead"
            )
        if (longest := int(self._counts.max())) > (limit := model.config.max_position_embeddings):
            raise ValueError(f"a text of {longest} tokens, but this model reads at most {limit}")
        share = getattr(dataset, "predicted_share", 1.0)
        shape = PackedShape.of(self._counts, config.batch_tokens, self._parts, share)
        # Where the loss is over rows there is one row a text, and no row of filling.
        self._shape = shape if self._has_token_labels and is_filled else None
        self.epoch_steps = math.ceil(int(self._counts.sum()) / config.batch_tokens)

    def since(self, step: int) -> Iterator[Step]:
        """The steps from this one on, without end."""
        make = self._padded if self._config.batch_tokens is None else self._packed
        return make(step)

    def _own(self, items: list[Item]) -> list[tuple[int, Item]]:
        """The items of this process, with their numbers: they are dealt out in turns."""
        return list(enumerate(items))[distributed.rank() :: distributed.world_size()]

    def _padded(self, step: int) -> Iterator[Step]:
        """Whole batches of `batch_size` rows, of which this process keeps its own parts."""
        config = self._config
        for epoch in itertools.count(step // self.epoch_steps):
            batches = epoch_batches(self._dataset.lengths, config.batch_size, config.seed, epoch)
            for indices in batches[step % self.epoch_steps :]:
                batch = self._dataset.collate(indices, seeded(config.seed, step, 0))
                parts = split_batch(batch, self._parts, self._model.label_count(batch))
                own = [Part(number, *part) for number, part in self._own(parts)]
                computed = [Work.of(self._model, part.batch) for part in own if part.weight]
                yield Step(own, None, sum(computed, Work()))
                step += 1

    def _packed(self, step: int) -> Iterator[Step]:
        """Rows to a budget of tokens, of which this process makes its own parts only."""
        config = self._config
        assert config.batch_tokens is not None
        batches = packed_batches(self._counts, config.batch_tokens, config.seed)
        for indices in itertools.islice(batches, step, None):
            own, work, labels = [], Work(), 0
            for number, part in self._own(cut(self._counts[indices], self._parts)):
                batch = self._rows(indices, part, step)
                weight = 0.0
                if part.start < part.stop:
                    work += Work.of(self._model, batch)
                    labels += self._model.label_count(batch) or 0
                    weight = 1 / len(indices)
                batch = filled_up(batch, self._shape) if self._shape else batch
                # Its loss over rows is a mean over all it has, rows of filling included.
                own.append(Part(number, batch, weight * (len(batch["cu_seqlens"]) - 1)))
            yield Step(own, labels if self._has_token_labels else None, work)
            step += 1

    def _rows(self, indices: NDArray[np.int64], part: slice, step: int) -> dict[str, Any]:
        """One part of the rows of a step, packed; where it has none, one that weighs nothing."""
        rows = np.arange(len(indices))[part]
        rows = rows if len(rows) else np.arange(1)
        seed = self._config.seed
        if isinstance(self._dataset, PackedSource):
            return self._dataset.collate_packed(indices[rows], RowDraws((seed, step), rows))
        return pack(
            self._dataset.collate(indices[rows], seeded(seed, step)), self._has_token_labels
        )


@runtime_checkable
class PackedSource(Protocol):
    """A data set that makes packed batches itself, and draws what is random in a row by row."""

    def collate_packed(self, indices: NDArray[np.int64], draws: RowDraws) -> dict[str, Any]:
        """These examples laid end to end, see `pack`."""
        ...


@contextmanager
def loaded_ahead(items: Iterator[Item], is_wanted: bool) -> Iterator[Iterator[Item]]:
    """The same items, made by a thread one ahead of whoever takes them.

    What goes wrong in the thread is raised where the item is taken. When the block is left, the
    thread ends with the item it is making.
    """
    if not is_wanted:
        yield items
        return
    made: queue.Queue[Item | _Last] = queue.Queue(maxsize=1)
    is_over = threading.Event()

    def put(item: Item | _Last) -> bool:
        while not is_over.is_set():
            with suppress(queue.Full):
                made.put(item, timeout=0.1)
                return True
        return False

    def work() -> None:
        try:
            if all(put(item) for item in items):
                put(_Last(None))
        except BaseException as error:  # whatever it is, the thread that trains has to hear of it
            put(_Last(error))

    def taken() -> Iterator[Item]:
        while not isinstance(item := made.get(), _Last):
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=work, name="minibert loader", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        is_over.set()
        thread.join()


class _Last(NamedTuple):
    """Stands at the end of what a thread has made, and says whether it broke off."""

    error: BaseException | None


def pinned(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch whose tensors lie end to end in one block of pinned memory, for one copy to a GPU.

    PyTorch keeps such blocks and hands them out again, once the copy out of one is done.
    """
    tensors = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
    ends = np.cumsum([value.nbytes + -value.nbytes % _ALIGNED for value in tensors.values()])
    block = torch.empty(int(ends[-1]), dtype=torch.uint8, pin_memory=torch.cuda.is_available())
    laid: dict[str, Any] = {**batch, "": block}
    for end, (name, value) in zip(ends, tensors.items(), strict=True):
        start = int(end) - value.nbytes - -value.nbytes % _ALIGNED
        laid[name] = _view(block, start, value)
        laid[name].copy_(value)
    return laid


def on_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch on a device: in one copy where it is `pinned`."""
    if "" not in batch:
        moved = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
        return {**batch, **{name: value.to(device) for name, value in moved.items()}}
    block = batch[""]
    there = block.to(device, non_blocking=True)
    return {
        name: _view(there, int(value.storage_offset()) * value.itemsize, value)
        if isinstance(value, Tensor)
        else value
        for name, value in batch.items()
        if name
    }


def _view(block: Tensor, start: int, like: Tensor) -> Tensor:
    """What lies at a byte of a block, in the form of another tensor."""
    return block[start : start + like.nbytes].view(like.dtype).view(like.shape)
