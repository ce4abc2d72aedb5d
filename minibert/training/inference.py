"""The one loop in which a model reads a data set without learning from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from minibert.model.pretrained import PretrainedModel
from minibert.training import distributed
from minibert.training.batching import BatchSource, ordered_batches, seeded, with_label_count
from minibert.training.devices import autocast


class Inference(NamedTuple):
    """One batch: which rows of the data set it holds, its tensors, what the model made of them."""

    indices: NDArray[np.int64]
    batch: dict[str, Tensor]
    output: Any


def run_inference(
    model: PretrainedModel,
    dataset: BatchSource,
    batch_size: int = 32,
    precision: str | None = None,
    *,
    runner: Callable[..., Any] | None = None,
    **options: bool,
) -> Iterator[Inference]:
    """Run a model over a data set, on the model's device, without dropout, longest rows first.

    What is random in a data set is drawn from a fixed seed: every run sees the same. The model is
    put back into training, if it was, when the loop is left, early or not.

    Args:
        model: any; its own way of counting labels decides how losses are averaged.
        dataset: rows, see `BatchSource`.
        batch_size: rows of a batch.
        precision: "float32" or "bf16"; the precision that the model was trained in (`Trainer` notes
            it), float32 for a loaded one, where not given.
        runner: what is called, where that is not the model itself: its compiled or parallel form,
            or a function that leaves out what the model does not take.
        options: for `forward`, such as `output_hidden_states`.

    Yields:
        row numbers, batch and output of every batch.
    """
    was_training, run = model.training, model if runner is None else runner
    model.eval()
    batches = ordered_batches(dataset.lengths, batch_size)
    bar = tqdm(batches, desc="reading", delay=2, leave=False, **distributed.bar_options())
    try:
        for number, indices in enumerate(bar):
            batch = dataset.collate(indices, seeded(0, number))
            labels = model.label_count(batch)
            counted = with_label_count(batch, None if labels is None else max(1, labels))
            moved = to_device(counted, model.device)
            with torch.no_grad(), autocast(precision or model.precision, model.device):
                output = run(**moved, **options)
            yield Inference(indices, batch, output)
    finally:
        bar.close()
        model.train(was_training)


def to_device(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """The tensors of a batch on a device."""
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}
