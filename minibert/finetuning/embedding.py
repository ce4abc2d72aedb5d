"""Texts as vectors: what is near in meaning is near in space (Reimers and Gurevych 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minibert.finetuning.rows import TokenRows
from minibert.finetuning.settings import POOLINGS, Pooling
from minibert.model.bert import BertModel
from minibert.tokenization.rows import encoded_chunks
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training.devices import choose_device, choose_precision
from minibert.training.inference import run_inference


class SentenceEncoder:
    """A BERT that makes one vector of each text, as sentence-transformers does.

    Args:
        model: without a head.
        tokenizer: the model's.
        pooling: "mean" of the last states of all tokens, special tokens included, or the state
            of "cls".
        normalize: to length 1, so that a dot product is a cosine.
        precision: "float32" or "bf16".

    Raises:
        ValueError: unknown pooling, or a precision that the device does not have.
    """

    def __init__(
        self,
        model: BertModel,
        tokenizer: Tokenizer,
        *,
        pooling: Pooling = "mean",
        normalize: bool = True,
        precision: str = "float32",
    ) -> None:
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, not {pooling!r}")
        self.model, self.tokenizer = model, tokenizer
        self.pooling, self.normalize = pooling, normalize
        self.precision = choose_precision(precision, model.device)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        *,
        pooling: Pooling = "mean",
        normalize: bool = True,
        precision: str = "float32",
        device: str = "auto",
    ) -> SentenceEncoder:
        """The encoder in a model folder; a head that it has is left out."""
        model = BertModel.from_pretrained(name_or_path)
        model.pooler = None  # reads [CLS] for next sentence prediction, and makes no vectors
        return cls(
            model.to(choose_device(device)),
            Tokenizer.from_pretrained(name_or_path),
            pooling=pooling,
            normalize=normalize,
            precision=precision,
        )

    def encode(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = 32,
        max_length: int | None = None,
        truncation: str | None = None,
        stride: int | None = None,
    ) -> NDArray[np.float32]:
        """One vector for each text, in their order.

        Args:
            texts: at least one.
            batch_size: rows that are read together, neighbours in length.
            max_length, truncation, stride: for long texts, see `encode_rows`. Of a text in several
                windows it is the mean of their vectors, before they are normalised.

        Returns:
            (texts, hidden_size).

        Raises:
            ValueError: if there is no text, or one that is empty or too long.
        """
        if isinstance(texts, str):
            raise ValueError("texts must be a list: put the text in [ ]")
        if not texts:
            raise ValueError("there are no texts")
        chunks = encoded_chunks(
            self.tokenizer, texts, max_length=max_length, truncation=truncation, stride=stride
        )
        dataset = TokenRows(chunks, len(texts), self.tokenizer.pad_token_id)
        samples = dataset.samples
        vectors = np.zeros((len(texts), self.model.config.hidden_size), dtype=np.float32)
        for indices, batch, output in run_inference(
            self.model, dataset, batch_size, self.precision
        ):
            pooled = self._pool(output.last_hidden_state.float(), batch.get("attention_mask"))
            np.add.at(vectors, samples[indices], pooled.cpu().numpy())
        vectors /= np.bincount(samples, minlength=len(texts))[:, None]
        if self.normalize:
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return vectors

    def _pool(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """One vector a row (B, hidden_size) out of states (B, T, hidden_size)."""
        if self.pooling == "cls":
            return states[:, 0]
        if mask is None:
            return states.mean(1)
        kept = mask.to(states.device, torch.float32)[..., None]  # (B, T, 1)
        return (states * kept).sum(1) / kept.sum(1)


def nearest(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The vectors with the largest dot product with each query: exact, by one matrix product.

    Args:
        queries: (queries, d).
        vectors: (texts, d).
        count: how many; all where there are fewer.

    Returns:
        their numbers and dot products, each (queries, count), the largest first; of equal ones
        the earlier first.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")
    scores = queries @ vectors.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(scores, order, axis=1)
