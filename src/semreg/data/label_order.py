"""In which order a picture's labels are taught: a set has none, and the choice matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from semreg.errors import SemregError

ORDERS = ("rare-first", "frequent-first", "alphabetical")


class LabelOrder:
    """Sorts labels by how often the training set has them, or by name; ties in alphabetical order.

    Args:
        order: "rare-first" (the paper's), "frequent-first" or "alphabetical".
        counts: pictures of the training set that have each label.

    Raises:
        SemregError: no such order.
    """

    def __init__(self, order: str, counts: Mapping[str, int]) -> None:
        if order not in ORDERS:
            raise SemregError(f"the label order must be one of {', '.join(ORDERS)}, is {order!r}")
        sign = {"rare-first": 1, "frequent-first": -1, "alphabetical": 0}[order]
        self._key = {label: (sign * count, label) for label, count in counts.items()}

    def sort(self, labels: Iterable[str]) -> list[str]:
        """Known labels in order; labels that the training set lacks are left out."""
        return sorted((label for label in labels if label in self._key), key=self._key.__getitem__)


def label_counts(tags: Iterable[Sequence[str]]) -> Counter[str]:
    """How many pictures have each label."""
    return Counter(label for row in tags for label in row)
