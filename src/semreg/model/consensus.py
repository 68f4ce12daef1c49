"""Which of several captions of a picture is most like what people wrote of pictures in which the same is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ORDERS = (1, 2, 3, 4)  # lengths of n-grams
FLOOR = 1e-4  # s_hat is kept this far from 0 and 1 before its log odds are taken


@dataclass(frozen=True)
class _Phrases:
    """The n-grams of one length in the remembered captions.

    Attributes:
        keys: the different ones, in order, (G,).
        idf: their inverse document frequencies, (G,).
        place: which one each place of each picture's captions has, (N, C * T'), G for none.
        weight: what it counts there: its idf, over the length of its caption's vector, (N, C * T').
    """

    keys: Tensor
    idf: Tensor
    place: Tensor
    weight: Tensor


class Consensus(nn.Module):
    """Remembers the captions of N training pictures and what was seen in each; asked, those that see the same vote.

    A decoder ranks its captions by how likely each is, and the likeliest says little, or something odd. People who
    wrote of pictures like this one agree on more, so the caption is taken that agrees most with theirs: the mean
    CIDEr (Vedantam et al., CVPR 2015: cosine of tf-idf vectors of 1 to 4 words) with the captions of the nearest
    pictures (Devlin et al. 2015, arXiv:1505.04467; Mao et al. 2015, arXiv:1412.6632). Near is here who has the same
    concepts, as the CNN sees them, so that concepts corrected by hand choose other neighbours.

    Args:
        pictures: N.
        concepts: K.
        captions: C, of each picture at most.
        length: T, words of each at most.
        words: V, with the special tokens.
        padding: the token that fills captions up.
        size: P, directions of the concepts' log odds that are compared.
        neighbours: how many pictures are asked.
    """

    centre: Tensor
    projection: Tensor
    keys: Tensor
    captions: Tensor

    def __init__(
        self,
        pictures: int,
        concepts: int,
        captions: int,
        length: int,
        words: int,
        padding: int,
        size: int,
        neighbours: int,
    ) -> None:
        super().__init__()
        self.words, self.padding, self.neighbours = words, padding, min(neighbours, pictures)
        self.register_buffer("centre", torch.zeros(concepts))
        self.register_buffer("projection", torch.zeros(concepts, size))
        self.register_buffer("keys", torch.zeros(pictures, size))
        tokens = torch.int16 if words <= torch.iinfo(torch.int16).max else torch.int32
        self.register_buffer("captions", torch.full((pictures, captions, length), padding, dtype=tokens))
        self._known: list[_Phrases] | None = None

    @torch.no_grad()
    def remember(self, concepts: Tensor, captions: Tensor) -> None:
        """Take in the training pictures.

        Args:
            concepts: s_hat, (N, K).
            captions: their words' tokens, (N, C, T), padded.
        """
        seen = _log_odds(concepts)
        self.centre.copy_(seen.mean(0))
        scaled = (seen - self.centre).double()
        deviation = scaled.std(0).clamp(min=1e-3)
        scaled = scaled / deviation
        _, directions = torch.linalg.eigh(scaled.T @ scaled / len(scaled))  # in ascending order of their variance
        kept = min(self.projection.shape[1], len(self.centre))
        self.projection.zero_()[:, :kept] = directions.flip(1)[:, :kept] / deviation[:, None]
        self.keys.copy_(self._key(concepts))
        self.captions.copy_(captions)
        self._known = None

    @torch.no_grad()
    def forward(self, concepts: Tensor, candidates: Tensor) -> Tensor:
        """How much the neighbours agree with each caption.

        Args:
            concepts: s_hat, (B, K).
            candidates: tokens of n captions of each picture, (B, n, T), padded.

        Returns:
            (B, n), 0..1.
        """
        likeness = self._key(concepts) @ self.keys.T
        near = likeness.topk(self.neighbours, 1).indices  # (B, k)
        written = (self.captions[near][..., 0] != self.padding).sum((1, 2)).clamp(min=1)  # (B,) captions that are asked
        agreed = torch.zeros(candidates.shape[:2], device=candidates.device)
        for order, phrases in zip(ORDERS, self._phrases(), strict=True):
            agreed += self._agreement(order, phrases, near, candidates)
        return agreed / (len(ORDERS) * written[:, None])

    def _agreement(self, order: int, phrases: _Phrases, near: Tensor, candidates: Tensor) -> Tensor:
        """The sum of the neighbours' cosines with each candidate, for n-grams of one length: (B, n)."""
        pictures, count = candidates.shape[:2]
        total = len(phrases.keys)
        runs, there = _runs(candidates, order, self.words, self.padding)  # (B, n, T'): the candidates' n-grams
        place = torch.searchsorted(phrases.keys, runs).clamp(max=max(0, total - 1))
        known = there & (phrases.keys[place] == runs) if total else torch.zeros_like(there)
        rarest = math.log(max(2, len(self.captions)))
        idf = torch.where(known, phrases.idf[place] if total else 0.0, rarest)
        weight = _weights(runs, there, idf)
        offset = (torch.arange(pictures, device=near.device) * (total + 1))[:, None]
        asked = torch.where(known, place, total).view(pictures, -1) + offset  # n-grams, told apart by picture
        wanted, where = torch.unique(asked, return_inverse=True)
        asked_by_any = torch.zeros(total + 1, dtype=torch.bool, device=near.device)
        asked_by_any[place[known]] = True
        places = phrases.place[near]  # (B, k, C * T')
        row, neighbour, column = asked_by_any[places].nonzero(as_tuple=True)  # few are, and only these are looked for
        told = places[row, neighbour, column] + row * (total + 1)
        found = torch.searchsorted(wanted, told).clamp(max=len(wanted) - 1)
        weight_told = phrases.weight[near[row, neighbour], column]
        sums = torch.zeros(len(wanted), device=near.device)
        sums.index_add_(0, found, torch.where(wanted[found] == told, weight_told, 0.0))  # not by another picture alone
        return (sums[where].view(pictures, count, -1) * weight).sum(2)

    def _phrases(self) -> list[_Phrases]:
        if self._known is None or self._known[0].keys.device != self.captions.device:
            self._known = [self._count(order) for order in ORDERS]
        return self._known

    def _count(self, order: int) -> _Phrases:
        runs, there = _runs(self.captions.long(), order, self.words, self.padding)  # (N, C, T')
        keys, place = torch.unique(runs[there], return_inverse=True)
        first = there & (_repeats(runs, there, earlier=True) == 0)
        places = torch.full_like(runs, len(keys))
        places[there] = place
        written = (self.captions[..., 0] != self.padding).sum()
        frequency = torch.bincount(places[first], minlength=len(keys)).clamp(min=1)
        idf = (written / frequency).log().float()
        weight = _weights(runs, there, F.pad(idf, (0, 1))[places])
        return _Phrases(keys, idf, places.flatten(1).int(), weight.flatten(1))

    def _key(self, concepts: Tensor) -> Tensor:
        return F.normalize((_log_odds(concepts) - self.centre) @ self.projection, dim=1)

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._known = None


def _log_odds(concepts: Tensor) -> Tensor:
    return concepts.float().clamp(FLOOR, 1 - FLOOR).logit()


def _runs(tokens: Tensor, order: int, words: int, padding: int) -> tuple[Tensor, Tensor]:
    """Each run of `order` words as one number, and whether there is one: (..., T') twice."""
    if tokens.shape[-1] < order:
        tokens = F.pad(tokens, (0, order - tokens.shape[-1]), value=padding)
    windows = tokens.long().unfold(-1, order, 1)
    powers = words ** torch.arange(order, device=tokens.device)
    return (windows * powers).sum(-1), (windows != padding).all(-1)


def _repeats(runs: Tensor, there: Tensor, earlier: bool = False) -> Tensor:
    """How often each run is in its caption, or how often before: (..., T')."""
    same = (runs[..., :, None] == runs[..., None, :]) & there[..., None, :]
    return (same.tril(-1) if earlier else same).sum(-1)


def _weights(runs: Tensor, there: Tensor, idf: Tensor) -> Tensor:
    """What each run counts in its caption's vector of length 1; a run that is there twice has two places: (..., T')."""
    squares = torch.where(there, _repeats(runs, there) * idf**2, 0.0).sum(-1, keepdim=True)
    return torch.where(there, idf / squares.sqrt().clamp(min=1e-9), 0.0)
