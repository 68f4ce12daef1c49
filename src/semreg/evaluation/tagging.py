"""Tag metrics: precision, recall and F1 per class and overall, N+, average precision, calibration.

Letters: N pictures, K classes. Definitions as in Liu et al. (CVPR 2017, section 5) and Gong et al. (2014): a
class without a positive among the N pictures has no recall; it is left out of the means over classes, and
counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semreg.errors import SemregError

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Counts = NDArray[np.integer]


def tagging_scores(predicted: ArrayLike, true: ArrayLike) -> dict[str, float]:
    """Precision, recall and F1 of predicted tags, per class and overall.

    **C-F1 has two definitions in use**, both are given: "C-F1" is the harmonic mean of C-P and C-R (this
    paper's line of work), "C-F1 mean" the mean of the classes' F1.

    Args:
        predicted: (N, K) booleans or 0/1, the tags given.
        true: (N, K) booleans or 0/1, the tags that are right.

    Returns:
        "C-P", "C-R", "C-F1", "C-F1 mean": over the classes with a positive, 0..1; precision is 0 where a
        class is never predicted. "O-P", "O-R", "O-F1": from the counts of all classes, 0..1. "N+": number of
        classes found at least once. "classes" and "classes without positives": how many entered the means,
        and how many did not.

    Raises:
        SemregError: arrays of different shape, values besides 0 and 1, or no positive at all.
    """
    given, labels = as_labels(predicted, "predicted tags"), as_labels(true, "true tags")
    require_same_shape(given, labels)
    return scores_from_counts((given & labels).sum(0), given.sum(0), labels.sum(0))


def scores_from_counts(hits: Counts, guesses: Counts, positives: Counts) -> dict[str, float]:
    """`tagging_scores` from the counts of each class.

    Args:
        hits: (K,) TP, how often the class was given rightly.
        guesses: (K,) P, how often it was given.
        positives: (K,) G, how often it was right.

    Raises:
        SemregError: no positive at all.
    """
    counted = positives > 0
    require_positive(counted)
    precision = ratio(hits, guesses)[counted].mean()
    recall = ratio(hits, positives)[counted].mean()
    scores = {
        "C-P": precision,
        "C-R": recall,
        "C-F1": ratio(2 * precision * recall, precision + recall),
        "C-F1 mean": ratio(2 * hits, guesses + positives)[counted].mean(),
        "O-P": ratio(hits.sum(), guesses.sum()),
        "O-R": ratio(hits.sum(), positives.sum()),
        "O-F1": ratio(2 * hits.sum(), guesses.sum() + positives.sum()),
        "N+": (hits > 0).sum(),
        "classes": counted.sum(),
        "classes without positives": (~counted).sum(),
    }
    return {name: float(value) for name, value in scores.items()}


def average_precision(scores: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    """Average precision of each class: sum over ranks of precision times gain in recall, not interpolated.

    Equal scores share one rank, as in scikit-learn's `average_precision_score`.

    Args:
        scores: (N, K) finite numbers, higher means more likely.
        true: (N, K) booleans or 0/1.

    Returns:
        (K,) in 0..1; 0 for a class without a positive.

    Raises:
        SemregError: arrays of different shape, scores that are not finite, or labels besides 0 and 1.
    """
    values, labels = as_scores(scores), as_labels(true, "true tags")
    require_same_shape(values, labels)
    columns = np.sort(values.T, axis=1)  # (K, N)
    precisions = np.zeros(len(columns))
    for k, column in enumerate(columns):
        positives = np.sort(values[labels[:, k], k])
        if len(positives):  # at each of them: how many reach its score, of the positives and of all
            found = len(positives) - np.searchsorted(positives, positives)
            precisions[k] = (found / (len(column) - np.searchsorted(column, positives))).mean()
    return precisions


def mean_average_precision(scores: ArrayLike, true: ArrayLike) -> float:
    """MAP: the mean of `average_precision` over the classes with a positive, 0..1.

    Args:
        scores: (N, K) finite numbers, higher means more likely.
        true: (N, K) booleans or 0/1.

    Raises:
        SemregError: as `average_precision`, or no positive at all.
    """
    precisions = average_precision(scores, true)
    counted = as_labels(true, "true tags").sum(0) > 0
    require_positive(counted)
    return float(precisions[counted].mean())


def top_k(scores: ArrayLike, k: int) -> Bools:
    """The k highest classes of each picture; of equal scores the one of the lower index.

    Args:
        scores: (N, K) finite numbers.
        k: how many, 1..K.

    Returns:
        (N, K) booleans with exactly k true in each row.

    Raises:
        SemregError: a k outside 1..K, or scores that are not finite.
    """
    values = as_scores(scores)
    if not 1 <= k <= values.shape[1]:
        raise SemregError(f"k must lie in 1..{values.shape[1]}, the number of classes, is {k}: pass a k in that range")
    chosen = np.zeros(values.shape, dtype=np.bool_)
    np.put_along_axis(chosen, np.argsort(-values, axis=1, kind="stable")[:, :k], True, axis=1)
    return chosen


def ranked(scores: ArrayLike, true: ArrayLike) -> tuple[Floats, Bools, Bools]:
    """Each class's pictures from the highest score to the lowest.

    Args:
        scores: (N, K) finite numbers.
        true: (N, K) booleans or 0/1.

    Returns:
        (K, N) scores, falling along each row; (K, N) whether the picture there is a positive; (K, N) whether
        it is the last one of its score: only behind it a threshold can cut.

    Raises:
        SemregError: arrays of different shape, scores that are not finite, or labels besides 0 and 1.
    """
    values, labels = as_scores(scores), as_labels(true, "true tags")
    require_same_shape(values, labels)
    negated = -values.T  # (K, N)
    order = np.argsort(negated, axis=1, kind="stable")
    falling = -np.take_along_axis(negated, order, axis=1)
    last = np.ones(falling.shape, dtype=np.bool_)
    last[:, :-1] = falling[:, :-1] != falling[:, 1:]
    return falling, np.take_along_axis(labels.T, order, axis=1), last


def as_scores(scores: ArrayLike) -> Floats:
    """Scores as an (N, K) array of floats; float32 stays float32.

    Raises:
        SemregError: not two dimensions, or a value that is not finite.
    """
    array = np.asarray(scores)
    values: Floats = array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float64)
    _require_table(values, "scores")
    if not np.isfinite(values).all():
        raise SemregError(
            f"scores must be finite, {int((~np.isfinite(values)).sum())} of {values.size} are not: "
            "look for a division by zero or a diverged training"
        )
    return values


def as_labels(labels: ArrayLike, name: str) -> Bools:
    """Labels as an (N, K) array of booleans.

    Raises:
        SemregError: not two dimensions, or a value besides 0 and 1.
    """
    array = np.asarray(labels)
    _require_table(array, name)
    if array.dtype != np.bool_ and not ((array == 0) | (array == 1)).all():
        raise SemregError(f"{name} must be booleans or 0/1, hold other values: apply a threshold first")
    return array.astype(np.bool_)


def require_same_shape(first: NDArray[np.generic], second: NDArray[np.generic]) -> None:
    """Raise SemregError unless both arrays have one shape."""
    if first.shape != second.shape:
        raise SemregError(
            f"predictions and true tags must have one shape (pictures, classes), are {first.shape} and "
            f"{second.shape}: give both for the same pictures and classes"
        )


def require_positive(counted: Bools) -> None:
    """Raise SemregError unless some class has a positive."""
    if not counted.any():
        raise SemregError("tag metrics need at least one true tag, there is none: check that the labels were read")


def _require_table(array: NDArray[np.generic], name: str) -> None:
    if array.ndim != 2:
        raise SemregError(
            f"{name} must have two dimensions (pictures, classes), have {array.ndim}: put a single picture in a list"
        )


def ratio(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """The part of the whole, and 0 where both are 0."""
    numerator, denominator = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0))
