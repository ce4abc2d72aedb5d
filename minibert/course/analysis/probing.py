"""The vectors inside a frozen model, layer by layer, laid out for a probe.

A probe is a small classifier, usually one linear map, trained on vectors that stay as they are.
What it gets right was in the vectors, in a form that a dot product can read (claims A17, C7).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.tagging import TaggingDataset
from minibert.model.bert import BertModel, BertOutput
from minibert.model.loss import IGNORE_INDEX
from minibert.training.batching import BatchSource
from minibert.training.inference import Inference, run_inference

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")  # the rest is for a head


class TextVectors(NamedTuple):
    """One vector a text, taken in four ways; L + 1 layers, the embeddings first.

    cls, first, sep: (L+1, N, d), the states at [CLS], at the token behind it and at the last
    [SEP]; mean: (L+1, N, d), over all real tokens, the special ones included; pooled: (N, d),
    `None` for a model without a pooler.
    """

    cls: Tensor
    first: Tensor
    sep: Tensor
    mean: Tensor
    pooled: Tensor | None


class TokenVectors(NamedTuple):
    """One vector a labelled token: states (L+1, n, d), labels (n,), and where each stands.

    position: (n,) in its row, [CLS] being 0; row: (n,) which row of the data set.
    """

    states: Tensor
    labels: Tensor
    position: Tensor
    row: Tensor


def _read(
    model: BertModel, dataset: BatchSource, batch_size: int
) -> Iterator[tuple[Inference, Tensor]]:
    """Every batch, and with it all states (L+1, B, T, d)."""

    def encode(**batch: Tensor) -> BertOutput:
        inputs = {name: batch[name] for name in _INPUTS if name in batch}
        output: BertOutput = model(**inputs, output_hidden_states=True)
        return output

    for one in run_inference(model, dataset, batch_size, runner=encode):
        yield one, torch.stack(one.output.hidden_states).float().cpu()


def text_vectors(
    model: BertModel, dataset: ClassificationDataset, batch_size: int = 32
) -> TextVectors:
    """What a frozen encoder says of every text, in the order of the data set.

    Args:
        model: stays as it is; runs without dropout.
        dataset: one row a text (truncated, not cut into windows).

    Raises:
        ValueError: if a text has several rows.
    """
    if dataset.size != len(dataset):
        raise ValueError("a text has several windows: pass truncation=True instead of a stride")
    order, taken, pooled = [], [], []
    for (rows, batch, output), states in _read(model, dataset, batch_size):
        ids = batch["input_ids"]
        real = batch.get("attention_mask", torch.ones_like(ids)).float()  # (B, T)
        at, last = torch.arange(len(ids)), real.sum(1).long() - 1
        mean = (states * real[..., None]).sum(2) / real.sum(1)[:, None]
        taken.append((states[:, :, 0], states[:, :, 1], states[:, at, last], mean))
        if output.pooler_output is not None:
            pooled.append(output.pooler_output.float().cpu())
        order.append(rows)
    back = torch.from_numpy(np.argsort(np.concatenate(order)))
    cls, first, sep, mean = (torch.cat(parts, 1)[:, back] for parts in zip(*taken, strict=True))
    return TextVectors(cls, first, sep, mean, torch.cat(pooled)[back] if pooled else None)


def token_vectors(model: BertModel, dataset: TaggingDataset, batch_size: int = 32) -> TokenVectors:
    """The states of every labelled token: of a word in pieces, those of its first.

    Args:
        model: stays as it is; runs without dropout.
        dataset: words with tags.

    Returns:
        the tokens in the order in which batches are read, the longest sentences first.
    """
    found = []
    for (rows, batch, _), states in _read(model, dataset, batch_size):
        sentence, position = (batch["labels"] != IGNORE_INDEX).nonzero(as_tuple=True)
        row = torch.from_numpy(rows)[sentence]
        labels = batch["labels"][sentence, position]
        found.append((states[:, sentence, position], labels, position, row))
    parts = zip(*found, strict=True)  # states first, whose tokens are the second dimension
    return TokenVectors(torch.cat(next(parts), 1), *map(torch.cat, parts))
