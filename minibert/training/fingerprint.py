"""What tells one data set from another: a digest of all that is in it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from minibert.training.batching import BatchSource, seeded

_ROWS = 256  # collated at a time


@runtime_checkable
class Fingerprinted(Protocol):
    """A data set that says itself what is in it, where its batches do not, or not quickly."""

    def fingerprint(self) -> str:
        """Another text for other data."""
        ...


def fingerprint(dataset: BatchSource) -> str:
    """A short text that is another one for other data, however little differs.

    Every example counts, as it comes out of `collate`, unless the data set has a `fingerprint` of
    its own.
    """
    return dataset.fingerprint() if isinstance(dataset, Fingerprinted) else of_batches(dataset)


def of_batches(dataset: BatchSource) -> str:
    """The digest of every example as `collate` lays it out."""
    digest = hashlib.sha256(np.asarray(dataset.lengths, np.int64).tobytes())
    for first in range(0, len(dataset), _ROWS):
        indices = np.arange(first, min(first + _ROWS, len(dataset)))
        digest.update(of_values(dataset.collate(indices, seeded(0))).encode())
    return digest.hexdigest()


def of_values(values: Mapping[str, Any]) -> str:
    """The digest of named tensors, arrays and whatever else has a `repr` that tells it apart."""
    digest = hashlib.sha256()
    for name, value in sorted(values.items()):
        array = value.numpy() if isinstance(value, Tensor) else value
        if isinstance(array, np.ndarray):
            digest.update(f"{name} {array.dtype} {array.shape} ".encode())
            digest.update(np.ascontiguousarray(array).data)
        else:
            digest.update(f"{name} {value!r} ".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
