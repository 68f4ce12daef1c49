"""Tag metrics taken apart: for each class, over thresholds, and from rank to rank.

Letters: N pictures, K classes, T thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semreg.evaluation.tagging import (
    Counts,
    as_labels,
    as_scores,
    ratio,
    require_positive,
    require_same_shape,
    scores_from_counts,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassScores:
    """What was given of each class, and how well; (K,) each.

    Attributes:
        hits: how often the class was given rightly (TP).
        guesses: how often it was given (P).
        positives: how often it was right (G).
        precision: 0..1, 0 for a class that was never given.
        recall: 0..1, 0 for a class without a positive.
        f1: 0..1, 0 where there is no hit.
    """

    hits: Counts
    guesses: Counts
    positives: Counts
    precision: Floats
    recall: Floats
    f1: Floats


def class_scores(predicted: ArrayLike, true: ArrayLike) -> ClassScores:
    """Precision, recall and F1 of each class.

    Args:
        predicted: (N, K) booleans or 0/1, the tags given.
        true: (N, K) booleans or 0/1, the tags that are right.

    Raises:
        SemregError: arrays of different shape, or values besides 0 and 1.
    """
    given, labels = as_labels(predicted, "predicted tags"), as_labels(true, "true tags")
    require_same_shape(given, labels)
    hits, guesses, positives = (given & labels).sum(0), given.sum(0), labels.sum(0)
    f1 = ratio(2 * hits, guesses + positives)
    return ClassScores(hits, guesses, positives, ratio(hits, guesses), ratio(hits, positives), f1)


def threshold_scores(scores: ArrayLike, true: ArrayLike, thresholds: Sequence[float]) -> list[dict[str, float]]:
    """`tagging_scores` of the tags with ``score >= threshold``, for many thresholds in one pass.

    Args:
        scores: (N, K) finite numbers, higher means more likely.
        true: (N, K) booleans or 0/1.
        thresholds: T numbers in any order.

    Returns:
        For each threshold the figures of `tagging_scores`, and "threshold".

    Raises:
        SemregError: arrays of different shape, scores that are not finite, labels besides 0 and 1, or no
            positive at all.
    """
    values, labels = as_scores(scores), as_labels(true, "true tags")
    require_same_shape(values, labels)
    cuts = np.unique(np.asarray(thresholds, dtype=values.dtype))
    slots, classes = len(cuts) + 1, values.shape[1]
    # A score lies above the first so many cuts; counted per class, and summed from the highest downwards.
    slot = np.searchsorted(cuts, values, side="right") + slots * np.arange(classes)
    counted = (np.bincount(part.ravel(), minlength=slots * classes) for part in (slot, slot[labels]))
    guesses, hits = (part.reshape(classes, slots)[:, ::-1].cumsum(axis=1)[:, ::-1] for part in counted)  # (K, T + 1)
    place = np.searchsorted(cuts, np.asarray(thresholds, dtype=values.dtype)) + 1
    return [
        {"threshold": float(threshold), **scores_from_counts(hits[:, t], guesses[:, t], hits[:, 0])}
        for threshold, t in zip(thresholds, place, strict=True)
    ]


def precision_recall(scores: ArrayLike, true: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Overall precision and recall with a cut behind each different score, from the highest down.

    Args:
        scores: (N, K) finite numbers, higher means more likely.
        true: (N, K) booleans or 0/1.

    Returns:
        (cuts,) thresholds, O-P and O-R at each.

    Raises:
        SemregError: arrays of different shape, scores that are not finite, labels besides 0 and 1, or no
            positive at all.
    """
    values, labels = as_scores(scores), as_labels(true, "true tags")
    require_same_shape(values, labels)
    require_positive(labels.sum(0) > 0)
    order = np.argsort(-values, axis=None, kind="stable")
    falling, hits = values.ravel()[order], np.cumsum(labels.ravel()[order])
    last = np.append(falling[:-1] != falling[1:], True)
    return falling[last].astype(np.float64), (hits / np.arange(1, len(hits) + 1))[last], (hits / hits[-1])[last]
