"""Do probabilities mean what they say? Reliability bins, and the expected calibration error made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semreg.errors import SemregError
from semreg.evaluation.logistic import fit_logistic
from semreg.evaluation.tagging import as_labels, as_scores, ratio, require_same_shape


@dataclass(frozen=True)
class Reliability:
    """Answers sorted by their probability into bins of equal width; (bins,) each.

    Attributes:
        edges: (bins + 1,) where the bins begin and end, 0..1.
        counts: answers in each bin.
        probability: their mean probability; 0 in an empty bin.
        frequency: the share of them that is right; 0 in an empty bin.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    probability: NDArray[np.float64]
    frequency: NDArray[np.float64]

    @property
    def error(self) -> float:
        """The expected calibration error: |probability - frequency|, weighted by the answers; 0 without any."""
        return float(ratio((self.counts * np.abs(self.probability - self.frequency)).sum(), self.counts.sum()))


def reliability(scores: ArrayLike, true: ArrayLike, bins: int = 15) -> Reliability:
    """Sort all N K answers into bins by their probability.

    Args:
        scores: (N, K) probabilities in 0..1.
        true: (N, K) booleans or 0/1.
        bins: number of bins, at least 1.

    Raises:
        SemregError: scores outside 0..1, arrays of different shape, or no bin.
    """
    values, labels = as_scores(scores), as_labels(true, "true tags")
    require_same_shape(values, labels)
    if bins < 1:
        raise SemregError(f"the number of bins must be at least 1, is {bins}: pass 15")
    if values.size and (values.min() < 0 or values.max() > 1):
        raise SemregError(
            "calibration needs probabilities in 0..1, scores reach from "
            f"{values.min():g} to {values.max():g}: apply a sigmoid or a softmax first"
        )
    which = np.minimum((values * bins).astype(np.intp), bins - 1).ravel()
    counts = np.bincount(which, minlength=bins)
    sums = np.bincount(which, values.ravel().astype(np.float64), minlength=bins)
    hits = np.bincount(which[labels.ravel()], minlength=bins)
    return Reliability(np.linspace(0, 1, bins + 1), counts, ratio(sums, counts), ratio(hits, counts))


def fit_scale(scores: ArrayLike, true: ArrayLike, thresholds: ArrayLike, rounds: int = 50) -> tuple[float, float]:
    """Fit p = sigmoid(slope * (logit(score) - logit(threshold)) + offset), all classes together, to be calibrated.

    Platt scaling (Platt 1999) of each answer's distance to its class's threshold, so that p says one thing at the
    thresholds of all classes. Logistic regression, slightly drawn to slope 1.

    Args:
        scores: (N, K) probabilities in 0..1.
        true: (N, K) booleans or 0/1.
        thresholds: (K,), or one for all.
        rounds: steps at most.

    Returns:
        slope, at least 0.05 so that the order stays; offset.

    Raises:
        SemregError: arrays of different shape.
    """
    values, labels = as_scores(scores), as_labels(true, "true tags")
    require_same_shape(values, labels)
    distance = _logit(values) - _logit(np.broadcast_to(np.asarray(thresholds, dtype=np.float64), values.shape))
    x = np.stack([distance.ravel(), np.ones(distance.size)], 1)  # (N K, 2)
    y, usual = labels.ravel().astype(np.float64), (1.0, 0.0)
    weights = fit_logistic(x, y, start=usual, ridge=(1.0, 1e-6), towards=usual, rounds=rounds)
    return max(float(weights[0]), 0.05), float(weights[1])


def _logit(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Log odds, within +-12: nearer to 0 or 1 single precision tells nothing more."""
    inside = np.clip(values.astype(np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(np.clip(np.log(inside) - np.log1p(-inside), -12.0, 12.0), dtype=np.float64)


def expected_calibration_error(scores: ArrayLike, true: ArrayLike, bins: int = 15) -> float:
    """Mean distance between probability and frequency (Guo et al., ICML 2017) over all N K answers.

    The answers are sorted into bins of equal width by their probability; each bin adds |mean probability -
    share of positives|, weighted by its share of the answers.

    Args:
        scores: (N, K) probabilities in 0..1.
        true: (N, K) booleans or 0/1.
        bins: number of bins, at least 1.

    Returns:
        0 (calibrated) .. 1; 0 without any answer.

    Raises:
        SemregError: as `reliability`.
    """
    return reliability(scores, true, bins).error
