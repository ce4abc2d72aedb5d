"""What each command of the command line does."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path

import torch

from minibert import checkpoint
from minibert.adapters import merge_adapter
from minibert.config import BertConfig
from minibert.corpus import PretrainingDataset
from minibert.heads import (
    BertForCausalLM,
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.model import BertModel, PretrainedModel
from minibert.pretraining import (
    Sample,
    Start,
    gather,
    pretraining_metrics,
    starting_model,
    tokenise,
)
from minibert.tokenizer import Tokenizer
from minibert.training import Trainer, TrainingConfig, check_output

_EVALUATED = 512  # examples of each evaluation during pre-training


def _training_config(options: Namespace) -> TrainingConfig:
    return TrainingConfig(
        output_dir=options.out,
        epochs=options.epochs,
        max_steps=options.steps,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        warmup_ratio=options.warmup,
        schedule=options.schedule,
        weight_decay=options.weight_decay,
        accumulation_steps=options.accumulation_steps,
        precision=options.precision,
        device=options.device,
        compile=options.compile,
        seed=options.seed,
        eval_every=options.eval_every,
        save_every=options.save_every,
        resume=options.resume,
        patience=options.patience,
        parallel=options.parallel,
        tensorboard=options.tensorboard,
    )


def pretrain(options: Namespace) -> None:
    """`minibert pretrain`."""
    training = _training_config(options)
    out = Path(options.out)
    check_output(out, options.resume)
    start = Start(options.base, options.adapter, options.prune_from)
    config = BertConfig.preset(options.preset)
    corpus = gather(options.corpus)
    if start.base and options.tokenizer:
        raise ValueError("--base has its own tokenizer: leave --tokenizer out")
    given = start.base or options.tokenizer
    sentences = [sentence for document in corpus.train for sentence in document]
    tokenizer = (
        Tokenizer.from_pretrained(given)
        if given
        else Tokenizer.train(sentences, vocab_size=options.vocab_size)
    )
    tokens = {side: tokenise(getattr(corpus, side), tokenizer) for side in _sides(corpus)}
    datasets = {
        side: PretrainingDataset(part, tokenizer, options.max_length, options.objective)
        for side, part in tokens.items()
    }
    torch.manual_seed(options.seed)
    passages = [" ".join(document) for document in corpus.train[:64]]
    model = starting_model(options.objective, config, tokenizer, start, passages, options.dropout)
    held_out = Sample(datasets["dev"], _EVALUATED) if "dev" in datasets else None
    trainer = Trainer(model, training, datasets["train"], held_out, pretraining_metrics)
    trainer.fit()
    tokenizer.save_pretrained(out)
    figures = {
        side: trainer.evaluate(datasets[side]) for side in ("dev", "test") if side in datasets
    }
    checkpoint.write_json(out / "metrics.json", figures)
    print(json.dumps(figures, indent=2))


def _sides(corpus: object) -> list[str]:
    return [side for side in ("train", "dev", "test") if getattr(corpus, side)]


_ARCHITECTURES: dict[str, type[PretrainedModel]] = {
    kind.architecture: kind
    for kind in (
        BertModel,
        BertForPreTraining,
        BertForMaskedLM,
        BertForCausalLM,
        BertForSequenceClassification,
        BertForTokenClassification,
        BertForQuestionAnswering,
    )
}


def export(options: Namespace) -> None:
    """`minibert export`."""
    source, out = checkpoint.resolve(options.model), Path(options.out)
    check_output(out, resume=False)
    values = checkpoint.read_json(source / checkpoint.CONFIG_FILE)
    kind = _ARCHITECTURES[(values.get("architectures") or ["BertModel"])[0]]
    model = kind.from_pretrained(source)
    if options.merge and model.adapter is not None:
        merge_adapter(model)
    model.save_pretrained(out, dtype=getattr(torch, options.dtype))
    Tokenizer.from_pretrained(source).save_pretrained(out)
    for name in ("log.jsonl", "metrics.json", "training_config.json", "CARD.md"):
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)
    print(f"{out}: {sum(file.stat().st_size for file in out.iterdir()) / 1e6:.1f} MB")
