"""How sure a model is, and whether it should be: calibration, temperature; intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_TEMPERATURES = (0.1, 10.0)  # the least and the most that are tried
_MISTAKES = 5  # without as many, a temperature would follow one row


class Reliability(NamedTuple):
    """One entry for each non-empty bin of confidence: (bins,) arrays."""

    confidence: np.ndarray  # mean confidence in the bin
    accuracy: np.ndarray  # fraction of the bin that was right
    counts: np.ndarray  # predictions in the bin


def reliability_curve(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: int = 10
) -> Reliability:
    """How often a model is right, by how sure it is (Guo et al. 2017, section 2).

    Args:
        probabilities: (N, C) rows that sum to 1: confidence is the largest, "right" means that
            it is the label's. Or (N,) the probability that the label is 1.
        labels: (N,) classes from 0.
        bins: equal bins of confidence between 0 and 1, each open below; empty ones are left out.
    """
    p, truth = _probabilities(probabilities, labels)
    confidence = p if p.ndim == 1 else p.max(-1)
    right = truth == 1 if p.ndim == 1 else p.argmax(-1) == truth
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    used = count > 0
    mean_confidence = np.bincount(which, confidence, bins)[used] / count[used]
    return Reliability(
        mean_confidence, np.bincount(which, right, bins)[used] / count[used], count[used]
    )


def expected_calibration_error(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: int = 10
) -> float:
    """Mean distance between confidence and accuracy over the bins, weighted by their counts."""
    confidence, right, count = reliability_curve(probabilities, labels, bins)
    return float((np.abs(confidence - right) * count).sum() / count.sum())


def brier_score(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean squared distance between the probabilities and the truth; smaller is better.

    With (N,), the probability of label 1, it lies between 0 and 1. With (N, C) it is summed over
    the classes as Brier (1950) did and lies between 0 and 2: twice the former for two classes.
    """
    p, truth = _probabilities(probabilities, labels)
    if p.ndim == 1:
        return float(((p - truth) ** 2).mean())
    return float(((p - np.eye(p.shape[1])[truth]) ** 2).sum(-1).mean())


def scaled(probabilities: npt.ArrayLike, temperature: float) -> np.ndarray:
    """The probabilities that a softmax gives for logits divided by a temperature.

    Above 1 it makes a model less sure, below 1 surer; which class comes first never changes. (N, C)
    in and out. Where rows are means over windows, it is their logarithms that are divided.
    """
    # What float32 rounded to zero is not quite impossible.
    logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), 1e-45)) / temperature
    raised = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


def fit_temperature(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The temperature under which the labels are most probable (Guo et al. 2017, section 4.2).

    Fit it on rows that the model was not trained on. Fewer than five mistakes on them say too
    little of how sure it should be, and 1 is returned; else a number between 0.1 and 10.

    Args:
        probabilities: (N, C) rows that sum to 1.
        labels: (N,) classes from 0.
    """
    p, truth = _probabilities(probabilities, labels)
    if (p.argmax(-1) != truth).sum() < _MISTAKES:
        return 1.0

    def loss(logarithm: float) -> float:
        chances = scaled(p, float(np.exp(logarithm)))[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(chances, 1e-300)).mean())

    # The loss has one valley over 1 / temperature, so thirds that cannot hold it are cut off.
    low, high = np.log(_TEMPERATURES)
    while high - low > 1e-4:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    return round(float(np.exp((low + high) / 2)), 3)


def wilson_interval(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Confidence interval for a proportion that was measured as `successes / trials` (Wilson 1927).

    z = 1.96 gives 95 %. Unlike p ± z·s it stays between 0 and 1 and is right near the ends.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} successes in {trials} trials is not a proportion")
    p, spread = successes / trials, z * z / trials
    centre = (p + spread / 2) / (1 + spread)
    half = z * np.sqrt(p * (1 - p) / trials + spread / (4 * trials)) / (1 + spread)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


# 97.5 % quantiles of Student's t for 1, 2, … 10 degrees of freedom; beyond, a series.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def mean_interval(values: npt.ArrayLike) -> tuple[float, float, float]:
    """Mean of a few runs and its 95 % interval, by Student's t: (mean, low, high).

    For outcomes that differ by the seed alone. With three runs the interval is wide, as it
    should be: three runs say little about the fourth.

    Raises:
        ValueError: for fewer than two values, whose spread nobody can know.
    """
    runs = np.asarray(values, dtype=np.float64)
    if runs.ndim != 1 or len(runs) < 2:
        raise ValueError(f"an interval needs two runs or more, not values of shape {runs.shape}")
    freedom = len(runs) - 1
    z = 1.959964  # of the normal distribution, and its first corrections for t
    series = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    t = _T[freedom - 1] if freedom <= len(_T) else series
    mean, half = runs.mean(), t * runs.std(ddof=1) / np.sqrt(len(runs))
    return float(mean), float(mean - half), float(mean + half)


def _probabilities(
    probabilities: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    p, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if truth.ndim != 1 or len(p) != len(truth) or len(truth) == 0:
        raise ValueError(f"probabilities {p.shape} do not fit labels {truth.shape}")
    if p.min() < -1e-6 or p.max() > 1 + 1e-6:
        raise ValueError("probabilities must lie between 0 and 1: apply softmax or sigmoid first")
    return p, truth
