"""What training does where nothing is said: a learning rate that suits the model, enough steps.

Three epochs of 240 texts are 24 steps, in which a new head learns nothing: few examples go round
more often. Small models want, and bear, higher learning rates than large ones. For the Base size
Devlin et al. (2019, appendix A.3) found 2e-5 to 5e-5; on development splits here, 1e-4 was best for
a hidden size of 384 and 2e-4 for 256 (`benchmarks/TRIED.md`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from math import ceil
from typing import Any

from minibert.training.config import TrainingConfig

LEAST_STEPS = 300
_EPOCHS = 3
_FEW = 5000  # examples; fewer go in smaller batches, which is as many steps for half of the work
_RATES = ((128, 3e-4), (256, 2e-4), (512, 1e-4), (768, 3e-5))  # up to a hidden size
_RATE_ABOVE = 2e-5
_ADAPTER = 10  # times as much for an adapter: it begins at zero, beside weights that do not move
_EVALUATIONS = 20  # in all, where there are more epochs than that
# What is chosen where it is not given, and by what.
CHOSEN = {
    "epochs": f"default: {_EPOCHS}, or as many as make {LEAST_STEPS} steps",
    "batch_size": f"default: 32; 16 for fewer than {_FEW:,} examples",
    "learning_rate": "default: by the size of the base, such as 1e-4 for minilm, 3e-5 for Base",
}


def suited_rate(hidden_size: int, has_adapter: bool = False) -> float:
    """The learning rate that suits a model of this hidden size."""
    rate = next((rate for size, rate in _RATES if hidden_size <= size), _RATE_ABOVE)
    return float(f"{rate * (_ADAPTER if has_adapter else 1):.1g}")


def suited(
    training: TrainingConfig,
    given: Collection[str],
    examples: int,
    hidden_size: int,
    *,
    has_adapter: bool = False,
    parts: int = 1,
) -> tuple[TrainingConfig, list[str]]:
    """The settings that suit a model and its data, wherever the user has given none.

    Args:
        training: with the user's own values; those not in `given` are replaced.
        given: names of the fields that keep their values; `max_steps` always does.
        examples: to train on.
        hidden_size: of the base.
        has_adapter: whether only an adapter is trained.
        parts: what a batch has to be divisible by.

    Returns:
        the settings, and a line on each choice with its reason.
    """
    chosen: dict[str, Any] = {}
    told: list[str] = []
    if "learning_rate" not in given:
        chosen["learning_rate"] = suited_rate(hidden_size, has_adapter)
        what = f"an adapter beside a hidden size of {hidden_size}"
        suits = what if has_adapter else f"a hidden size of {hidden_size}"
        told.append(f"learning rate {chosen['learning_rate']:g}, which suits {suits}")
    if "batch_size" not in given and examples < _FEW and training.batch_size // 2 % parts == 0:
        chosen["batch_size"] = training.batch_size // 2
    batch_size = chosen.get("batch_size", training.batch_size)
    if training.max_steps is not None:
        return replace(training, **chosen), told
    a_round = ceil(examples / batch_size)
    if "epochs" not in given:
        chosen["epochs"] = max(_EPOCHS, ceil(LEAST_STEPS / a_round))
        why = f", for {LEAST_STEPS} steps at least" if chosen["epochs"] > _EPOCHS else ""
        told.append(
            f"{chosen['epochs']} epochs of {examples:,} examples in batches of {batch_size}{why}"
        )
    epochs = chosen.get("epochs", training.epochs)
    if epochs > _EVALUATIONS:
        every = ceil(epochs * a_round / _EVALUATIONS)
        for name in ("eval_every", "save_every"):
            if getattr(training, name) is None:
                chosen[name] = every
    return replace(training, **chosen), told
