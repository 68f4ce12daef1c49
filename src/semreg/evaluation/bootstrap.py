"""Is one model better than another, or were the test pictures kind to it? Paired bootstrap over the pictures.

Both models are scored on the same pictures, drawn again and again with replacement; how their difference scatters says
how far it can be trusted (Efron and Tibshirani, 1993). Letters: N pictures, K classes, R draws. A model may be given as
several runs (seeds): each draw then compares the means over the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semreg.errors import SemregError
from semreg.evaluation.tagging import Bools, as_labels, as_scores, require_same_shape

Floats = NDArray[np.float64]

TAG_METRICS = ("C-F1", "C-F1 mean", "O-F1")
_DRAWS = 2000


@dataclass(frozen=True)
class Difference:
    """How much the first of two models is ahead of the second.

    Attributes:
        difference: of the metric on all pictures, first minus second.
        low: lower end of the 95 percent interval.
        high: upper end of it.
        p: two-sided: how often chance alone would turn the difference round, at least 1 / (R + 1).
    """

    difference: float
    low: float
    high: float
    p: float


def compare_tags(
    first: Sequence[ArrayLike], second: Sequence[ArrayLike], true: ArrayLike, metric: str, draws: int = _DRAWS
) -> Difference:
    """Two models' tags against each other.

    Args:
        first: for each run of the first model the tags given, (N, K) booleans.
        second: the same of the second model; it may have another number of runs.
        true: (N, K) booleans.
        metric: "C-F1", "C-F1 mean" or "O-F1", as in `tagging_scores`.
        draws: R.

    Raises:
        SemregError: an unknown metric, no run, or arrays of different shape.
    """
    if metric not in TAG_METRICS:
        raise SemregError(f"metric must be one of {', '.join(TAG_METRICS)}, is {metric!r}: pass one of these")
    labels = as_labels(true, "true tags")
    weights = _draw(len(labels), draws)
    means = [_mean([_tag_metric(weights, run, labels, metric) for run in runs]) for runs in (first, second)]
    return _difference(means[0] - means[1])


def compare_rankings(first: ArrayLike, second: ArrayLike, true: ArrayLike, draws: int = _DRAWS) -> Difference:
    """Two models' scores by mean average precision; each draw's mean leaves out the classes that it has no positive of.

    Args:
        first: (N, K) scores of the first model.
        second: the same of the second model.
        true: (N, K) booleans.
        draws: R.

    Raises:
        SemregError: arrays of different shape, or scores that are not finite.
    """
    labels = as_labels(true, "true tags")
    weights = _draw(len(labels), draws)
    values = [as_scores(scores) for scores in (first, second)]
    for scores in values:
        require_same_shape(scores, labels)
    means = [_mean_average_precision(weights, scores, labels) for scores in values]
    return _difference(means[0] - means[1])


def compare_means(first: Sequence[ArrayLike], second: Sequence[ArrayLike], draws: int = _DRAWS) -> Difference:
    """Two models by a score that each picture has, such as CIDEr-D.

    Args:
        first: for each run of the first model the pictures' scores, (N,).
        second: the same of the second model.
        draws: R.

    Raises:
        SemregError: no run, or scores of different length.
    """
    runs = [[np.asarray(scores, dtype=np.float64) for scores in runs] for runs in (first, second)]
    if len({scores.shape for scores in runs[0] + runs[1]}) != 1:
        raise SemregError("both models must be scored on the same pictures: give a score for each picture in each run")
    weights = _draw(len(runs[0][0]), draws)
    means = [_mean([weights @ scores / weights.sum(1) for scores in part]) for part in runs]
    return _difference(means[0] - means[1])


def _draw(pictures: int, draws: int) -> Floats:
    """How often each picture is drawn, (R + 1, N): the first row has all pictures once. The same at every call."""
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws)
    return np.concatenate([np.ones((1, pictures)), drawn])


def _tag_metric(weights: Floats, predicted: ArrayLike, true: Bools, metric: str) -> Floats:
    """A metric of `tagging_scores` for each draw, (R + 1,)."""
    given = as_labels(predicted, "predicted tags")
    require_same_shape(given, true)
    hits = weights @ (given & true)  # (R + 1, K)
    guesses, positives = weights @ given, weights @ true
    if metric == "O-F1":
        return _ratio(2 * hits.sum(1), guesses.sum(1) + positives.sum(1))
    counted = positives > 0
    classes = np.maximum(counted.sum(1), 1)
    if metric == "C-F1 mean":
        return np.asarray((_ratio(2 * hits, guesses + positives) * counted).sum(1) / classes)
    precision = (_ratio(hits, guesses) * counted).sum(1) / classes
    recall = _ratio(hits, positives).sum(1) / classes
    return _ratio(2 * precision * recall, precision + recall)


def _mean_average_precision(weights: Floats, scores: NDArray[np.floating], true: Bools) -> Floats:
    """`mean_average_precision` for each draw, (R + 1,): a picture that is drawn twice counts twice, as one rank."""
    total, classes = np.zeros(len(weights)), np.zeros(len(weights))
    for column, right in zip(scores.T, true.T, strict=True):
        order = np.argsort(-column, kind="stable")
        drawn = weights[:, order]
        hits = drawn * right[order]
        falling = column[order]
        last = np.searchsorted(-falling, -falling, side="right") - 1  # of those with the same score
        precision = _ratio(np.cumsum(hits, axis=1)[:, last], np.cumsum(drawn, axis=1)[:, last])
        positives = hits.sum(1)
        total += _ratio((precision * hits).sum(1), positives)
        classes += positives > 0
    return _ratio(total, classes)


def _mean(runs: Sequence[Floats]) -> Floats:
    if not runs:
        raise SemregError("a comparison needs at least one run of each model, one has none: train it first")
    return np.asarray(np.mean(runs, axis=0))


def _difference(values: Floats) -> Difference:
    drawn = values[1:]
    low, high = np.quantile(drawn, [0.025, 0.975])
    turned = min((drawn <= 0).sum(), (drawn >= 0).sum())
    p = min(1.0, 2 * (turned + 1) / (len(drawn) + 1))
    return Difference(float(values[0]), float(low), float(high), float(p))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """The part of the whole, and 0 where both are 0."""
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0))
