"""Fine-tuning `minilm` on film reviews beside `transformers.Trainer`, used as documented.

Both train one epoch of the same rows, 32 at a time, at 1e-4 with the same warmup and schedule, in
the precision that each takes by itself (ours bf16 where the processor has it, theirs float32), and
are then tested on the whole test split. A seed is a round: ours, theirs, ours, theirs. Tokenising
and testing are not timed.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
import transformers
from harness import Row, compared, row, seconds, void

from minibert import (
    BertForSequenceClassification,
    Tokenizer,
    Trainer,
    TrainingConfig,
    load_dataset,
    weights,
)
from minibert.data.examples import Example
from minibert.finetuning.classification import ClassificationDataset
from minibert.finetuning.evaluate import evaluate

NAME, RATE, BATCH = "minilm", 1e-4, 32


def ours(train: ClassificationDataset, test: ClassificationDataset, seed: int) -> tuple[float, Any]:
    """Seconds of training, and how to get the accuracy."""
    torch.manual_seed(seed)
    id2label = dict(enumerate(train.label_names))
    model = BertForSequenceClassification.from_pretrained(NAME, num_labels=2, id2label=id2label)
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingConfig(
            folder, epochs=1, batch_size=BATCH, learning_rate=RATE, seed=seed, device="cpu"
        )
        taken = seconds(Trainer(model, settings, train).fit)
    return taken, evaluate(model, test, BATCH).metrics["accuracy"]


def theirs(train: list[Example], test: list[Example], labels: list[str], seed: int) -> Any:
    """The same as its documentation trains: tokenised rows, padded batch by batch."""
    folder = str(weights.resolve(NAME))
    transformers.set_seed(seed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)

    def rows(examples: list[Example]) -> list[dict[str, Any]]:
        return [
            {**tokenizer(e.text, truncation=True), "labels": labels.index(str(e.label))}
            for e in examples
        ]

    with tempfile.TemporaryDirectory() as out:
        arguments = transformers.TrainingArguments(
            output_dir=out,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            per_device_eval_batch_size=BATCH,
            learning_rate=RATE,
            warmup_steps=max(1, len(train) // BATCH // 10),
            weight_decay=0.01,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            seed=seed,
        )
        trainer = transformers.Trainer(
            model=model,
            args=arguments,
            train_dataset=rows(train),
            data_collator=transformers.DataCollatorWithPadding(tokenizer),
        )
        taken = seconds(trainer.train)
        found = trainer.predict(rows(test))
    return taken, float((found.predictions.argmax(-1) == found.label_ids).mean())


def finetuning(quick: bool) -> Iterator[Row]:
    """Speed, and the accuracy of the same runs."""
    splits = load_dataset("movies")
    count, tested = (64, 64) if quick else (1024, len(splits.test))
    examples, test = splits.train[:count], splits.test[:tested]
    tokenizer = Tokenizer.from_pretrained(NAME)
    train = ClassificationDataset(examples, tokenizer)
    labels = train.label_names
    held_out = ClassificationDataset(test, tokenizer, labels)
    name = f"fine-tuning, minilm, {count:,} film reviews, beside transformers.Trainer"
    if find_spec("accelerate") is None:
        yield void(name, "texts/s", "transformers.Trainer needs it: pip install accelerate", 3.0)
        return
    sides = (partial(ours, train, held_out), partial(theirs, examples, test, labels))
    found = [[side(seed) for side in sides] for seed in range(1 if quick else 3)]
    taken = [[one[side][0] for one in found] for side in (0, 1)]
    reached = [statistics.mean(one[side][1] for one in found) for side in (0, 1)]
    told = f"{name}, accuracy of {len(found)} seeds"
    if min(reached) < 0.7 and not quick:
        yield void(name, "texts/s", f"one side has not learned: {reached}", 3.0)
        return
    yield compared(name, "texts/s", count, *taken, 3.0, accuracy=reached)
    ahead = row(told, "points ahead", 100 * (reached[0] - reached[1]), floor=-0.5)
    yield {**ahead, "accuracies": [[one[side][1] for one in found] for side in (0, 1)]}
