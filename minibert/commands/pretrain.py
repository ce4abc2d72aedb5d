"""`minibert pretrain`."""

from __future__ import annotations

import json
from argparse import Namespace
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from minibert import checkpoint, distributed
from minibert.cards import write_card
from minibert.commands.options import training_config
from minibert.config import BertConfig
from minibert.corpora import CORPORA
from minibert.corpus import PretrainingDataset
from minibert.pretraining import (
    Sample,
    Start,
    Texts,
    pretraining_metrics,
    starting_model,
    tokenise,
)
from minibert.tokenizer import Tokenizer
from minibert.training import Trainer, check_output

_EVALUATED = 512  # examples of each evaluation during pre-training


def run(options: Namespace) -> None:
    """`minibert pretrain`."""
    training = training_config(options)
    out = Path(options.out)
    check_output(out, options.resume)
    start = Start(options.base, options.adapter, options.prune_from)
    config = BertConfig.preset(options.preset)
    if start.base and options.tokenizer:
        raise ValueError("--base has its own tokenizer: leave --tokenizer out")
    texts = Texts(options.corpus)
    given = start.base or options.tokenizer
    tokenizer = (
        Tokenizer.from_pretrained(given)
        if given
        else Tokenizer.train(texts.sentences(), vocab_size=options.vocab_size)
    )
    datasets = {
        side: PretrainingDataset(part, tokenizer, options.max_length, options.objective)
        for side, part in tokenise(texts, tokenizer).items()
    }
    torch.manual_seed(options.seed)
    passages = [" ".join(document) for document in islice(texts.documents("train"), 64)]
    model = starting_model(options.objective, config, tokenizer, start, passages, options.dropout)
    held_out = Sample(datasets["dev"], _EVALUATED) if "dev" in datasets else None
    metrics = partial(pretraining_metrics, mask_token_id=tokenizer.mask_token_id)
    trainer = Trainer(model, training, datasets["train"], held_out, metrics)
    if distributed.is_main():
        tokenizer.save_pretrained(out)
    trainer.fit()
    figures: dict[str, dict[str, float]] = {
        side: trainer.evaluate(datasets[side]) for side in ("dev", "test") if side in datasets
    }
    if distributed.is_main():
        checkpoint.write_json(out / "metrics.json", figures)
        data = {name: CORPORA[name][1] if name in CORPORA else "" for name in options.corpus}
        write_card(out, options.command, data, training, figures)
        print(json.dumps(figures, indent=2))
