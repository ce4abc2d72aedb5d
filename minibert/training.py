"""One loop for pre-training and fine-tuning, on one process or many."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from minibert import checkpoint, distributed, optimization, snapshots
from minibert.batching import BatchSource, derived_seed, epoch_batches, ordered_batches, seeded
from minibert.model import PretrainedModel

# From (batch, output) of every evaluation batch to named numbers.
Metrics = Callable[[Iterable[tuple[dict[str, Tensor], Any]]], dict[str, float]]

_LOG_EVERY = 10  # steps; the loss stays on the device in between


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    output_dir: where log, snapshots and the model go. batch_size: examples of one update, whatever
    the number of processes and `accumulation_steps`: those only cut it into parts. eval_every,
    save_every: in steps; once an epoch where not given. best_metric: keep the weights of the
    evaluation with the highest value of it (of the lowest loss where not given); patience: stop
    after so many evaluations without a better one. parallel: "ddp" or "fsdp", under `torchrun`.

    Raises:
        ValueError: if a value is out of range.
    """

    output_dir: str | Path
    epochs: int = 3
    max_steps: int | None = None
    batch_size: int = 32
    learning_rate: float = 5e-5
    warmup_ratio: float = 0.1
    schedule: str = "linear"
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    accumulation_steps: int = 1
    precision: str = "auto"
    device: str = "auto"
    compile: bool = False
    seed: int = 0
    eval_every: int | None = None
    save_every: int | None = None
    resume: bool = False
    best_metric: str | None = None
    patience: int | None = None
    parallel: str = "ddp"
    tensorboard: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulation_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("max_steps", "eval_every", "save_every", "patience"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.warmup_ratio <= 1:
            raise ValueError(f"warmup_ratio must be between 0 and 1, not {self.warmup_ratio}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be above 0, not {self.learning_rate}")
        for name, allowed in (
            ("schedule", optimization.SCHEDULES),
            ("precision", optimization.PRECISIONS),
            ("device", optimization.DEVICES),
            ("parallel", distributed.PARALLEL),
        ):
            if getattr(self, name) not in allowed:
                value, names = getattr(self, name), ", ".join(allowed)
                raise ValueError(f"unknown {name} {value!r}: choose from {names}")


class Trainer:
    """Train a model on a data set, evaluate, keep the best, survive being killed.

    Everything random is derived from `seed` and the step, so a resumed run ends with the same
    bits as one that was never stopped.

    Args:
        model: any model with a head.
        train_dataset, eval_dataset: see `minibert.batching.BatchSource`.
        metrics: what to report of an evaluation besides the loss.

    Raises:
        ValueError: if `output_dir` is not empty and `resume` is off.
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
        self.device = distributed.start(optimization.choose_device(config.device))
        self.precision = optimization.choose_precision(config.precision, self.device)
        if config.batch_size % self._parts:
            raise ValueError(
                f"a batch of {config.batch_size} cannot be cut into {self._parts} equal parts "
                "(accumulation steps x processes)"
            )
        self.model.to(self.device)
        # What computes; `self.model` is what is saved. They share their weights.
        self.runner = distributed.wrap(model, config.parallel)
        if config.compile:
            self.runner = torch.compile(self.runner)
        groups = optimization.parameter_groups(model, config.weight_decay)
        self.optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, fused=config.parallel == "ddp"
        )
        self.epoch_steps = math.ceil(len(train_dataset) / config.batch_size)
        self.total_steps = config.max_steps or config.epochs * self.epoch_steps
        self.step = 0
        self.best: float | None = None
        self.evaluations_since_best = 0
        self.history: list[dict[str, float]] = []
        self.tensorboard: Any = None

    @property
    def _parts(self) -> int:
        return self.config.accumulation_steps * distributed.world_size()

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
        self._begin()
        self.runner.train()
        try:
            for batch in self._progress(self._batches()):
                self._update(batch)
                self._report()
                if self._is_due(self.config.eval_every) and self._evaluate_and_keep_best():
                    break
                if self._is_due(self.config.save_every) and self.step < self.total_steps:
                    self._save_snapshot()
        except KeyboardInterrupt:
            self._save_snapshot()
            if distributed.is_main():
                tqdm.write(
                    f"stopped at step {self.step} and saved: go on with --resume "
                    f"(resume=True) and the same output folder {self.output}"
                )
            raise
        self._finish()
        return self.history

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

    def _update(self, batch: dict[str, Tensor]) -> None:
        """One step of the optimizer on one batch, cut in parts where asked."""
        config = self.config
        rate = config.learning_rate * optimization.learning_rate_factor(
            config.schedule,
            self.step,
            self.total_steps,
            int(config.warmup_ratio * self.total_steps),
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parts = split_batch(batch, self._parts)
        processes, own = distributed.world_size(), distributed.rank()
        for number, (part, weight) in list(enumerate(parts))[own::processes]:
            # Dropout, too, depends on the step alone.
            torch.manual_seed(derived_seed(config.seed, self.step, 1 + number))
            is_last = number + processes >= len(parts)
            with distributed.gradients_exchanged(self.runner, is_last):
                with optimization.autocast(self.precision, self.device):
                    loss = self.runner(**self._to_device(part)).loss * weight
                # Processes average their gradients; the parts' weights ask for a sum.
                (loss * processes).backward()
            self._loss += loss.detach()
        self._gradient_norm = clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._tokens += int(batch["input_ids"].numel())
        self.step += 1

    def _to_device(self, batch: dict[str, Tensor]) -> dict[str, Any]:
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

        Corruption is drawn from a fixed seed: every evaluation sees the same blanks.
        """
        dataset = dataset if dataset is not None else self.eval_dataset
        if dataset is None:
            raise ValueError("there is no evaluation set")
        was_training = self.model.training
        self.runner.eval()
        batches = ordered_batches(dataset.lengths, self.config.batch_size)
        total, count = 0.0, 0

        def results() -> Iterator[tuple[dict[str, Tensor], Any]]:
            nonlocal total, count
            bar = tqdm(
                batches, desc="evaluating", delay=2, leave=False, disable=not distributed.is_main()
            )
            for number, indices in enumerate(bar):
                batch = dataset.collate(indices, seeded(0, number))
                with optimization.autocast(self.precision, self.device):
                    output = self.runner(**self._to_device(batch))
                total += float(output.loss) * len(indices)
                count += len(indices)
                yield batch, output

        if self.metrics is None:
            for _ in results():
                pass
            report = {}
        else:
            report = self.metrics(results())
        self.runner.train(was_training)
        return {"loss": total / count, **report}

    def _evaluate_and_keep_best(self) -> bool:
        """Evaluate; keep the weights if they are the best; say whether to stop."""
        if self.eval_dataset is None:
            return False
        report = self.evaluate()
        name = self.config.best_metric
        if name is not None and name not in report:
            raise ValueError(f"best_metric {name!r} is not measured: there are {', '.join(report)}")
        value = report[name] if name is not None else -report["loss"]
        is_best = self.best is None or value > self.best
        self.evaluations_since_best = 0 if is_best else self.evaluations_since_best + 1
        self._log({"step": self.step, **{f"eval_{key}": number for key, number in report.items()}})
        if is_best:
            self.best = value
            self._keep_best()
        patience = self.config.patience
        return patience is not None and self.evaluations_since_best >= patience

    # ------------------------------------------------------------------ reports

    def _progress(self, batches: Iterator[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        bar = tqdm(
            total=self.total_steps,
            initial=self.step,
            desc="training",
            unit=" steps",
            delay=1,
            disable=not distributed.is_main(),
        )
        self._bar = bar
        with bar:
            for batch in batches:
                yield batch
                bar.update(1)

    def _report(self) -> None:
        if self.step % _LOG_EVERY and self.step != self.total_steps:
            return
        steps = self.step - self._reported
        loss = distributed.sum_over_processes(self._loss.clone())
        now = time.perf_counter()
        entry = {
            "step": self.step,
            "loss": float(loss) / steps,
            "gradient_norm": float(self._gradient_norm),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "tokens_per_second": round(self._tokens / (now - self._since)),
        }
        self._log(entry)
        self._bar.set_postfix_str(
            f"loss {entry['loss']:.3f}, {entry['tokens_per_second']:,} tokens/s"
        )
        self._reset_window()

    def _reset_window(self) -> None:
        self._loss = torch.zeros((), device=self.device)
        self._tokens, self._since, self._reported = 0, time.perf_counter(), self.step

    def _log(self, entry: dict[str, float]) -> None:
        self.history.append(entry)
        if not distributed.is_main():
            return
        with (self.output / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if self.tensorboard is not None:
            for name, value in entry.items():
                self.tensorboard.add_scalar(name, value, int(entry["step"]))

    # ------------------------------------------------------------------ disk

    def _begin(self) -> None:
        found = snapshots.find(self.output) if self.config.resume else None
        if distributed.is_main():
            self.output.mkdir(parents=True, exist_ok=True)
            settings = {**asdict(self.config), "output_dir": str(self.output)}
            checkpoint.write_json(self.output / "training_config.json", settings)
        if found is not None:
            snapshots.restore(found, self.model, self.optimizer)
            progress = snapshots.read_progress(found)
            self.step, self.best = progress["step"], progress["best"]
            self.evaluations_since_best = progress["evaluations_since_best"]
            self._forget_after(self.step)
        if self.config.tensorboard and distributed.is_main():
            from torch.utils.tensorboard import SummaryWriter

            self.tensorboard = SummaryWriter(str(self.output / "tensorboard"))
        self._reset_window()

    def _forget_after(self, step: int) -> None:
        """Drop what a killed run logged after its last snapshot: it will be logged again."""
        path = self.output / "log.jsonl"
        if not path.is_file():
            return
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self.history = [entry for entry in entries if entry["step"] <= step]
        if distributed.is_main():
            path.write_text("".join(json.dumps(entry) + "\n" for entry in self.history))

    def _save_snapshot(self) -> None:
        progress = {
            "step": self.step,
            "best": self.best,
            "evaluations_since_best": self.evaluations_since_best,
        }
        snapshots.save(self.output, self.model, self.optimizer, progress)

    @property
    def _best_path(self) -> Path:
        return self.output / "best.safetensors"

    def _keep_best(self) -> None:
        state = snapshots.whole_weights(self.model)
        if distributed.is_main():
            checkpoint.write_weights(self._best_path, state)
        distributed.wait()

    def _finish(self) -> None:
        if self.best is not None:
            snapshots.load_whole_weights(self.model, checkpoint.load_tensors(self._best_path))
        state = snapshots.whole_weights(self.model)
        if distributed.is_main():
            self.model.save_pretrained(self.output, overwrite=True, state=state)
            self._best_path.unlink(missing_ok=True)
        distributed.wait()
        snapshots.remove(self.output)
        if self.tensorboard is not None:
            self.tensorboard.close()
        self.model.eval()


def split_batch(batch: dict[str, Tensor], parts: int) -> list[tuple[dict[str, Any], float]]:
    """Cut a batch by rows into parts whose weighted losses add up to the loss of the whole.

    Returns:
        for each part its tensors, with `masked_positions` counted from its own first row and, for
        labels on tokens, its share of the batch's labels as `label_count`; and its weight.
    """
    rows, length = batch["input_ids"].shape
    labels = batch.get("labels")
    has_token_labels = labels is not None and labels.shape == (rows, length)
    if parts == 1:
        return [(dict(batch), 1.0)]
    result = []
    for number in range(parts):
        first, last = rows * number // parts, rows * (number + 1) // parts
        weight = (last - first) / rows
        # Fewer rows than processes: everybody has to take part, if with a row that weighs nothing.
        taken = slice(first, last) if first < last else slice(0, 1)
        part: dict[str, Any] = {
            name: value[taken] for name, value in batch.items() if name != "masked_positions"
        }
        if has_token_labels:
            part["label_count"] = max(1.0, float((labels != -100).sum()) * weight)
        if "masked_positions" in batch:
            flat = part["labels"].flatten()
            part["masked_positions"] = (flat != -100).nonzero().squeeze(1)
        result.append((part, weight))
    return result


def check_output(output: Path, resume: bool) -> None:
    """Refuse to write where something is already.

    Raises:
        ValueError: saying how to go on, or that the run is finished.
    """
    if resume and (output / checkpoint.CONFIG_FILE).is_file() and snapshots.find(output) is None:
        raise ValueError(f"{output} holds a finished model: there is nothing to resume")
    if resume or not output.is_dir() or not any(output.iterdir()):
        return
    found = snapshots.find(output)
    hint = "choose another folder"
    if found is not None:
        step = snapshots.read_progress(found)["step"]
        hint = f"pass --resume to go on from step {step}, or another --out"
    raise ValueError(f"{output} is not empty: {hint}")
