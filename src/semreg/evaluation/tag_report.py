"""All that is said about a model's tags at once: its set, thresholds, the top k, each class, calibration.

Letters: N pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semreg.errors import SemregError
from semreg.evaluation.calibration import Reliability, reliability
from semreg.evaluation.curves import ClassScores, class_scores, threshold_scores
from semreg.evaluation.tagging import as_labels, as_scores, average_precision, ratio, tagging_scores, top_k

GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))  # the thresholds of the table: 0.05, 0.1, ... 0.95


@dataclass(frozen=True)
class TagReport:
    """All that is said about a model's tags.

    Attributes:
        labels: K names.
        sets: the figures of `tagging_scores` for each way of choosing tags: "predicted", "at T", "top k".
        classes: each class's counts, for the predicted set.
        average_precision: (K,), 0 for a class without a positive; None without scores.
        thresholds: the figures of `tagging_scores` at each threshold of `GRID`; empty without scores.
        reliability: the bins of the calibration; None without scores.
    """

    labels: tuple[str, ...]
    sets: dict[str, dict[str, float]]
    classes: ClassScores
    average_precision: NDArray[np.float64] | None
    thresholds: list[dict[str, float]]
    reliability: Reliability | None

    @property
    def mean_average_precision(self) -> float | None:
        """MAP: the mean over the classes with a positive, 0..1; None without scores."""
        counted = self.classes.positives > 0
        return None if self.average_precision is None else float(self.average_precision[counted].mean())

    def to_dict(self) -> dict[str, Any]:
        """Everything by its usual name, for JSON; the figures of the predicted set come first."""
        bins = self.reliability
        return {
            **self.sets["predicted"],
            "mAP": self.mean_average_precision,
            "ECE": None if bins is None else bins.error,
            "sets": self.sets,
            "thresholds": self.thresholds,
            "reliability": [] if bins is None else _bins(bins),
            "per class": self.per_class(),
        }

    def per_class(self) -> list[dict[str, Any]]:
        """A row a class, in the order of the labels; no figure where there is nothing to divide by is None."""
        each = self.classes
        return [
            {
                "label": label,
                "positives": int(each.positives[k]),
                "predicted": int(each.guesses[k]),
                "hits": int(each.hits[k]),
                "precision": float(each.precision[k]),
                "recall": float(each.recall[k]) if each.positives[k] else None,
                "F1": float(each.f1[k]) if each.positives[k] else None,
                "AP": float(self.average_precision[k])
                if self.average_precision is not None and each.positives[k]
                else None,
            }
            for k, label in enumerate(self.labels)
        ]


def tag_report(
    labels: Sequence[str],
    true: ArrayLike,
    predicted: ArrayLike,
    scores: ArrayLike | None = None,
    *,
    thresholds: Sequence[float] = (),
    top: int = 3,
) -> TagReport:
    """Score tags in every way in use.

    Args:
        labels: names of the K classes.
        true: (N, K) booleans or 0/1, the tags that are right.
        predicted: (N, K) booleans or 0/1, the tags given.
        scores: (N, K) probabilities in 0..1; None where the tags have none. A score of 0 says that a label was not
            even listed: the top k leave it out.
        thresholds: further sets to report, of the tags with a score from each threshold on.
        top: k, for the set of the k highest scores; fewer where there are not as many classes.

    Raises:
        SemregError: arrays of different shape, no positive at all, scores outside 0..1, a k below 1, as many
            labels as there are not columns.
    """
    truth, given = as_labels(true, "true tags"), as_labels(predicted, "predicted tags")
    if len(labels) != truth.shape[1]:
        raise SemregError(f"each of the {truth.shape[1]} columns must have a label, there are {len(labels)}")
    if top < 1:
        raise SemregError(f"top must be at least 1, is {top}: 3 is usual")
    sets = {"predicted": tagging_scores(given, truth)}
    if scores is None:
        return TagReport(tuple(labels), sets, class_scores(given, truth), None, [], None)
    values = as_scores(scores)
    bins = reliability(values, truth)  # refuses what is no probability
    rows = threshold_scores(values, truth, [*thresholds, *GRID])
    for threshold, row in zip(thresholds, rows, strict=False):
        sets[f"at {threshold:g}"] = {name: value for name, value in row.items() if name != "threshold"}
    sets[f"top {top}"] = tagging_scores(top_k(values, min(top, values.shape[1])) & (values > 0), truth)
    precisions = average_precision(values, truth)
    return TagReport(tuple(labels), sets, class_scores(given, truth), precisions, rows[len(thresholds) :], bins)


def picture_f1(predicted: ArrayLike, true: ArrayLike) -> NDArray[np.float64]:
    """(N,) F1 of each picture's tags, 0..1; 1 where there are none and none was given.

    Args:
        predicted: (N, K) booleans or 0/1, the tags given.
        true: (N, K) booleans or 0/1, the tags that are right.
    """
    given, truth = as_labels(predicted, "predicted tags"), as_labels(true, "true tags")
    total = given.sum(1) + truth.sum(1)
    return np.where(total == 0, 1.0, ratio(2 * (given & truth).sum(1), total))


def _bins(bins: Reliability) -> list[dict[str, Any]]:
    columns = zip(bins.edges, bins.edges[1:], bins.counts, bins.probability, bins.frequency, strict=False)
    return [
        {"from": float(low), "to": float(high), "count": int(n), "probability": float(p), "frequency": float(f)}
        for low, high, n, p, f in columns
    ]
