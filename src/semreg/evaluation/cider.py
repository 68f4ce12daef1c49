"""CIDEr and CIDEr-D: how far a caption agrees with what people say of a picture, rare words weighing more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from semreg.errors import SemregError
from semreg.evaluation.ngrams import ORDERS, Matches, References, Tokens, require_references, totals

Array = NDArray[np.float64]

SIGMA = 6.0  # of CIDEr-D, in words


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
        self._references = References(references)

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
        for picture in indices:
            if not 0 <= picture < count:
                raise SemregError(
                    f"the index of a picture must lie in 0..{count - 1}, is {picture}: number the pictures "
                    "in the order in which their references were given"
                )
        return self._score(self._references.match(candidates, indices))

    def _score(self, matches: Matches) -> Array:
        return cider_from(matches)


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

    def __init__(self, references: Sequence[Sequence[Tokens]], sigma: float = SIGMA) -> None:
        if not sigma > 0:
            raise SemregError(f"sigma must be above 0, is {sigma}: leave it at 6")
        super().__init__(references)
        self._sigma = sigma

    def _score(self, matches: Matches) -> Array:
        return cider_d_from(matches, self._sigma)


def cider_from(matches: Matches) -> Array:
    """(B,) CIDEr from what candidates share with their references."""
    return _score(matches, _dots(matches, matches.hit_counts[:, 0]))


def cider_d_from(matches: Matches, sigma: float = SIGMA) -> Array:
    """(B,) CIDEr-D: counts clipped to the reference's, a penalty on the difference in length."""
    # Lengths are in bigrams, as the COCO evaluation has it.
    bigrams, pair_bigrams = np.maximum(matches.lengths - 1, 0), np.maximum(matches.pair_lengths - 1, 0)
    difference = bigrams[matches.pair_candidate] - pair_bigrams
    penalty = np.exp(-(difference**2) / (2 * sigma**2))
    return _score(matches, _dots(matches, matches.hit_counts.min(axis=1)) * penalty[:, None])


def _dots(matches: Matches, counts: NDArray[np.int64]) -> Array:
    """(R, 4) products of the tf-idf vectors of candidate and reference, given the candidate's counts of the hits."""
    products = counts * matches.hit_counts[:, 1] * matches.hit_idf**2
    return totals(matches.hit_slot, products, matches.pair_norms.size).reshape(-1, len(ORDERS))


def _score(matches: Matches, dots: Array) -> Array:
    """(B,) ten times the mean cosine over references and orders; 0 where a vector is empty."""
    norms = matches.norms[matches.pair_candidate] * matches.pair_norms
    cosines = np.divide(dots, norms, out=np.zeros_like(dots), where=norms > 0).sum(axis=1)  # (R,)
    sums = totals(matches.pair_candidate, cosines, len(matches.lengths))
    references = np.bincount(matches.pair_candidate, minlength=len(matches.lengths))
    return np.asarray(10 * sums / (len(ORDERS) * references), dtype=np.float64)


def cider(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> Array:
    """CIDEr without clipping and length penalty, (N,) in 0..10; see `Cider`.

    Raises:
        SemregError: no picture, lists of different length, or a picture without a reference.
    """
    require_references(candidates, references)
    return Cider(references).score(candidates)


def cider_d(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]], sigma: float = SIGMA) -> Array:
    """CIDEr-D, the "CIDEr" of papers and of pycocoevalcap, (N,) in 0..10; see `CiderD`.

    Raises:
        SemregError: no picture, lists of different length, a picture without a reference, or a sigma that
            is not above 0.
    """
    require_references(candidates, references)
    return CiderD(references, sigma).score(candidates)
