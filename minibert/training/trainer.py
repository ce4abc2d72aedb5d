"""One loop for pre-training and fine-tuning, on one process or many."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from minibert.model.pretrained import PretrainedModel
from minibert.training import (
    checkpoints,
    devices,
    distributed,
    divergence,
    optimization,
    resume,
    states,
)
from minibert.training.allocation import kept_memory
from minibert.training.batching import BatchSource, derived_seed
from minibert.training.config import TrainingConfig
from minibert.training.fingerprint import fingerprint, of_values
from minibert.training.inference import Inference, run_inference
from minibert.training.interruption import deferred_interrupt
from minibert.training.lock import claimed
from minibert.training.log import TrainingLog
from minibert.training.steps import Step, Steps, loaded_ahead, on_device, pinned
from minibert.training.throughput import matrix_rate
from minibert.weights.files import write_json

# From every batch of an evaluation, with its rows and output, to named numbers.
Metrics = Callable[[Iterable[Inference]], dict[str, float]]

# The settings that decide where a run goes; the others only say how it gets there.
_DECISIVE = (
    "seed",
    "batch_size",
    "batch_tokens",
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
        train_dataset, eval_dataset: see `BatchSource`.
        metrics: what to report of an evaluation besides the loss.

    Raises:
        ValueError: if `output_dir` is not empty and `resume` is off, if the run to resume was
            started on other data or with other settings, if there is no run or no whole checkpoint
            to resume, if there is nothing to train on, or nothing to evaluate and the settings
            need it.
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
        resume.check_output(self.output, config.resume)
        if not len(train_dataset):
            raise ValueError("there is nothing to train on: the training set is empty")
        for name in ("patience", "best_metric"):
            if getattr(config, name) is not None and eval_dataset is None:
                raise ValueError(f"{name} needs an evaluation set, and there is none")
        self.device = distributed.start(devices.choose_device(config.device))
        self.precision = devices.choose_precision(config.precision, self.device)
        is_filled = config.compile or self.device.type == "cuda"
        self.steps = Steps(model, config, train_dataset, is_filled)
        model.to(self.device)
        model.precision = self.precision
        encoder = model.base_model.encoder
        encoder.gradient_checkpointing = config.gradient_checkpointing
        is_narrow = config.bf16_stream and self.precision == "bf16"
        encoder.stream_dtype = torch.bfloat16 if is_narrow else None
        # `self.model` is what is saved, `self.runner` what computes. They share their weights.
        self._parallel = distributed.wrap(model, config.parallel)
        self.runner: Callable[..., Any] = self._parallel
        if config.compile:
            devices.check_compiler()
            # Packed batches have one shape.
            is_dynamic = None if config.batch_tokens is None else False
            self.runner = torch.compile(self._parallel, dynamic=is_dynamic)
        groups = optimization.parameter_groups(model, config.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
        # Float16 ends at 65,504 and begins at 6e-8: its gradients are scaled into the middle.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")
        self.epoch_steps = self.steps.epoch_steps
        self.total_steps = config.max_steps or config.epochs * self.epoch_steps
        self.step = 0
        self.best: float | None = None
        self.best_digest: str | None = None
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
            Terminated: on SIGTERM, likewise; it is a SystemExit with status 143.
            ValueError: if another process is training in the same folder.
            OSError: if the disk is full; what was saved before stays.
        """
        with claimed(self.output) as claim, resume.explained(self.output):
            self.write_settings()
            log = self._train()
            if claim.is_nested:  # more is to come, and if it is cut short, nothing is trained again
                self._save_checkpoint()
            with divergence.explained(self.output, lambda: (self.step, self._rate)):
                self._finish()
            claim.is_trained = True
        return log.entries

    def write_settings(self) -> None:
        """Mark the folder as that of a run, before anything else is written into it."""
        if distributed.is_main():
            settings = {**asdict(self.config), "output_dir": str(self.output)}
            settings["precision"] = self.precision  # what "auto" came to
            write_json(self.output / resume.SETTINGS_FILE, settings)

    def _train(self) -> TrainingLog:
        self.model.train()
        every = self.config.eval_every, self.config.save_every
        tensorboard, is_gpu = self.config.tensorboard, self.device.type == "cuda"
        best_rate = matrix_rate(self.device, self.precision) if is_gpu else None
        with (
            TrainingLog(self.output, self.step, self.total_steps, tensorboard, best_rate) as log,
            deferred_interrupt() as is_interrupted,
            kept_memory(),
            divergence.explained(self.output, lambda: (self.step, self._rate)),
            loaded_ahead(self._staged(), is_gpu) as steps,
        ):
            for step in steps:
                norm, rate = self._update(step, log)
                log.step_done(self.step, step.work, norm, rate)
                with log.clock_stopped():
                    if self._is_due(every[0]) and self._evaluate_and_keep_best(log):
                        break
                    stops = is_interrupted()
                    if stops or (self._is_due(every[1]) and self.step < self.total_steps):
                        log.check()
                        self._save_checkpoint()
                if stops:
                    raise is_interrupted.error(
                        f"stopped at step {self.step} and saved: go on with resume=True and the "
                        f"same output folder {self.output}"
                    )
        return log

    def _staged(self) -> Iterator[Step]:
        """The steps that are left, on a GPU in memory that can be copied from while it computes."""
        left = 0 if self._is_out_of_patience else self.total_steps - self.step
        for step in islice(self.steps.since(self.step), left):
            if self.device.type == "cuda":
                parts = [part._replace(batch=pinned(part.batch)) for part in step.parts]
                step = step._replace(parts=parts)
            yield step

    def _update(self, step: Step, log: TrainingLog) -> tuple[Tensor, float]:
        """One step of the optimizer; on a GPU nothing in it waits for the device.

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
        skips_logits = self.model.may_skip_logits and self.device.type != "cpu"
        options = {"loss_only": True} if skips_logits else {}
        processes, count = distributed.world_size(), None
        if step.labels is not None:
            # Filled there: to copy a number from here would wait for the device.
            count = torch.full((), float(step.labels), device=self.device)
            count = distributed.sum_over_processes(count).clamp(min=1)
        for number, batch, weight in step.parts:
            # Dropout, too, depends on the step alone.
            torch.manual_seed(derived_seed(config.seed, self.step, 1 + number))
            distributed.exchange_gradients(self._parallel, number == step.parts[-1].number)
            batch = on_device(batch, self.device)
            if count is not None:
                batch["label_count"] = count * (weight or 1.0)
            with devices.autocast(self.precision, self.device):
                loss = self.runner(**batch, **options).loss * weight
            # Processes average their gradients; the parts' weights ask for a sum.
            self.scaler.scale(loss * processes).backward()
            log.add_loss(loss.detach())
        self.scaler.unscale_(self.optimizer)
        norm = clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
        self.scaler.step(self.optimizer)  # not where it is no number: then the scale was too large
        self.scaler.update()
        norm = norm.nan_to_num(0, 0, 0) if self.scaler.is_enabled() else norm
        self.optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return norm, rate

    @property
    def _rate(self) -> float:
        """The learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def _is_due(self, every: int | None) -> bool:
        return self.step % (every or self.epoch_steps) == 0 or self.step == self.total_steps

    # ------------------------------------------------------------------ evaluation

    def evaluate(self, dataset: BatchSource | None = None) -> dict[str, float]:
        """Loss and metrics on a data set, the evaluation set where not given.

        Corruption is drawn from a fixed seed: every evaluation sees the same masked tokens. Every
        process must call this, and gets the same numbers.

        Returns:
            "loss", the mean over labelled tokens or, where a model has no labels on tokens, over
            examples; and what `metrics` measures, which may stop reading early.

        Raises:
            ValueError: if there is nothing to evaluate.
        """
        dataset = dataset if dataset is not None else self.eval_dataset
        if dataset is None or not len(dataset):
            raise ValueError("there is no evaluation set, or nothing in it")
        total, count = 0.0, 0

        def results() -> Iterator[Inference]:
            nonlocal total, count
            for result in run_inference(
                self.model, dataset, self.config.batch_size, runner=self.runner
            ):
                labels = self.model.label_count(result.batch)
                weight = len(result.indices) if labels is None else labels
                total += float(result.output.loss) * weight
                count += weight
                yield result

        loop = results()
        report = self.metrics(loop) if self.metrics is not None else {}
        for _ in loop:  # what the metrics left unread belongs to the loss all the same
            pass
        return {"loss": total / max(1, count), **report}

    def _evaluate_and_keep_best(self, log: TrainingLog) -> bool:
        """Evaluate; keep the weights if they are the best; say whether to stop."""
        if self.eval_dataset is None:
            return False
        log.check()
        report = self.evaluate()
        if not math.isfinite(report["loss"]):
            what = f"the loss on the evaluation set is {report['loss']}"
            raise divergence.diverged(self.output, self.step, self._rate, what)
        name = self.config.best_metric
        if name is not None and name not in report:
            raise ValueError(f"best_metric {name!r} is not measured: there are {', '.join(report)}")
        value = distributed.broadcast(report[name] if name is not None else -report["loss"])
        is_best = math.isfinite(value) and (self.best is None or value > self.best)
        self.evaluations_since_best = 0 if is_best else self.evaluations_since_best + 1
        log.write({"step": self.step, **{f"eval_{key}": v for key, v in report.items()}})
        if is_best:
            self.best = value
            state = states.full_state_dict(self.model)
            self.best_digest = checkpoints.write_best(self.output, state)
        return self._is_out_of_patience

    @property
    def _is_out_of_patience(self) -> bool:
        patience = self.config.patience
        return patience is not None and self.evaluations_since_best >= patience

    # ------------------------------------------------------------------ disk

    def _take_up(self) -> None:
        """Go on from the last checkpoint, if it is one of this run."""
        adapter = self.model.adapter
        self._run = {
            "steps": self.total_steps,
            **{name: getattr(self.config, name) for name in _DECISIVE},
            **self.model.config.to_dict(),
            "adapter": asdict(adapter) if adapter is not None else None,
            "data": self._fingerprints(),
        }
        if not resume.is_wanted(self.config.resume):
            return
        with claimed(self.output):
            found = resume.open_checkpoint(self.output, self._run)
            if found is not None:
                folder, progress = found
                checkpoints.restore(folder, self.model, self.optimizer)
                self.scaler.load_state_dict(progress.get("scaler", {}))
                self.step, self.best = progress["step"], progress["best"]
                self.evaluations_since_best = progress["evaluations_since_best"]
                self.best_digest = checkpoints.restore_best(self.output, folder, progress)

    def _fingerprints(self) -> dict[str, str]:
        """Of all that is learned from and compared with: no part of it may change on the way."""
        saved = self.model.state_dict()
        beside = {name: b for name, b in self.model.named_buffers() if name not in saved}
        found = {"training": fingerprint(self.train_dataset)}
        if self.eval_dataset is not None:
            found["evaluation"] = fingerprint(self.eval_dataset)
        # Class weights, for example, are no part of the weights.
        return {**found, "constants": of_values({k: b.cpu() for k, b in beside.items()})}

    def _save_checkpoint(self) -> None:
        progress = {
            "step": self.step,
            "best": self.best,
            "evaluations_since_best": self.evaluations_since_best,
            "scaler": self.scaler.state_dict(),
            "run": self._run,
        }
        checkpoints.save(self.output, self.model, self.optimizer, progress, self.best_digest)

    def _finish(self) -> None:
        """Take the best weights and save the model."""
        distributed.wait()
        if self.best is not None:
            best = checkpoints.read_best(self.output, self.best_digest)
            states.load_full_state_dict(self.model, best)
        state = states.full_state_dict(self.model)
        if distributed.is_main():
            self.model.save_pretrained(self.output, overwrite=True, state=state)
        distributed.wait()
        self.model.eval()
