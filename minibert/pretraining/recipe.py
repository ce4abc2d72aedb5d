"""Pre-training from corpus to model folder: what `minibert pretrain` does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from minibert.model.config import BertConfig
from minibert.pretraining.corpus import CorpusDocuments, tokenise
from minibert.pretraining.dataset import PretrainingDataset, Subset
from minibert.pretraining.metrics import pretraining_metrics
from minibert.pretraining.settings import PretrainingSettings
from minibert.pretraining.start import starting_model
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training import distributed
from minibert.training.config import TrainingConfig
from minibert.training.lock import claimed
from minibert.training.resume import check_output
from minibert.training.start import cleared_if_not_begun
from minibert.training.trainer import Trainer
from minibert.weights.files import write_json

_EVALUATED = 512  # examples of each evaluation during pre-training


def pretrain(
    corpora: Sequence[str], settings: PretrainingSettings, training: TrainingConfig
) -> dict[str, dict[str, float]]:
    """Pre-train a model and write it, with its metrics, to `training.output_dir`.

    Args:
        corpora: names that `minibert data list` shows, or text files.
        settings: objective, shape and start.
        training: of the loop.

    Returns:
        what `metrics.json` gets: metrics of "dev" and "test" where there are such documents.

    Raises:
        ValueError, FileNotFoundError: for anything that does not fit; nothing is written then.
    """
    out = Path(training.output_dir)
    check_output(out, training.resume)
    config = BertConfig.preset(settings.preset)
    documents = CorpusDocuments(corpora)
    given = settings.base or settings.tokenizer
    tokenizer = (
        Tokenizer.from_pretrained(given)
        if given
        else Tokenizer.train(documents.sentences(), vocab_size=settings.vocab_size)
    )
    datasets = {
        split: PretrainingDataset(part, tokenizer, settings.max_length, settings.objective)
        for split, part in tokenise(documents, tokenizer).items()
    }
    torch.manual_seed(training.seed)
    sample = [" ".join(document) for document in islice(documents.of("train"), 64)]
    model = starting_model(settings, config, tokenizer, sample)
    held_out = Subset(datasets["dev"], _EVALUATED) if "dev" in datasets else None
    metrics = partial(pretraining_metrics, mask_token_id=tokenizer.mask_token_id)
    with claimed(out):  # until the metrics are written
        with cleared_if_not_begun(out):
            trainer = Trainer(model, training, datasets["train"], held_out, metrics)
            trainer.write_settings()
            if distributed.is_main():
                tokenizer.save_pretrained(out)
            trainer.fit()
        found: dict[str, dict[str, float]] = {
            split: trainer.evaluate(datasets[split])
            for split in ("dev", "test")
            if split in datasets
        }
        if distributed.is_main():
            write_json(out / "metrics.json", found)
    return found
