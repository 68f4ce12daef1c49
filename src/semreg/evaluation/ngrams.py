"""What BLEU and CIDEr share: runs of 1 to 4 words, counted once for all of them, in whole arrays.

Letters: M pictures with references, S references, B candidates, R pairs of a candidate and a reference, E entries
(a sentence, an n-gram of it, how often).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from semreg.errors import SemregError

Tokens = Sequence[Hashable]  # words, or word numbers: all that is asked of them is equality
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ORDERS = (1, 2, 3, 4)  # lengths of n-grams


@dataclass(frozen=True)
class Matches:
    """B candidates beside the references of their pictures: everything that BLEU and CIDEr are made of.

    A hit is an n-gram that a candidate shares with one reference; its order counts from 0.

    Attributes:
        lengths: (B,) tokens of each candidate.
        first: (B,) each candidate's first pair; its pairs are neighbours.
        pair_candidate: (R,) the candidate of each pair.
        pair_lengths: (R,) tokens of the reference.
        norms: (B, 4) length of the candidate's tf-idf vector for each order.
        pair_norms: (R, 4) the same of the reference.
        entry_slot: (E,) for each n-gram of a candidate 4 * candidate + order.
        hit_entry: (H,) which of these n-grams is shared.
        hit_slot: (H,) 4 * pair + order.
        hit_counts: (H, 2) how often the candidate and the reference have it.
        hit_idf: (H,) its inverse document frequency.
    """

    lengths: Ints
    first: Ints
    pair_candidate: Ints
    pair_lengths: Ints
    norms: Floats
    pair_norms: Floats
    entry_slot: Ints
    hit_entry: Ints
    hit_slot: Ints
    hit_counts: Ints
    hit_idf: Floats


@dataclass(frozen=True)
class _Counts:
    """The different n-grams of some sentences, sorted by sentence: (E,) each.

    An n-gram's number is 4 * (its number among those of its order) + order, the order counted from 0.
    """

    sentence: Ints
    gram: Ints
    count: Ints
    lengths: Ints  # (sentences,)


class References:
    """The n-grams of M pictures' references: counted once, matched as often as wanted.

    Args:
        references: for each picture one or more token lists.

    Raises:
        SemregError: no picture, or a picture without a reference.
    """

    def __init__(self, references: Sequence[Sequence[Tokens]]) -> None:
        require_references(references, references)
        self._words: dict[Hashable, int] = {}
        self._known: list[Ints] = []  # for 2, 3 and 4 words the sorted keys of the n-grams that occur
        sizes = np.array([len(truth) for truth in references])
        self._first = np.append(0, np.cumsum(sizes))  # (M + 1,) each picture's first sentence
        self._counts = self._count([tokens for truth in references for tokens in truth], learn=True)
        self._entries = np.searchsorted(self._counts.sentence, self._first)  # (M + 1,) its first entry
        self._log_pictures = float(np.log(len(references)))
        picture = np.repeat(np.arange(len(references)), sizes)[self._counts.sentence]
        size = int(self._counts.gram.max(initial=0)) + 1
        self._pictures_with = np.bincount(np.unique(picture * size + self._counts.gram) % size, minlength=size)
        self._norms = self._weigh(self._counts)

    def __len__(self) -> int:
        return len(self._first) - 1

    def match(self, candidates: Sequence[Tokens], pictures: Sequence[int] | Ints) -> Matches:
        """Find what each candidate shares with each reference of its picture.

        Args:
            candidates: B token lists.
            pictures: for each the index of its picture, 0..M-1.
        """
        own = self._count(candidates, learn=False)
        which = np.asarray(pictures, dtype=np.int64)
        pair_candidate, pair_sentence = _ranges(self._first[which], self._first[which + 1])
        first = np.searchsorted(pair_candidate, np.arange(len(which)))
        candidate, entry = _ranges(self._entries[which], self._entries[which + 1])
        size = max(int(own.gram.max(initial=0)), len(self._pictures_with)) + 1
        wanted = np.zeros(size, dtype=bool)
        wanted[own.gram] = True
        kept = wanted[self._counts.gram[entry]]  # most n-grams of references occur in no candidate at all
        candidate, entry = candidate[kept], entry[kept]
        gram = self._counts.gram[entry]
        place, found = _look_up(own.sentence * size + own.gram, candidate * size + gram)
        candidate, entry, place, gram = candidate[found], entry[found], place[found], gram[found]
        pair = first[candidate] + self._counts.sentence[entry] - self._first[which[candidate]]
        return Matches(
            lengths=own.lengths,
            first=first,
            pair_candidate=pair_candidate,
            pair_lengths=self._counts.lengths[pair_sentence],
            norms=self._weigh(own),
            pair_norms=self._norms[pair_sentence],
            entry_slot=4 * own.sentence + own.gram % 4,
            hit_entry=place,
            hit_slot=4 * pair + gram % 4,
            hit_counts=np.stack([own.count[place], self._counts.count[entry]], axis=1),
            hit_idf=self._idf(gram),
        )

    def _count(self, sentences: Sequence[Tokens], learn: bool) -> _Counts:
        lengths = np.array([len(tokens) for tokens in sentences], dtype=np.int64)
        words, number = self._words, len(self._words)
        for word in dict.fromkeys(chain.from_iterable(sentences)):
            if word not in words:
                words[word] = number
                number += 1
        flat = np.fromiter(map(words.__getitem__, chain.from_iterable(sentences)), np.int64, int(lengths.sum()))
        sentence = np.repeat(np.arange(len(lengths)), lengths)  # (T,)
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(flat))  # (T,) words from here to the end
        place = np.arange(len(flat))
        dense, grams, owners = flat, [4 * flat], [sentence]
        for order in ORDERS[1:]:
            inside = left[place] >= order
            place = place[inside]
            dense = self._number(order, dense[inside] << 32 | flat[place + order - 1], learn)
            grams.append(4 * dense + order - 1)
            owners.append(sentence[place])
        gram = np.concatenate(grams)
        size = int(gram.max(initial=0)) + 1
        keys, count = np.unique(np.concatenate(owners) * size + gram, return_counts=True)
        return _Counts(keys // size, keys % size, count, lengths)

    def _number(self, order: int, keys: Ints, learn: bool) -> Ints:
        """A number for each n-gram, given by the number of all but its last word and by that: equal for equal ones."""
        if learn:
            known, numbers = np.unique(keys, return_inverse=True)
            self._known.append(known)
            return numbers.astype(np.int64)
        known = self._known[order - 2]
        numbers, found = _look_up(known, keys)
        numbers[~found] = len(known) + np.unique(keys[~found], return_inverse=True)[1]  # for this call only
        return numbers

    def _idf(self, gram: Ints) -> Floats:
        """(...) inverse document frequency; an n-gram of no picture weighs as much as one of a single picture."""
        size = len(self._pictures_with)
        pictures = np.where(gram < size, self._pictures_with[np.minimum(gram, size - 1)], 0)
        return np.asarray(self._log_pictures - np.log(np.maximum(pictures, 1)))

    def _weigh(self, counts: _Counts) -> Floats:
        """(sentences, 4) lengths of the tf-idf vectors."""
        weights = counts.count * self._idf(counts.gram)
        slots = 4 * counts.sentence + counts.gram % 4
        return np.sqrt(totals(slots, weights**2, 4 * len(counts.lengths))).reshape(-1, 4)


def totals(slots: Ints, values: Floats, size: int) -> Floats:
    """(size,) the sum of the values that fall into each slot."""
    return np.bincount(slots, values, minlength=size).astype(np.float64)  # without any value it would be integers


def _ranges(first: Ints, end: Ints) -> tuple[Ints, Ints]:
    """All numbers of the ranges first..end - 1, one range behind the other: whose range, and the number."""
    sizes = end - first
    whose = np.repeat(np.arange(len(first)), sizes)
    return whose, np.arange(len(whose)) + (first - np.cumsum(sizes) + sizes)[whose]


def _look_up(known: Ints, keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Where in a sorted array each key stands, and whether it does."""
    place = np.searchsorted(known, keys)
    if len(known) == 0:
        return place, np.zeros(len(keys), dtype=bool)
    place = np.minimum(place, len(known) - 1)
    return place, known[place] == keys


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
