"""One loop for pre-training and fine-tuning, on one process or many."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from minibert import checkpoint, distributed, optimization, snapshots
from minibert.allocation import kept_memory
from minibert.batching import (
    BatchSource,
    derived_seed,
    epoch_batches,
    fingerprint,
    ordered_batches,
    seeded,
    split_batch,
)
from minibert.heads import IGNORED, BertForCausalLM
from minibert.interruption import held_back
from minibert.journal import Journal
from minibert.model import PretrainedModel
from minibert.snapshots import check_output
from minibert.training_config import TrainingConfig

# From (batch, output) of every evaluation batch to named numbers.
Metrics = Callable[[Iterable[tuple[dict[str, Tensor], Any]]], dict[str, float]]

# The settings that decide where a run goes; the others only say how it gets there.
_DECISIVE = (
    "seed",
    "batch_size",
    "learning_rate",
    "warmup_ratio",
    "schedule",
    "weight_decay",
    "max_grad_norm",
    "best_metric",
)


class Trainer:
    """Train a model on a data set, evaluate, keep the best, survive being killed.

    Everything random is derived from `seed` and the step, so a resumed run ends with the same
    bits as one that was never stopped.

    Args:
        model: any model with a head.
        train_dataset, eval_dataset: see `minibert.batching.BatchSource`.
        metrics: what to report of an evaluation besides the loss.

    Raises:
        ValueError: if `output_dir` is not empty and `resume` is off, if the run to resume was
            started on other data or with other settings, if there is nothing to train on, or
            nothing to evaluate and the settings need it.
    """

    def __init__(
        self,
        model: PretrainedModel,
        config: TrainingConfig,
        train_dataset: BatchSource,
        eval_dataset: BatchSource | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.model, self.config, self.metrics = model, config, metrics
        self.train_dataset, self.eval_dataset = train_dataset, eval_dataset
        self.output = Path(config.output_dir)
        check_output(self.output, config.resume)
        if not len(train_dataset):
            raise ValueError("there is nothing to train on: the training set is empty")
        for name in ("patience", "best_metric"):
            if getattr(config, name) is not None and eval_dataset is None:
                raise ValueError(f"{name} needs an evaluation set, and there is none")
        self.device = distributed.start(optimization.choose_device(config.device))
        self.precision = optimization.choose_precision(config.precision, self.device)
        self._parts = config.accumulation_steps * distributed.world_size()
        if config.batch_size % self._parts:
            raise ValueError(
                f"a batch of {config.batch_size} cannot be cut into {self._parts} equal parts "
                "(accumulation steps x processes)"
            )
        # Whether the loss is a mean over labelled tokens, whose number differs from part to part.
        self._counts_labels = "label_count" in inspect.signature(model.forward).parameters
        model.to(self.device)
        encoder: Any = getattr(model, "bert", model)
        encoder.encoder.gradient_checkpointing = config.gradient_checkpointing
        # `self.model` is what is saved, `self.runner` what computes. They share their weights.
        self._parallel = distributed.wrap(model, config.parallel)
        self.runner: Callable[..., Any] = self._parallel
        if config.compile:
            self.runner = torch.compile(self._parallel)
        groups = optimization.parameter_groups(model, config.weight_decay)
        self.optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, fused=config.parallel == "ddp"
        )
        self.epoch_steps = math.ceil(len(train_dataset) / config.batch_size)
        self.total_steps = config.max_steps or config.epochs * self.epoch_steps
        self.step = 0
        self.best: float | None = None
        self.evaluations_since_best = 0
        self._take_up()

    # ------------------------------------------------------------------ the loop

    def fit(self) -> list[dict[str, float]]:
        """Train to the end.

        Returns:
            the log: a dictionary for every ten steps and every evaluation. It is also in
            `output_dir/log.jsonl`. The model ends with the best weights where there was an
            evaluation, else with the last, and is saved in `output_dir`.

        Raises:
            KeyboardInterrupt: on Ctrl-C, after saving and saying how to go on.
        """
        if distributed.is_main():
            settings = {**asdict(self.config), "output_dir": str(self.output)}
            self.output.mkdir(parents=True, exist_ok=True)
            checkpoint.write_json(self.output / snapshots.SETTINGS_FILE, settings)
        self.model.train()
        every = self.config.eval_every, self.config.save_every
        tensorboard = self.config.tensorboard
        with (
            Journal(self.output, self.step, self.total_steps, tensorboard) as journal,
            held_back() as is_interrupted,
            kept_memory(),
        ):
            for batch in self._batches():
                norm, rate = self._update(batch, journal)
                journal.step_done(self.step, _count_tokens(batch), norm, rate)
                with journal.clock_stopped():
                    if self._is_due(every[0]) and self._evaluate_and_keep_best(journal):
                        break
                    stops = is_interrupted()
                    if stops or (self._is_due(every[1]) and self.step < self.total_steps):
                        self._save_snapshot()
                if stops:
                    raise self._stopped()
        self._finish()
        return journal.entries

    def _batches(self) -> Iterator[dict[str, Tensor]]:
        """The batches from the current step on, whole: every process cuts out its own part."""
        while self.step < self.total_steps:
            epoch, done = divmod(self.step, self.epoch_steps)
            lengths = self.train_dataset.lengths
            batches = epoch_batches(lengths, self.config.batch_size, self.config.seed, epoch)
            for indices in batches[done:]:
                if self.step >= self.total_steps:
                    return
                generator = seeded(self.config.seed, self.step, 0)
                yield self.train_dataset.collate(indices, generator)

    def _update(self, batch: dict[str, Tensor], journal: Journal) -> tuple[Tensor, float]:
        """One step of the optimizer on one batch, cut in parts where asked.

        Returns:
            the gradient's norm before clipping, and the learning rate.
        """
        config = self.config
        warmup = int(config.warmup_ratio * self.total_steps)
        rate = config.learning_rate * optimization.learning_rate_factor(
            config.schedule, self.step, self.total_steps, warmup
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parts = split_batch(batch, self._parts, self._label_count(batch))
        processes, own = distributed.world_size(), distributed.rank()
        for number, (part, weight) in list(enumerate(parts))[own::processes]:
            # Dropout, too, depends on the step alone.
            torch.manual_seed(derived_seed(config.seed, self.step, 1 + number))
            distributed.exchange_gradients(self._parallel, number + processes >= len(parts))
            with optimization.autocast(self.precision, self.device):
                loss = self.runner(**self._to_device(part)).loss * weight
            # Processes average their gradients; the parts' weights ask for a sum.
            (loss * processes).backward()
            journal.add_loss(loss.detach())
        norm = clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return norm, rate

    def _label_count(self, batch: dict[str, Tensor]) -> int | None:
        if not self._counts_labels or "labels" not in batch:
            return None
        labels = batch["labels"]
        if isinstance(self.model, BertForCausalLM):
            labels = labels[:, 1:]  # nothing predicts the first token
        return int((labels != IGNORED).sum())

    def _to_device(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value.to(self.device, non_blocking=True) if isinstance(value, Tensor) else value
            for name, value in batch.items()
        }

    def _is_due(self, every: int | None) -> bool:
        return self.step % (every or self.epoch_steps) == 0 or self.step == self.total_steps

    # ------------------------------------------------------------------ evaluation

    @torch.no_grad()
    def evaluate(self, dataset: BatchSource | None = None) -> dict[str, float]:
        """Loss and metrics on a data set, the evaluation set where not given.

        Corruption is drawn from a fixed seed: every evaluation sees the same blanks. Every process
        must call this, and gets the same figures.

        Returns:
            "loss", the mean over labelled tokens or, where a model has no labels on tokens, over
            examples; and what `metrics` measures.

        Raises:
            ValueError: if there is nothing to evaluate.
        """
        dataset = dataset if dataset is not None else self.eval_dataset
        if dataset is None or not len(dataset):
            raise ValueError("there is no evaluation set, or nothing in it")
        was_training = self.model.training
        self.model.eval()
        batches = ordered_batches(dataset.lengths, self.config.batch_size)
        total, count = 0.0, 0

        def results() -> Iterator[tuple[dict[str, Tensor], Any]]:
            nonlocal total, count
            bar = tqdm(
                batches, desc="evaluating", delay=2, leave=False, **distributed.bar_options()
            )
            for number, indices in enumerate(bar):
                batch = dataset.collate(indices, seeded(0, number))
                labels = self._label_count(batch)
                [(whole, _)] = split_batch(batch, 1, labels)
                with optimization.autocast(self.precision, self.device):
                    output = self.runner(**self._to_device(whole))
                weight = len(indices) if labels is None else labels
                total += float(output.loss) * weight
                count += weight
                yield batch, output

        if self.metrics is None:
            for _ in results():
                pass
            report = {}
        else:
            report = self.metrics(results())
        self.model.train(was_training)
        return {"loss": total / max(1, count), **report}

    def _evaluate_and_keep_best(self, journal: Journal) -> bool:
        """Evaluate; keep the weights if they are the best; say whether to stop."""
        if self.eval_dataset is None:
            return False
        report = self.evaluate()
        name = self.config.best_metric
        if name is not None and name not in report:
            raise ValueError(f"best_metric {name!r} is not measured: there are {', '.join(report)}")
        value = distributed.from_main(report[name] if name is not None else -report["loss"])
        is_best = self.best is None or value > self.best
        self.evaluations_since_best = 0 if is_best else self.evaluations_since_best + 1
        journal.note({"step": self.step, **{f"eval_{key}": v for key, v in report.items()}})
        if is_best:
            self.best = value
            state = snapshots.whole_weights(self.model)
            if distributed.is_main():
                checkpoint.write_weights(self._best_path, state)
        patience = self.config.patience
        return patience is not None and self.evaluations_since_best >= patience

    # ------------------------------------------------------------------ disk

    @property
    def _best_path(self) -> Path:
        return self.output / "best.safetensors"

    def _take_up(self) -> None:
        """Go on from the last snapshot, if it is one of this run."""
        adapter = self.model.adapter
        self._run = {
            "steps": self.total_steps,
            **{name: getattr(self.config, name) for name in _DECISIVE},
            **self.model.config.to_dict(),
            "adapter": asdict(adapter) if adapter is not None else None,
            "data": fingerprint(self.train_dataset),
        }
        found = snapshots.find(self.output) if self.config.resume else None
        if found is not None:
            progress = snapshots.read_progress(found)
            snapshots.check_same_run(self.output, progress, self._run)
            snapshots.restore(found, self.model, self.optimizer)
            self.step, self.best = progress["step"], progress["best"]
            self.evaluations_since_best = progress["evaluations_since_best"]

    def _save_snapshot(self) -> None:
        progress = {
            "step": self.step,
            "best": self.best,
            "evaluations_since_best": self.evaluations_since_best,
            "run": self._run,
        }
        snapshots.save(self.output, self.model, self.optimizer, progress)

    def _stopped(self) -> KeyboardInterrupt:
        message = (
            f"stopped at step {self.step} and saved: go on with --resume (resume=True) and the "
            f"same output folder {self.output}"
        )
        if distributed.is_main():
            print(message, file=sys.stderr)
        return KeyboardInterrupt(message)

    def _finish(self) -> None:
        """Save the best weights, and only then remove what a resumed run would need."""
        distributed.wait()
        if self.best is not None:
            snapshots.load_whole_weights(self.model, checkpoint.load_tensors(self._best_path))
        state = snapshots.whole_weights(self.model)
        if distributed.is_main():
            self.model.save_pretrained(self.output, overwrite=True, state=state)
        snapshots.remove(self.output)
        if distributed.is_main():
            self._best_path.unlink(missing_ok=True)
        distributed.wait()
        self.model.eval()


def _count_tokens(batch: dict[str, Tensor]) -> int:
    """Tokens of a batch, padding left out."""
    mask = batch.get("attention_mask")
    return int(mask.sum()) if mask is not None else batch["input_ids"].numel()
