"""What the RNN changed against the concept layer: labels that it added or took back beside others, and how rightly.

This is the paper's car-sky-sea effect, counted: the CNN judges each concept by itself, the RNN knows which go together.
Letters: N pictures, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semreg.evaluation.tagging import ratio

Bools = NDArray[np.bool_]

_PER_LABEL = 2  # so many partners of one label are told of, to leave room for other labels


@dataclass(frozen=True)
class Change:
    """A label that the RNN added, or took back, in pictures where both say another label.

    Attributes:
        label: index of the label that was changed.
        beside: index of the label that both say.
        pictures: where, those first in which the change is right.
        right: in how many of them it is right: added and true, or taken back and not true.
        lift: how much more often (above 1) or less often (below) the two are true of one picture than by chance, in
            this set.
    """

    label: int
    beside: int
    pictures: list[int]
    right: int
    lift: float


@dataclass(frozen=True)
class Changes:
    """All changes: totals, and the pairs of labels that tell most, the most telling first."""

    added: int
    added_right: int
    taken: int
    taken_right: int
    additions: list[Change]
    removals: list[Change]


def find_changes(seen: Bools, told: Bools, true: Bools, most: int = 8) -> Changes:
    """Compare the RNN's labels with the concept layer's.

    A pair tells more the more often it occurs and the further its lift is from 1: additions of labels that go
    together (lift above 1), removals of labels that do not (below 1).

    Args:
        seen: (N, K) what the concept layer says.
        told: (N, K) what the RNN says.
        true: (N, K) what is right.
        most: pairs of each kind at most.
    """
    added, taken, both = told & ~seen, seen & ~told, seen & told
    together = _count(true, true)
    alone = np.diag(together)
    lift = ratio((together + 0.5) * len(true), np.maximum(np.outer(alone, alone), 0.5))  # (K, K), a little smoothed
    known = np.minimum.outer(alone, alone) > 0  # of a label that is never true nothing can be said
    weight = np.where(known, np.log(lift), 0.0)
    return Changes(
        added=int(added.sum()),
        added_right=int((added & true).sum()),
        taken=int(taken.sum()),
        taken_right=int((taken & ~true).sum()),
        additions=_pairs(added, added & true, both, np.maximum(weight, 0), lift, most),
        removals=_pairs(taken, taken & ~true, both, np.maximum(-weight, 0), lift, most),
    )


def _pairs(
    changed: Bools, right: Bools, both: Bools, weight: NDArray[np.float64], lift: NDArray[np.float64], most: int
) -> list[Change]:
    counts = _count(changed, both)  # (K, K) changed label, label beside
    rank = counts * weight
    pairs: list[Change] = []
    of_label: dict[int, int] = {}
    for place in np.argsort(-rank, axis=None, kind="stable"):
        label, beside = (int(index) for index in np.unravel_index(place, rank.shape))
        if rank[label, beside] <= 0 or len(pairs) == most:
            break
        of_label[label] = of_label.get(label, 0) + 1
        if of_label[label] <= _PER_LABEL:
            where = np.flatnonzero(changed[:, label] & both[:, beside])
            good = right[where, label]
            ordered = [int(i) for i in np.concatenate([where[good], where[~good]])]
            pairs.append(Change(label, beside, ordered, int(good.sum()), float(lift[label, beside])))
    return pairs


def _count(first: Bools, second: Bools) -> NDArray[np.float64]:
    """(K, K) in how many pictures label k of the first and label j of the second occur."""
    return first.T.astype(np.float64) @ second.astype(np.float64)
