"""Tiny models and data that the training tests share; not a test itself."""

import os
from types import SimpleNamespace

import numpy as np
import torch

from minibert.model.config import BertConfig
from minibert.model.heads import BertForCausalLM, BertForMaskedLM, BertForPreTraining
from minibert.model.task_heads import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.pretraining.corpus import TokenCorpus
from minibert.pretraining.dataset import PretrainingDataset
from minibert.training.batching import seeded

VOCAB = 60
LENGTH = 24
OBJECTIVES = {"mlm+nsp": BertForPreTraining, "mlm": BertForMaskedLM, "causal": BertForCausalLM}


def tiny_config(**changes):
    values = {
        "vocab_size": VOCAB,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 32,
    }
    return BertConfig(**{**values, **changes})


def still(**changes):
    """Without dropout, for comparisons."""
    return tiny_config(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **changes)


TOKENIZER = SimpleNamespace(
    vocab_size=VOCAB,
    pad_token_id=0,
    cls_token_id=2,
    sep_token_id=3,
    mask_token_id=4,
    special_ids=frozenset(range(5)),
)


def corpus(documents=30, seed=0):
    """Documents of two to five sentences of three to nine words, drawn at random."""
    rng = np.random.default_rng(seed)
    sizes = [rng.integers(3, 10, rng.integers(2, 6)) for _ in range(documents)]
    sentence_ends = np.cumsum(np.concatenate(sizes))
    document_ends = np.cumsum([part.sum() for part in sizes])
    tokens = rng.integers(5, VOCAB, sentence_ends[-1]).astype(np.uint16)
    return TokenCorpus(tokens, np.append(0, sentence_ends[:-1]), np.append(0, document_ends[:-1]))


def pretraining_data(objective="mlm+nsp", documents=30, seed=0):
    return PretrainingDataset(corpus(documents, seed), TOKENIZER, LENGTH, objective)


class Rows:
    """A data set that is one batch of tensors; an example is a row of each."""

    def __init__(self, **tensors):
        self.tensors = tensors

    def __len__(self):
        return len(self.tensors["input_ids"])

    @property
    def lengths(self):
        mask = self.tensors.get("attention_mask", torch.ones_like(self.tensors["input_ids"]))
        return mask.sum(1).numpy()

    def collate(self, indices, generator):
        batch = {name: value[torch.as_tensor(indices)] for name, value in self.tensors.items()}
        if "masked" in batch:  # whether labels are only at some positions
            del batch["masked"]
            batch["masked_positions"] = (batch["labels"].flatten() != -100).nonzero().squeeze(1)
        return batch


def texts(rows=8, seed=0, length=12):
    """`[CLS] words [SEP]` of different lengths."""
    rng = np.random.default_rng(seed)
    lengths = torch.from_numpy(rng.integers(5, length + 1, rows))
    lengths[0] = length
    ids = torch.from_numpy(rng.integers(5, VOCAB, (rows, length)))
    column = torch.arange(length)[None, :]
    ids[:, 0], ids[:, 1] = 2, 5 + torch.arange(rows)  # every sentence begins with a word of its own
    ids = ids.masked_fill(column >= lengths[:, None], 0)
    ids[torch.arange(rows), lengths - 1] = 3
    return {"input_ids": ids, "attention_mask": (column < lengths[:, None]).long()}


def tasks(rows=8, length=12):
    """For every head: how to make it, and a data set for it with uneven numbers of labels."""
    generator = seeded(7)
    batch = texts(rows, length=length)
    ids, words = batch["input_ids"], batch["input_ids"] > 4
    # From none in the first row to nearly all in the last. The first word says which row it is.
    share = torch.linspace(0, 0.9, rows)[:, None]
    some = words & (torch.rand(ids.shape, generator=generator) < share)
    some[:, 1] = False
    blanks = {
        **batch,
        "input_ids": ids.masked_fill(some, 4),
        "labels": ids.masked_fill(~some, -100),
    }
    blanks["masked"] = torch.ones(rows)
    tags = torch.randint(3, ids.shape, generator=generator).masked_fill(~some, -100)
    kinds = torch.arange(rows) % 3
    answers = {"start_positions": torch.arange(rows) % 3, "end_positions": torch.arange(rows) % 5}

    def classifier(problem_type, labels):
        return lambda config: BertForSequenceClassification(
            config.changed(num_labels=labels, problem_type=problem_type)
        )

    several = torch.randint(2, (rows, length), generator=generator)
    causal = {**batch, "labels": ids.masked_fill(~words, -100)}
    causal["labels"][:, :2] = -100  # nothing tells the first word of a sentence
    return {
        "pre-training": (
            BertForPreTraining,
            Rows(**blanks, next_sentence_label=torch.arange(rows) % 2),
        ),
        "masked": (BertForMaskedLM, Rows(**blanks)),
        "causal": (BertForCausalLM, Rows(**causal)),
        "single": (classifier("single_label_classification", 3), Rows(**batch, labels=kinds)),
        # As many classes as tokens: labels of the shape that labels on tokens have.
        "multi": (classifier("multi_label_classification", length), Rows(**batch, labels=several)),
        "regression": (
            classifier("regression", 1),
            Rows(**batch, labels=torch.linspace(-1, 1, rows)),
        ),
        "token": (
            lambda config: BertForTokenClassification(config.changed(num_labels=3)),
            Rows(**batch, labels=tags),
        ),
        "answer": (BertForQuestionAnswering, Rows(**batch, **answers)),
    }


def environment(**more):
    """For processes that the tests start."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "default", **more}
