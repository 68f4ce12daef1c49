"""CIDEr and CIDEr-D: how far a caption agrees with what people say of a picture, rare words weighing more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semreg.errors import SemregError
from semreg.evaluation.ngrams import ORDERS, Ngram, Tokens, count_ngrams, require_references

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Vector:
    """A caption's tf-idf weights and their norms, one entry per n-gram length, and its number of bigrams."""

    weights: list[dict[Ngram, float]]
    norms: list[float]
    bigrams: int


class Cider:
    """CIDEr as first defined (Vedantam et al., CVPR 2015, equations 1 to 3), times 10 as their code has it.

    The cosine between the tf-idf vectors of a candidate and of each reference, averaged over the references
    and over n-grams of 1 to 4 words. Unstemmed, as in the authors' code. Long and repetitive candidates score
    too well by it; papers report `CiderD`. Document frequencies are counted once, here; `score` can then be
    called as often as wanted.

    Args:
        references: for each of M pictures one or more token lists (words or word numbers).

    Raises:
        SemregError: no picture, or a picture without a reference.
    """

    def __init__(self, references: Sequence[Sequence[Tokens]]) -> None:
        require_references(references, references)
        self._references = references
        self._log_pictures = math.log(len(references))
        pictures_with: Counter[Ngram] = Counter()
        for truth in references:
            pictures_with.update({ngram for reference in truth for ngram in count_ngrams(reference)})
        # An n-gram of one picture weighs as much as an unknown one: only the others are kept.
        self._idf = {ngram: self._log_pictures - math.log(count) for ngram, count in pictures_with.items() if count > 1}

    def score(self, candidates: Sequence[Tokens], pictures: Sequence[int] | None = None) -> Array:
        """Score candidates, each against the references of its picture.

        Args:
            candidates: B token lists; an empty one scores 0.
            pictures: for each candidate the index of its picture, 0..M-1; without it the candidates are those
                of all M pictures in order.

        Returns:
            (B,) in 0..10. With a single picture (M = 1) every inverse document frequency is 0, and so is the
            score.

        Raises:
            SemregError: not as many candidates as pictures, or an index outside 0..M-1.
        """
        count = len(self._references)
        indices = range(count) if pictures is None else pictures
        if len(candidates) != len(indices):
            raise SemregError(
                f"each candidate must have one picture, there are {len(candidates)} candidates for "
                f"{len(indices)} pictures: give as many of one as of the other"
            )
        vectors: dict[int, list[_Vector]] = {}  # weighed once per call: samples often share their picture
        scores = np.zeros(len(candidates))
        for row, (candidate, picture) in enumerate(zip(candidates, indices, strict=True)):
            if not 0 <= picture < count:
                raise SemregError(
                    f"the index of a picture must lie in 0..{count - 1}, is {picture}: number the pictures "
                    "in the order in which their references were given"
                )
            if picture not in vectors:
                vectors[picture] = [self._weigh(reference) for reference in self._references[picture]]
            weighed = self._weigh(candidate)
            total = sum(self._similarity(weighed, reference) for reference in vectors[picture])
            scores[row] = 10 * total / (len(ORDERS) * len(vectors[picture]))
        return scores

    def _weigh(self, tokens: Tokens) -> _Vector:
        weights: list[dict[Ngram, float]] = [{} for _ in ORDERS]
        for ngram, count in count_ngrams(tokens).items():
            weights[len(ngram) - 1][ngram] = count * self._idf.get(ngram, self._log_pictures)
        norms = [math.sqrt(sum(weight * weight for weight in part.values())) for part in weights]
        return _Vector(weights, norms, max(len(tokens) - 1, 0))

    def _similarity(self, candidate: _Vector, reference: _Vector) -> float:
        """Sum of the four cosines."""
        parts = zip(candidate.weights, reference.weights, candidate.norms, reference.norms, strict=True)
        return sum(self._dot(mine, theirs) / (norm * other) for mine, theirs, norm, other in parts if norm and other)

    def _dot(self, mine: dict[Ngram, float], theirs: dict[Ngram, float]) -> float:
        return sum(weight * theirs[ngram] for ngram, weight in mine.items() if ngram in theirs)


class CiderD(Cider):
    """CIDEr-D (Vedantam et al., CVPR 2015, section 7): what the field reports as CIDEr.

    Equal to the ``Cider`` class of pycocoevalcap and coco-caption. To `Cider` it adds clipping (an n-gram
    counts no more often than the reference has it) and a Gaussian penalty on the difference in length, so
    that repeating good words does not pay. Made once from a training set's references it serves as a reward
    for self-critical training.

    Args:
        references: for each of M pictures one or more token lists (words or word numbers).
        sigma: width of the penalty in words, above 0.

    Raises:
        SemregError: no picture, a picture without a reference, or a sigma that is not above 0.
    """

    def __init__(self, references: Sequence[Sequence[Tokens]], sigma: float = 6.0) -> None:
        if not sigma > 0:
            raise SemregError(f"sigma must be above 0, is {sigma}: leave it at 6")
        super().__init__(references)
        self._sigma = sigma

    def _similarity(self, candidate: _Vector, reference: _Vector) -> float:
        """Sum of the four cosines times the penalty; lengths in bigrams, as the COCO evaluation has it."""
        difference = candidate.bigrams - reference.bigrams
        return super()._similarity(candidate, reference) * math.exp(-(difference**2) / (2 * self._sigma**2))

    def _dot(self, mine: dict[Ngram, float], theirs: dict[Ngram, float]) -> float:
        return sum(min(weight, theirs[run]) * theirs[run] for run, weight in mine.items() if run in theirs)


def cider(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> Array:
    """CIDEr without clipping and length penalty, (N,) in 0..10; see `Cider`.

    Raises:
        SemregError: no picture, lists of different length, or a picture without a reference.
    """
    return Cider(references).score(candidates)


def cider_d(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]], sigma: float = 6.0) -> Array:
    """CIDEr-D, the "CIDEr" of papers and of pycocoevalcap, (N,) in 0..10; see `CiderD`.

    Raises:
        SemregError: no picture, lists of different length, a picture without a reference, or a sigma that
            is not above 0.
    """
    return CiderD(references, sigma).score(candidates)
