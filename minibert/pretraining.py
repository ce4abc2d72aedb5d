"""Pre-training from corpus to model folder: what `minibert pretrain` does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from minibert import sources
from minibert.adapters import add_adapter, merge_adapter
from minibert.batching import seeded
from minibert.checkpoint import ADAPTER_CONFIG_FILE, resolve
from minibert.config import BertConfig
from minibert.corpora import CORPORA, stream_corpus
from minibert.corpus import PretrainingDataset, TokenCorpus
from minibert.heads import IGNORED, BertForCausalLM, BertForMaskedLM, BertForPreTraining
from minibert.model import BertModel, PretrainedModel
from minibert.pruning import prune, transfer_tokens
from minibert.tokenizer import Tokenizer

MODELS: dict[str, type[PretrainedModel]] = {
    "mlm+nsp": BertForPreTraining,
    "mlm": BertForMaskedLM,
    "causal": BertForCausalLM,
}


@dataclass(frozen=True)
class Start:
    """Where the weights come from: at most one of the two, or drawn at random.

    base: go on with this model, its shape and its tokenizer; adapter: of this rank, training only
    it and the head. prune_from: cut a smaller model out of this one.
    """

    base: str | None = None
    adapter: int | None = None
    prune_from: str | None = None

    def __post_init__(self) -> None:
        if self.base and self.prune_from:
            raise ValueError("--base goes on with a model, --prune-from cuts one: give one of them")
        if self.adapter and not self.base:
            raise ValueError("--adapter trains beside a given model: give its name as --base")


class Texts:
    """The documents of several corpora, end to end, as often as they are asked for.

    The project's own corpora are small and stay in memory; a user's files are read anew each
    time, so that their size does not matter.

    Raises:
        FileNotFoundError: if a name is neither a known corpus nor a file.
        ValueError: if there is no text in them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._named = [
            list(stream_corpus(name)) for name in dict.fromkeys(names) if name in CORPORA
        ]
        self._files = [name for name in names if name not in CORPORA]
        self.sides = [
            side for side in ("train", "dev", "test") if any(True for _ in self.documents(side))
        ]
        if "train" not in self.sides:
            raise ValueError(f"no corpus: name a text file or one of {', '.join(CORPORA)}")

    def documents(self, side: str) -> Iterator[list[str]]:
        """Those for "train", "dev" or "test", as lists of sentences."""
        own = [stream_corpus(self._files)] if self._files else []
        for part in (*self._named, *own):
            for where, document in part:
                if where == side:
                    yield document

    def sentences(self, limit: int = 1_000_000) -> list[str]:
        """The first sentences for training: what a tokenizer is trained on."""
        return list(islice(chain.from_iterable(self.documents("train")), limit))


def tokenise(texts: Texts, tokenizer: Tokenizer) -> dict[str, TokenCorpus]:
    """Each side as a memory-mapped file in the cache, made once for text and tokenizer."""
    settings = [2, tokenizer.vocab, tokenizer.lowercase]  # 2: the format of the files
    result = {}
    for side in texts.sides:
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for document in texts.documents(side):
            digest.update("\n".join(document).encode() + b"\0")
        folder = sources.home() / "tokenised" / digest.hexdigest()[:20]
        result[side] = TokenCorpus.build(texts.documents(side), tokenizer, folder)
    return result


def starting_model(
    objective: str,
    config: BertConfig,
    tokenizer: Tokenizer,
    start: Start,
    sample: Sequence[str],
    dropout: float,
) -> PretrainedModel:
    """The model before the first step.

    Args:
        objective: a key of `MODELS`.
        config: the shape, where `start.base` does not give it.
        sample: a few texts; what pruning keeps is measured on them.
        dropout: of hidden states and attention weights, while training.
    """
    kind = MODELS[objective]
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    if start.base:
        model = kind.from_pretrained(start.base, **rates)
        if model.adapter is not None:
            merge_adapter(model)
        return add_adapter(model, start.base, start.adapter) if start.adapter else model
    if not start.prune_from:
        return kind(config.changed(vocab_size=tokenizer.vocab_size, **rates))
    larger = _larger(start.prune_from)
    encoder = getattr(larger, "bert", larger)
    # Heads are kept whole, so the smaller model has as many as fit in its width.
    heads = config.hidden_size // encoder.config.head_size
    config = config.changed(vocab_size=tokenizer.vocab_size, num_attention_heads=heads, **rates)
    model = kind(config)
    old = Tokenizer.from_pretrained(start.prune_from)
    batch = old(list(sample), padding=True, truncation=True, max_length=128)
    prune(larger, model, transfer_tokens(encoder, old, tokenizer), batch)
    return model


def _larger(name: str) -> Any:
    """The model to cut from, with its masked-LM head where it has one."""
    folder = resolve(name)
    has_head = (folder / ADAPTER_CONFIG_FILE).is_file()
    if not has_head:
        return BertModel.from_pretrained(name)
    return merge_adapter(BertForMaskedLM.from_pretrained(name))


class Sample:
    """A fixed part of a data set, for evaluations in the middle of training."""

    def __init__(self, dataset: PretrainingDataset, size: int) -> None:
        self._dataset = dataset
        order = torch.randperm(len(dataset), generator=seeded(0)).numpy()
        self._indices = np.sort(order[:size])

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """See `BatchSource`."""
        return self._dataset.lengths[self._indices]

    def collate(self, indices: NDArray[np.int64], generator: torch.Generator) -> dict[str, Tensor]:
        """See `BatchSource`."""
        return self._dataset.collate(self._indices[indices], generator)


def pretraining_metrics(
    results: Iterable[tuple[dict[str, Tensor], Any]], mask_token_id: int
) -> dict[str, float]:
    """Held-out figures of any of the three objectives.

    Args:
        results: batches and outputs.
        mask_token_id: the id of [MASK].

    Returns:
        mlm_loss and masked_accuracy over all selected positions (the 80, the 10 and the 10 %);
        masked_accuracy_at_mask over those that became [MASK] alone; nsp_accuracy. For a causal
        model next_token_accuracy.
    """
    sums: dict[str, list[float]] = {}

    def add(name: str, total: float, count: int) -> None:
        entry = sums.setdefault(name, [0.0, 0])
        entry[0] += total
        entry[1] += count

    for batch, output in results:
        if "masked_positions" not in batch:
            labels = batch["labels"][:, 1:]
            hits = (output.logits[:, :-1].argmax(-1).cpu() == labels) & (labels != -100)
            add("next_token_accuracy", int(hits.sum()), int((labels != -100).sum()))
            continue
        positions = batch["masked_positions"]
        logits = output.prediction_logits if hasattr(output, "prediction_logits") else output.logits
        labels = batch["labels"].flatten()[positions]
        inputs = batch["input_ids"].flatten()[positions]
        guesses = logits.argmax(-1).cpu()
        add("masked_accuracy", int((guesses == labels).sum()), len(labels))
        blank = inputs == mask_token_id
        add("masked_accuracy_at_mask", int((guesses == labels)[blank].sum()), int(blank.sum()))
        mlm_loss = getattr(output, "mlm_loss", output.loss)
        add("mlm_loss", float(mlm_loss) * len(labels), len(labels))
        if "next_sentence_label" in batch:
            truth = batch["next_sentence_label"]
            right = output.seq_relationship_logits.argmax(-1).cpu() == truth
            add("nsp_accuracy", int(right.sum()), int((truth != IGNORED).sum()))
    return {name: total / count for name, (total, count) in sums.items() if count}
