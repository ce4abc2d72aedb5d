"""What speaks against a model that has just been trained: said, because metrics alone hide it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minibert.finetuning.evaluate import Report
from minibert.finetuning.word_counts import LOSS

_FELL = 0.97  # of what the loss was in the beginning; above that it has not fallen


def doubts(
    history: Sequence[Mapping[str, float]],
    reports: Mapping[str, Report],
    sizes: Mapping[str, int],
    baseline: Mapping[str, float],
    metric: str,
) -> list[str]:
    """A line for whatever a user should know before trusting the model.

    Args:
        history: of `Trainer.fit`.
        reports: by split.
        sizes: examples of these splits.
        baseline: what counted words reach there, if they were tried.
        metric: what they and the model are compared by.

    Returns:
        a line where the loss did not fall, where everything is predicted the same, and where
        counted words do better.
    """
    told = []
    losses = [entry["loss"] for entry in history if "loss" in entry]
    part = max(1, len(losses) // 4)
    if len(losses) > 1:
        first, last = (sum(some) / part for some in (losses[:part], losses[-part:]))
        if last > _FELL * first:
            told.append(
                f"the loss of training did not fall ({first:.3f} in the beginning, {last:.3f} in "
                "the end): try another learning_rate=..., more epochs=..., or look at the labels"
            )
    for split, report in reports.items():
        if report.constant is not None:
            told.append(
                f"every prediction on {split} is {report.constant}: the model has not learned to "
                "tell the examples apart"
            )
    for split, score in baseline.items():
        own = reports[split].metrics[metric]
        if (own > score) if metric == LOSS else (own < score):
            told.append(
                f"on {split} ({sizes[split]:,} examples) counted words with a linear model do "
                f"better: {metric} {score:.3f} against {own:.3f}. More examples, another base or "
                "sweep=... may help; else take the simpler model"
            )
    return told
