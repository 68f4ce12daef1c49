"""Thresholds that turn scores into tags, tuned on held-out pictures: one for all classes, or one per class.

A tag is given where ``score >= threshold``. Letters: N pictures, K classes. Only a cut between two different
scores changes anything, so every possible cut is tried and the result is exact; it is put half way between
the two scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semreg.errors import SemregError
from semreg.evaluation.tagging import (
    Bools,
    Floats,
    as_labels,
    as_scores,
    ranked,
    require_positive,
    require_same_shape,
    tagging_scores,
)

_SHARES = tuple(step / 20 for step in range(11))  # 0 is one threshold for all
_LARGEST_ODDS = 50.0  # in log odds; beyond, probabilities are 0 and 1 in double precision
RESAMPLES = 20  # sets of pictures drawn anew, on which a threshold is chosen
METRICS = ("O-F1", "C-F1", "C-F1 mean", "mean")  # the last: the mean of O-F1 and C-F1


def tune_threshold(scores: ArrayLike, true: ArrayLike, metric: str = "O-F1") -> float:
    """The one threshold for all classes that maximises a metric of `tagging_scores`.

    Args:
        scores: (N, K) finite numbers, higher means more likely.
        true: (N, K) booleans or 0/1.
        metric: "O-F1", "C-F1", "C-F1 mean", or "mean", the mean of O-F1 and C-F1.

    Returns:
        The best threshold; of equally good ones (to 12 digits) the highest, which gives the fewest tags.

    Raises:
        SemregError: an unknown metric, arrays of different shape, scores that are not finite, or no positive
            at all.
    """
    falling, hits, _ = ranked(scores, true)
    return _common_threshold(falling, hits, metric)


def tune_thresholds(
    scores: ArrayLike, true: ArrayLike, metric: str = "C-F1 mean", prior: float = 10.0
) -> NDArray[np.float64]:
    """A threshold per class that maximises its F1, drawn towards the common one where positives are few.

    With t_k the best threshold of class k, G_k its positives, t the common threshold (`tune_threshold` with
    `metric`), class k gets (G_k t_k + prior t) / (G_k + prior). So a class with `prior` positives lies half
    way, one without any gets t, and `prior` 0 leaves the classes' own optimum. The mean is taken in the scale
    of the scores.

    Args:
        scores: (N, K) finite numbers, higher means more likely.
        true: (N, K) booleans or 0/1.
        metric: what the common threshold maximises, as in `tune_threshold`.
        prior: how many positives the common threshold is worth, at least 0.

    Returns:
        (K,) thresholds; of equally good ones the highest is taken as t_k.

    Raises:
        SemregError: a negative prior, or as `tune_threshold`.
    """
    if not prior >= 0:
        raise SemregError(f"prior must be at least 0, is {prior}: pass 0 for no shrinkage, or leave it at 10")
    falling, hits, last = ranked(scores, true)
    common = _common_threshold(falling, hits, metric)
    positives = hits.sum(1)  # (K,)
    guesses = np.arange(1, hits.shape[1] + 1)
    quality = 2 * np.cumsum(hits, axis=1) / (guesses + positives[:, None])  # (K, N) F1
    own = np.array([_cut(row, _best(f1, ends)) for row, f1, ends in zip(falling, quality, last, strict=True)])
    known = positives > 0  # where prior is 0 the others would be 0 / 0
    shrunk = (positives * own + prior * common) / np.where(known, positives + prior, 1.0)
    thresholds = np.where(known, shrunk if prior else own, common)
    return np.asarray(thresholds, dtype=np.float64)


def tune_by_frequency(
    scores: ArrayLike, true: ArrayLike, counts: ArrayLike, metric: str = "mean"
) -> NDArray[np.float64]:
    """A threshold per class that is lower the rarer the class is in training: two numbers tuned, however many classes.

    In log odds, class k gets t + a log((n_k + 1) / (n + 1)), with n_k its training pictures and n the largest of
    them: the commonest class gets t, and a in 0, 0.05 .. 0.5 says how much is given to the rare ones. Scores of rare
    classes rise less even where they are right, so one threshold for all gives them up.

    Args:
        scores: (N, K) probabilities in 0..1.
        true: (N, K) booleans or 0/1.
        counts: (K,) training pictures of each class.
        metric: to maximise, as in `tune_threshold`.

    Returns:
        (K,) thresholds in 0..1; where several a are equally good, of the smallest.

    Raises:
        SemregError: counts of another length, or as `tune_threshold`.
    """
    values, labels = as_scores(scores), as_labels(true, "true tags")
    values = values.astype(np.float64)  # log odds of neighbouring float32 scores are told apart
    known = np.asarray(counts, dtype=np.float64)
    if known.shape != values.shape[1:]:
        raise SemregError(f"counts must be one for each of {values.shape[1]} classes, are {known.size}: count them all")
    rarity = np.log((known + 1) / (known.max() + 1))  # (K,) 0 for the commonest class, below for the others
    odds = _log_odds(values)
    best, floors = -1.0, np.zeros(0)
    for share in _SHARES:
        shifted = odds - share * rarity
        cut = tune_threshold(shifted, labels, metric)
        quality = _quality(shifted >= cut, labels, metric)
        if quality > best + 1e-12:
            best, floors = quality, cut + share * rarity
    # A cut at a score itself must not be lifted above it by rounding; a score of 0 stands at the lower limit.
    thresholds = np.where(floors <= 1e-9 - _LARGEST_ODDS, 0.0, (1 - 1e-12) / (1 + np.exp(-floors)))
    return np.asarray(thresholds, dtype=np.float64)


def thresholds_at(
    scores: ArrayLike,
    true: ArrayLike,
    probability: float,
    prior: float = 10.0,
    rounds: int = 30,
    *,
    lift: float = 1.0,
) -> NDArray[np.float64]:
    """A threshold per class from which on it is there with a given probability, for scores that hold on the whole.

    Class k's score p stands for sigmoid(logit(p) + b_k), where b_k is the likeliest given the pictures and a normal
    distribution of all b around 0 of variance 1 / prior: a class that the scores expect `prior` times, each time as
    likely as not, moves half as far as its pictures say, and one that never comes up stays as it is.

    Args:
        scores: (N, K) probabilities in 0..1.
        true: (N, K) booleans or 0/1.
        probability: wanted at the threshold, in 0..1.
        prior: how firmly b is held at 0, above 0.
        rounds: Newton steps at most.
        lift: the least odds at the threshold, in multiples of those with which any of these pictures has the class. A
            class that most of them have is told on what is seen, not on the habits of a data set.

    Returns:
        (K,) thresholds in 0..1.

    Raises:
        SemregError: arrays of different shape, a prior that is not above 0, or a lift below 1.
    """
    if not lift >= 1:
        raise SemregError(f"lift must be at least 1, is {lift}: 1 asks for none")
    if not prior > 0:
        raise SemregError(f"prior must be above 0, is {prior}: leave it at 10")
    values, labels = as_scores(scores), as_labels(true, "true tags")
    require_same_shape(values, labels)
    odds = _log_odds(values.astype(np.float64))
    shift = np.zeros(odds.shape[1])
    for _ in range(rounds):
        expected = 1 / (1 + np.exp(-(odds + shift)))
        slope = (labels - expected).sum(0) - prior * shift
        step = np.clip(slope / ((expected * (1 - expected)).sum(0) + prior), -1.0, 1.0)
        shift += step
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    wanted = np.full(len(shift), _log_odds(np.asarray(probability)))
    if lift > 1:
        wanted = np.maximum(wanted, _log_odds(labels.mean(0)) + np.log(lift))
    wanted = np.clip(wanted, -_LARGEST_ODDS, _LARGEST_ODDS) - shift
    return np.asarray(1 / (1 + np.exp(-wanted)), dtype=np.float64)


def choose_threshold(
    scores: ArrayLike,
    true: ArrayLike,
    wanted: str | float,
    per: str,
    counts: ArrayLike,
    resamples: int = RESAMPLES,
    *,
    lift: float = 1.0,
) -> float | tuple[float, ...]:
    """The threshold that serves a metric on other pictures too, in the form that a model's configuration has it.

    Where a number is wanted, it is the probability that a tag needs: one for all, or with every class's own scores
    put right (`thresholds_at`).

    The best cut on one set of pictures is where chance has put it: some hundred pictures give another one at every
    draw. So the cut is chosen on `resamples` draws of N pictures with replacement, and their mean in log odds is
    taken (bagging; Breiman 1996).

    Args:
        scores: (N, K) probabilities in 0..1.
        true: (N, K) booleans or 0/1.
        wanted: a metric to maximise, as in `tune_threshold`; or a probability.
        per: "all" for one threshold, "frequency" as in `tune_by_frequency`, "class" as in `tune_thresholds`.
        counts: (K,) training pictures of each class; only "frequency" looks at them.
        resamples: draws; 0 takes the pictures once, as they are.
        lift: as in `thresholds_at`, for a probability per class.

    Raises:
        SemregError: an unknown `per`, a probability by frequency, a lift without a probability per class, or as these.
    """
    if lift != 1 and (isinstance(wanted, str) or per != "class"):
        raise SemregError(f"a lift ({lift:g}) is for a given probability per class: give one, or leave it at 1")
    if not isinstance(wanted, str):
        if per == "frequency":
            raise SemregError(f"a given probability ({wanted:g}) is for all tags or per class, not by frequency")
        return wanted if per == "all" else tuple(thresholds_at(scores, true, wanted, lift=lift).tolist())
    values, labels = np.asarray(scores, dtype=np.float64), np.asarray(true)
    best = _tune(values, labels, wanted, per, counts)
    draws = np.random.default_rng(0).integers(0, len(values), (resamples, len(values)))
    floors = [
        _log_odds(_tune(values[drawn], labels[drawn], wanted, per, counts)) for drawn in draws if labels[drawn].any()
    ]
    if floors:
        best = 1 / (1 + np.exp(-np.mean(floors, axis=0)))
    return float(best) if per == "all" else tuple(best.tolist())


def _tune(scores: Floats, true: ArrayLike, metric: str, per: str, counts: ArrayLike) -> NDArray[np.float64]:
    """(K,) thresholds, or () for one."""
    if per == "all":
        return np.asarray(tune_threshold(scores, true, metric))
    if per == "frequency":
        return tune_by_frequency(scores, true, counts, metric)
    if per == "class":
        return tune_thresholds(scores, true, metric)
    raise SemregError(f"a threshold is per all, frequency or class, not per {per!r}: pass one of these")


def _log_odds(values: Floats) -> NDArray[np.float64]:
    odds = np.log(np.maximum(values, 1e-300)) - np.log1p(-np.minimum(values, 1 - 1e-16))
    return np.asarray(np.clip(odds, -_LARGEST_ODDS, _LARGEST_ODDS), dtype=np.float64)


def _quality(predicted: Bools, true: Bools, metric: str) -> float:
    figures = tagging_scores(predicted, true)
    return (figures["O-F1"] + figures["C-F1"]) / 2 if metric == "mean" else figures[metric]


def _common_threshold(falling: Floats, hits: Bools, metric: str) -> float:
    """`tune_threshold` from each class's ranking, (K, N) scores and hits."""
    if metric not in METRICS:
        raise SemregError(f"metric must be one of {', '.join(METRICS)}, is {metric!r}: pass one of these")
    counted = hits.sum(1) > 0
    require_positive(counted)
    order = np.argsort(-falling, axis=None, kind="stable")  # (K N,) all answers, the highest first
    if metric == "mean":
        quality = (_overall_f1(hits, order) + _class_f1(hits, counted, order, "C-F1")) / 2
    elif metric == "O-F1":
        quality = _overall_f1(hits, order)
    else:
        quality = _class_f1(hits, counted, order, metric)
    values = falling.ravel()[order]
    last = np.append(values[:-1] != values[1:], True)
    return _cut(values, _best(quality, last))


def _overall_f1(hits: Bools, order: NDArray[np.intp]) -> NDArray[np.float64]:
    """(K N,) O-F1 with a cut behind each answer."""
    found = np.cumsum(hits.ravel()[order])
    return np.asarray(2 * found / (np.arange(1, found.size + 1) + found[-1]), dtype=np.float64)


def _class_f1(hits: Bools, counted: Bools, order: NDArray[np.intp], metric: str) -> NDArray[np.float64]:
    """(K N,) C-F1 with a cut behind each answer; an answer changes only its own class's term of the mean."""
    found = np.cumsum(hits, axis=1)  # (K, N)
    positives = found[:, -1:]
    guesses = np.arange(1, hits.shape[1] + 1)

    def mean(terms: NDArray[np.float64]) -> NDArray[np.float64]:
        steps = np.diff(terms, axis=1, prepend=0.0) * counted[:, None]
        return np.asarray(np.cumsum(steps.ravel()[order]) / counted.sum())

    if metric == "C-F1 mean":
        return mean(2 * found / (guesses + positives))
    precision, recall = mean(found / guesses), mean(found / np.maximum(positives, 1))
    return np.asarray(2 * precision * recall / np.maximum(precision + recall, 1e-12))


def _best(quality: NDArray[np.float64], last: Bools) -> int:
    """The first of the best places for a cut; rounding keeps sums in another order from deciding a tie."""
    return int(np.argmax(np.where(last, quality.round(12), -1.0)))


def _cut(falling: Floats, place: int) -> float:
    """A threshold that takes the scores up to `place` and no more, in the scores' own precision."""
    upper = falling[place]
    if place + 1 == len(falling):
        return float(upper)
    lower = falling[place + 1]
    middle = lower + (upper - lower) / 2
    return float(middle if lower < middle <= upper else upper)
