"""Caption metrics as in the COCO caption evaluation: BLEU, ROUGE-L, CIDEr, CIDEr-D.

Every metric takes tokens; `caption_scores` takes sentences and tokenises them first. Letters: N pictures.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semreg.evaluation.cider import cider_d_from, cider_from
from semreg.evaluation.ngrams import ORDERS, Matches, References, Tokens, require_references, totals
from semreg.evaluation.tokenizer import tokenize
from semreg.evaluation.variety import sentences

Array = NDArray[np.float64]

_TINY, _SMALL = 1e-15, 1e-9  # the COCO evaluation's guards against 0 / 0 in BLEU
_BETA = 1.2  # weight of recall in ROUGE-L


@dataclass(frozen=True)
class CaptionScores:
    """Scores by name: ``Bleu_1`` to ``Bleu_4``, ``ROUGE_L``, ``CIDEr``, ``CIDEr-D``, and ``METEOR`` where asked for.

    Attributes:
        corpus: one number per metric. BLEU and METEOR pool the counts of all pictures, the others are means
            over pictures.
        per_picture: (N,) float64 per metric, in the order of the predictions.
    """

    corpus: dict[str, float]
    per_picture: dict[str, Array]


def caption_scores(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> CaptionScores:
    """Score one caption per picture against that picture's references, as the COCO caption evaluation does.

    **Which CIDEr?** The number that papers and pycocoevalcap call CIDEr is here ``CIDEr-D``; ``CIDEr`` is the
    original measure without clipping and length penalty, which scores higher. Compare ``CIDEr-D`` with
    papers.

    Args:
        predictions: N sentences. An empty one is legal and scores (next to) zero.
        references: for each of the N pictures one or more sentences.

    Raises:
        SemregError: no picture, lists of different length, a picture without a reference, or a plain string
            where a list is due.
    """
    return scores_of(*tokens_of(predictions, references))


def tokens_of(
    predictions: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[list[list[str]], list[list[list[str]]]]:
    """Sentences to tokens, predictions and references; raises SemregError for a string where a list is due."""
    candidates = [tokenize(caption) for caption in sentences(predictions, "predictions")]
    truth = [
        [tokenize(caption) for caption in sentences(captions, f"references[{picture}]")]
        for picture, captions in enumerate(references)
    ]
    return candidates, truth


def scores_of(candidates: Sequence[Tokens], truth: Sequence[Sequence[Tokens]]) -> CaptionScores:
    """`caption_scores` from tokens."""
    require_references(candidates, truth)
    matches = References(truth).match(candidates, range(len(truth)))  # counted once, for BLEU and both CIDErs
    bleus, bleus_per_picture = _bleu(matches)
    per_picture = {f"Bleu_{order}": bleus_per_picture[:, order - 1] for order in ORDERS}
    means = {"ROUGE_L": rouge_l(candidates, truth), "CIDEr": cider_from(matches), "CIDEr-D": cider_d_from(matches)}
    corpus = {f"Bleu_{order}": float(bleus[order - 1]) for order in ORDERS}
    corpus |= {name: float(values.mean()) for name, values in means.items()}
    return CaptionScores(corpus, per_picture | means)


def bleu(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> tuple[Array, Array]:
    """BLEU-1 to BLEU-4 (Papineni et al., ACL 2002) with the closest reference length (in a tie the shorter).

    Args:
        candidates: N token lists.
        references: N lists of one or more token lists.

    Returns:
        (4,) BLEU of the corpus from pooled counts, and (N, 4) BLEU of each picture alone; 0..1. The guards
        against 0 / 0 are the COCO evaluation's: 1e-15 is added to numerators, 1e-9 to denominators. So a
        candidate that shares no n-gram scores next to 0, and an empty one 0.

    Raises:
        SemregError: no picture, lists of different length, or a picture without a reference.
    """
    require_references(candidates, references)
    return _bleu(References(references).match(candidates, range(len(references))))


def _bleu(matches: Matches) -> tuple[Array, Array]:
    clipped = np.zeros(len(matches.entry_slot))  # for each n-gram of a candidate the most that a reference confirms
    np.maximum.at(clipped, matches.hit_entry, matches.hit_counts.min(axis=1))
    correct = totals(matches.entry_slot, clipped, matches.norms.size).reshape(-1, 4)  # (N, 4)
    distance = np.abs(matches.pair_lengths - matches.lengths[matches.pair_candidate])
    long = int(matches.pair_lengths.max()) + 1  # the smallest distance, and of equals the shorter reference
    closest = np.minimum.reduceat(distance * long + matches.pair_lengths, matches.first) % long
    lengths = np.stack([matches.lengths, closest], axis=1).astype(np.float64)  # (N, 2)
    guesses = np.maximum(lengths[:, :1] - np.arange(4), 0)  # (N, 4) n-grams in the candidate
    corpus = _bleu_from_counts(correct.sum(0, keepdims=True), guesses.sum(0, keepdims=True), lengths.sum(0)[None])
    return corpus[0], _bleu_from_counts(correct, guesses, lengths)


def _bleu_from_counts(correct: Array, guesses: Array, lengths: Array) -> Array:
    """(N, 4) from counts (N, 4), (N, 4) and lengths (N, 2): geometric mean precisions, brevity penalty."""
    means = np.cumprod((correct + _TINY) / (guesses + _SMALL), axis=1) ** (1 / np.array(ORDERS))
    ratio = (lengths[:, :1] + _TINY) / (lengths[:, 1:] + _SMALL)
    return np.where(ratio < 1, means * np.exp(1 - 1 / ratio), means)


def rouge_l(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> Array:
    """ROUGE-L (Lin, 2004) from the best precision and the best recall over the references.

    Args:
        candidates: N token lists. An empty one scores 0, or 1 where a reference is empty too.
        references: N lists of one or more token lists.

    Returns:
        (N,) in 0..1, beta 1.2; the corpus score is their mean.

    Raises:
        SemregError: no picture, lists of different length, or a picture without a reference.
    """
    require_references(candidates, references)
    scores = np.zeros(len(candidates))
    for picture, (words, truth) in enumerate(zip(candidates, references, strict=True)):
        candidate = words or [""]  # as the COCO evaluation: no words count as one empty word
        places: dict[Hashable, int] = {}
        for place, word in enumerate(candidate):
            places[word] = places.get(word, 0) | 1 << place
        common = [_longest_common(places, len(candidate), reference or [""]) for reference in truth]
        precision = max(common) / len(candidate)
        recall = max(length / (len(reference) or 1) for length, reference in zip(common, truth, strict=True))
        if precision and recall:
            scores[picture] = (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)
    return scores


def _longest_common(places: dict[Hashable, int], length: int, reference: Tokens) -> int:
    """Longest common subsequence, bit-parallel (Hyyrö, 2004); `places` has a bit for each place of a word."""
    row = every = (1 << length) - 1
    for word in reference:
        hits = row & places.get(word, 0)
        row = (row + hits | row - hits) & every
    return length - row.bit_count()
