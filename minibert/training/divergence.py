"""A training that diverges is stopped where it is noticed, before anything of it is saved.

Losses and gradients are looked at where the loss is read anyway, every few steps and before
anything is written: to read a number waits for the GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from minibert.training import checkpoints, distributed
from minibert.weights.files import NotFinite


class Watch:
    """Losses and gradient norms since the last look, left on their device.

    Args:
        output: the run's folder, where the checkpoint to go back to is.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._steps: list[tuple[int, float]] = []
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []

    def note(self, step: int, rate: float, loss: Tensor, gradient_norm: Tensor) -> None:
        """Remember one step: this process's part of its loss, and the norm before clipping."""
        self._steps.append((step, rate))
        self._losses.append(loss)
        self._norms.append(gradient_norm)

    def check(self) -> None:
        """Look at all steps since the last look; every process must call this.

        Raises:
            ValueError: for the first step with a loss or a gradient that is no finite number.
        """
        if not self._steps:
            return
        losses = distributed.sum_over_processes(torch.stack(self._losses).float())
        norms = torch.stack([distributed.full_tensor(norm) for norm in self._norms]).float()
        steps, values = self._steps, torch.stack((losses, norms), dim=1).tolist()
        self._steps, self._losses, self._norms = [], [], []
        for (step, rate), (loss, norm) in zip(steps, values, strict=True):
            for what, value in (("loss", loss), ("norm of the gradient", norm)):
                if not math.isfinite(value):
                    raise diverged(self._output, step, rate, f"the {what} is {value}")


@contextmanager
def explained(output: Path, where: Callable[[], tuple[int, float]]) -> Iterator[None]:
    """Within, weights that are refused for not being finite are told as what they mean.

    Args:
        output: the run's folder.
        where: the step and the learning rate at that moment.
    """
    try:
        yield
    except NotFinite as error:
        raise diverged(output, *where(), str(error)) from None


def diverged(output: Path, step: int, rate: float, what: str) -> ValueError:
    """The error that ends a run: what is no number, and where to go back to."""
    found = checkpoints.find(output)
    before = "no checkpoint was made before"
    if found is not None:
        then = checkpoints.read_progress(found)["step"]
        before = f"the checkpoint to go back to is that of step {then}, in {found}"
    return ValueError(
        f"step {step}, learning rate {rate:.3g}: {what}. The training has diverged, and nothing of "
        f"that is saved; {before}. Start with a lower learning_rate in another output_dir"
    )
