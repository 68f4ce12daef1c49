"""What the caption metrics share: counts of runs of words, and the check that references match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import chain

from semreg.errors import SemregError

Tokens = Sequence[Hashable]  # words, or word numbers: all that is asked of them is equality
Ngram = tuple[Hashable, ...]

ORDERS = (1, 2, 3, 4)  # lengths of n-grams


def count_ngrams(tokens: Tokens) -> Counter[Ngram]:
    """How often each run of 1 to 4 tokens occurs."""
    shifted = [tokens[start:] for start in range(len(ORDERS))]
    return Counter(chain.from_iterable(zip(*shifted[:order], strict=False) for order in ORDERS))


def require_references(candidates: Sequence[object], references: Sequence[Sequence[Tokens]]) -> None:
    """Raise SemregError unless there is a picture, one candidate for each, and a reference for each."""
    if len(candidates) != len(references):
        raise SemregError(
            f"each picture must have one prediction and its references, there are {len(candidates)} "
            f"predictions for {len(references)} pictures: give both lists in the same order"
        )
    if not references:
        raise SemregError("caption metrics need at least one picture, got 0: pass predictions and references")
    for picture, truth in enumerate(references):
        if len(truth) == 0:
            raise SemregError(
                f"each picture must have at least one reference caption, picture {picture} has none: "
                "leave it out of both lists"
            )
