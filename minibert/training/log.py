"""What a run reports while it goes on: `log.jsonl`, the progress bar, TensorBoard where asked."""

from __future__ import annotations

import math
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from tqdm import tqdm

from minibert.data.strict_json import dump_json, parse_json
from minibert.training import distributed
from minibert.training.divergence import Watch
from minibert.training.throughput import Work
from minibert.weights.files import named_errors, write_text

LOG_FILE = "log.jsonl"
_EVERY = 10  # steps; the loss stays on the device in between
_DELAY = 1  # seconds until the bar shows


class TrainingLog:
    """The log of one run. Every process keeps one and calls the same methods; the first writes.

    Args:
        output: the run's folder; what was logged there after `step` is dropped, because a resumed
            run logs it again.
        step: how far the run is.
        total: steps in all.
        tensorboard: also write events for TensorBoard.
        best_rate: FLOPs a second that a GPU reaches at best; then an entry has "mfu", the share of
            them that goes into the model, and "peak_memory_gib".

    Raises:
        ValueError: if TensorBoard is asked for and not installed.
    """

    def __init__(
        self,
        output: Path,
        step: int,
        total: int,
        tensorboard: bool,
        best_rate: float | None = None,
    ) -> None:
        self._path = output / LOG_FILE
        self._total, self._best_rate = total, best_rate
        self._writer: Any = None
        self.entries: list[dict[str, float]] = []
        if distributed.is_main():
            self.entries = [entry for entry in _read(self._path) if entry["step"] <= step]
            write_text(self._path, "".join(map(_line, self.entries)))
            if tensorboard:
                self._writer = _summary_writer()(str(output / "tensorboard"), purge_step=step + 1)
        self._watch = Watch(output)
        self._bar = tqdm(
            total=total,
            initial=step,
            desc="training",
            unit=" steps",
            delay=_DELAY,
            **distributed.bar_options(),
        )
        self._start_window(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._writer is not None:
            self._writer.close()

    def _start_window(self, step: int) -> None:
        self._loss: Tensor | None = None
        self._step_loss: Tensor | None = None
        self._work, self._since, self._first = Work(), time.perf_counter(), step

    def add_loss(self, loss: Tensor) -> None:
        """This process's part of a step's loss, left on its device."""
        self._loss = loss if self._loss is None else self._loss + loss
        self._step_loss = loss if self._step_loss is None else self._step_loss + loss

    def step_done(self, step: int, work: Work, gradient_norm: Tensor, rate: float) -> None:
        """Count a step, and log the mean of the steps since the last entry every tenth time.

        Raises:
            ValueError: if the loss or the gradient of one of them is no finite number.
        """
        assert self._loss is not None, "add_loss comes first"
        assert self._step_loss is not None
        self._watch.note(step, rate, self._step_loss, gradient_norm)
        self._step_loss = None
        self._work += work
        self._bar.update(1)
        if step % _EVERY and step != self._total:
            return
        self.check()
        loss = float(distributed.sum_over_processes(self._loss.clone())) / (step - self._first)
        seconds = time.perf_counter() - self._since
        tokens, flops = self._work
        if (processes := distributed.world_size()) > 1:
            done = torch.tensor([tokens, flops], dtype=torch.float64)
            tokens, flops = distributed.sum_over_processes(done).tolist()
        speed = round(tokens / seconds)
        entry = {
            "step": step,
            "loss": loss,
            "gradient_norm": float(distributed.full_tensor(gradient_norm)),
            "learning_rate": rate,
            "tokens_per_second": speed,
        }
        told = f"loss {loss:.3f}, {speed:,} tokens/s"
        if self._best_rate is not None:
            entry["mfu"] = round(flops / seconds / self._best_rate / processes, 4)
            entry["peak_memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
            told += f", {entry['mfu']:.0%} of the GPU, {entry['peak_memory_gib']:.1f} GiB"
        self.write(entry)
        self._bar.set_postfix_str(told, refresh=False)
        self._start_window(step)

    def check(self) -> None:
        """Refuse to go on from a step whose loss or gradient is no finite number: see `Watch`."""
        self._watch.check()

    def write(self, entry: dict[str, float]) -> None:
        """One line of the log; it has the key "step". A metric that is NaN is null in the file."""
        self.entries.append(entry)
        if not distributed.is_main():
            return
        with named_errors(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(_line(entry))
        if self._writer is not None:
            for name, value in entry.items():
                if name != "step":
                    self._writer.add_scalar(name, value, int(entry["step"]))

    @contextmanager
    def clock_stopped(self) -> Iterator[None]:
        """What happens inside does not count as training time."""
        started = time.perf_counter()
        yield
        self._since += time.perf_counter() - started


def _line(entry: dict[str, float]) -> str:
    finite = {name: value if math.isfinite(value) else None for name, value in entry.items()}
    return dump_json(finite) + "\n"


def _read(path: Path) -> list[dict[str, float]]:
    """The entries of a log; a last line that a killed process left half written is none.

    A damaged line is left out with a warning, and the whole log kept beside the new one.
    """
    if not path.is_file():
        return []
    *lines, _unfinished = path.read_bytes().split(b"\n")
    entries, damaged = [], []
    for number, line in enumerate(lines, 1):
        try:
            entry = parse_json(line.decode("utf-8"))
        except ValueError:
            entry = None
        if isinstance(entry, dict) and isinstance(entry.get("step"), int):
            entries.append({k: math.nan if v is None else v for k, v in entry.items()})
        else:
            damaged.append(number)
    if damaged:
        kept = path.with_name(f"{path.stem}.damaged{path.suffix}")
        shutil.copyfile(path, kept)
        told = ", ".join(map(str, damaged[:5])) + (" ..." if len(damaged) > 5 else "")
        warnings.warn(
            f"{path}, line {told}: not an entry of a log, left out ({kept.name} has the whole log)",
            stacklevel=2,
        )
    return entries


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ValueError("TensorBoard is not installed: pip install tensorboard") from None
    return SummaryWriter
