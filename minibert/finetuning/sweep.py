"""Several learning rates, each trained in full; the best on the development split is kept."""

from __future__ import annotations

import math
import os
import shutil
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minibert.data.splits import Splits
from minibert.finetuning.recipe import finetune, noted_base
from minibert.finetuning.settings import FinetuningSettings, TaskSettings
from minibert.training.config import TrainingConfig
from minibert.training.resume import SETTINGS_FILE, check_output
from minibert.weights.files import read_json, write_json
from minibert.weights.folder import ADAPTER_CONFIG_FILE

TABLE_FILE = "sweep.json"
_FACTORS = (1.0, 2.0, 0.5, 4.0, 0.25)  # of the rate given, in the order in which they are tried
_FOLDER = "sweep"
Metrics = dict[str, dict[str, float]]


@dataclass
class _Candidate:
    """A rate that was tried, where its model is, and what was found and warned of."""

    folder: Path
    metrics: Metrics
    warned: list[str]
    score: float


def sweep(
    splits: Splits[Any],
    base: str,
    settings: TaskSettings,
    training: TrainingConfig,
    finetuning: FinetuningSettings,
    minutes: float,
    tell: Callable[[str], None] = lambda line: None,
) -> Metrics:
    """Fine-tune with several learning rates and keep the model that is best on the dev split.

    The rate of `training` first, then its double, its half, and further; a rate is begun if, going
    by the slowest so far, it ends in time. The test split has no say.

    Args:
        splits, base, settings, training, finetuning: as for `finetune`.
        minutes: for all rates together; the first is trained whatever it takes.
        tell: gets a line about each rate when it is done.

    Returns:
        what `finetune` returns, for the model that was kept. `sweep.json` beside it has the metrics
        on the dev split of every rate.

    Raises:
        ValueError, FileNotFoundError: as `finetune` does; without a dev split; for a run to resume.
    """
    out = Path(training.output_dir)
    _check(splits, training, minutes)
    began = time.perf_counter()
    table: list[dict[str, Any]] = []
    best: _Candidate | None = None
    slowest = 0.0
    try:
        for factor in _FACTORS:
            since = time.perf_counter()
            if best is not None and since - began + slowest > 60 * minutes:
                break
            rate = float(f"{training.learning_rate * factor:.3g}")
            candidate = _trained(splits, base, settings, training, finetuning, rate)
            slowest = max(slowest, time.perf_counter() - since)
            table.append({"learning_rate": rate, **candidate.metrics["dev"]})
            tell(f"learning rate {rate:g}: {candidate.score:.4f} on dev")
            # Of equals the one nearer to what was asked for: it came first.
            is_better = best is None or candidate.score > best.score
            worse = best if is_better else candidate
            if worse is not None:
                shutil.rmtree(worse.folder)
            if is_better:
                best = candidate
    except BaseException:
        if best is None:
            shutil.rmtree(out / _FOLDER, ignore_errors=True)
        raise
    assert best is not None
    _take(best.folder, out, base)
    write_json(out / TABLE_FILE, table)
    for line in best.warned:
        warnings.warn(line, stacklevel=1)
    return best.metrics


def _check(splits: Splits[Any], training: TrainingConfig, minutes: float) -> None:
    if not minutes > 0 or math.isinf(minutes):
        raise ValueError(f"sweep must be a number of minutes above 0, not {minutes}")
    if training.resume:
        raise ValueError("sweep cannot be resumed: leave resume=True out, in another output_dir")
    if not splits.dev:
        raise ValueError("sweep chooses on the dev split, and there is none: give one")
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ValueError("sweep trains in one process: start it without torchrun")
    check_output(Path(training.output_dir), False)


def _trained(
    splits: Splits[Any],
    base: str,
    settings: TaskSettings,
    training: TrainingConfig,
    finetuning: FinetuningSettings,
    rate: float,
) -> _Candidate:
    folder = Path(training.output_dir) / _FOLDER / f"{rate:g}"
    one = replace(training, learning_rate=rate, output_dir=folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        metrics = finetune(splits, base, settings, one, finetuning)
    noted = read_json(folder / SETTINGS_FILE)
    by = noted["best_metric"]
    dev = metrics["dev"]
    score = dev[by] if by is not None else -dev["mean_squared_error"]
    return _Candidate(folder, metrics, [str(warning.message) for warning in caught], score)


def _take(folder: Path, out: Path, base: str) -> None:
    """Make what is in the folder of the best rate the run's own."""
    for path in folder.iterdir():
        path.rename(out / path.name)
    shutil.rmtree(out / _FOLDER)
    write_json(out / SETTINGS_FILE, {**read_json(out / SETTINGS_FILE), "output_dir": str(out)})
    adapter = out / ADAPTER_CONFIG_FILE
    if adapter.is_file():  # it may name its base by the way from one folder to the other
        write_json(adapter, {**read_json(adapter), "base": noted_base(base, out)})
