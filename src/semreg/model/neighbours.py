"""The concept layer's second witness: the training pictures most like this one, and what was true of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMOOTHING = 0.2  # of a concept's rate in the training pictures: what no neighbour has is still not impossible


class Neighbours(nn.Module):
    """Remembers N training pictures by what the CNN sees in them, and their concepts; asked, those like a picture vote.

    A linear layer on the features must find one direction for all buses; a neighbour only has to look like this one
    (TagProp: Guillaumin et al., ICCV 2009). Where training pictures are few, the layer knows them by heart, and what it
    has missed its neighbours often have. The votes are the mean of the N label vectors with weights
    softmax(cosine / temperature), cosines of features projected to a few decorrelated directions; their log odds,
    times `share`, are added to the layer's own.

    Args:
        pictures: N, of a model that is loaded; one that learns has as many as it is told to remember.
        features: D, of phi(I).
        concepts: K.
        size: P, directions that are kept.
        temperature: of the softmax; the lower, the fewer neighbours count.
    """

    centre: Tensor
    projection: Tensor
    keys: Tensor
    packed: Tensor
    share: Tensor

    def __init__(self, pictures: int, features: int, concepts: int, size: int, temperature: float) -> None:
        super().__init__()
        self.concepts, self.temperature = concepts, temperature
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("projection", torch.zeros(features, size))
        self.register_buffer("keys", torch.zeros(pictures, size))
        self.register_buffer("packed", torch.zeros(pictures, math.ceil(concepts / 8), dtype=torch.uint8))
        self.register_buffer("share", torch.zeros(()))
        self._unpacked: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def remember(self, features: Tensor, truth: Tensor, whiten: float) -> None:
        """Take in the training pictures.

        Args:
            features: phi(I), (N, D).
            truth: s, (N, K), 0 or 1.
            whiten: 0 leaves the directions their variances, 1 makes them equal.
        """
        self.centre.copy_(features.mean(0))
        centred = (features - self.centre).double()
        variances, directions = torch.linalg.eigh(centred.T @ centred / len(centred))  # in ascending order
        kept = min(self.projection.shape[1], int((variances > 1e-6 * variances[-1]).sum()))
        scale = variances.flip(0)[:kept] ** (whiten / 2)
        self.projection.zero_()[:, :kept] = directions.flip(1)[:, :kept] / scale
        self.keys, self.packed, self._unpacked = self._key(features), self._pack(truth), None

    @torch.no_grad()
    def add(self, features: Tensor, truth: Tensor) -> None:
        """Remember some pictures more, seen in the same directions.

        Args:
            features: phi(I), (N', D).
            truth: s, (N', K), 0 or 1; all 0 for pictures of nothing.
        """
        self.keys = torch.cat([self.keys, self._key(features)])
        self.packed = torch.cat([self.packed, self._pack(truth)])
        self._unpacked = None

    def forward(self, features: Tensor, own: Tensor | None = None) -> Tensor:
        """What is added to the concept layer's logits.

        Args:
            features: phi(I), (B, D).
            own: for each of them its place among the remembered pictures, -1 where it is none of them, (B,): nobody
                votes for himself.

        Returns:
            (B, K).
        """
        with torch.autocast(features.device.type, enabled=False):
            return self._log_odds(features.float(), own)

    def _log_odds(self, features: Tensor, own: Tensor | None) -> Tensor:
        likeness = self._key(features) @ self.keys.T / self.temperature
        if own is not None:
            known = (own >= 0).nonzero()[:, 0]
            likeness[known, own[known]] = -torch.inf
        labels, rates = self._known()
        votes, least = likeness.softmax(1) @ labels, SMOOTHING * rates + 1e-9
        return self.share * torch.where(rates > 0, (votes + least).log() - (1 - votes + least).log(), 0.0)

    @property
    def labels(self) -> Tensor:
        """The remembered pictures' concepts, (N, K), 0 or 1."""
        return self._known()[0]

    def _known(self) -> tuple[Tensor, Tensor]:
        """The labels, and how often each concept is true, (K,)."""
        if self._unpacked is None or self._unpacked[0].device != self.packed.device:
            bits = self.packed[:, :, None] >> torch.arange(8, device=self.packed.device, dtype=torch.uint8) & 1
            labels = bits.flatten(1)[:, : self.concepts].float()
            self._unpacked = labels, labels.mean(0)
        return self._unpacked

    def _pack(self, truth: Tensor) -> Tensor:
        """Concepts (N, K) as bits, eight to a byte."""
        bits = F.pad(truth > 0.5, (0, 8 * self.packed.shape[1] - truth.shape[1])).view(len(truth), -1, 8)
        weights = torch.arange(8, device=bits.device, dtype=torch.uint8)
        return (bits.to(torch.uint8) << weights).sum(2, dtype=torch.uint8)

    def _key(self, features: Tensor) -> Tensor:
        return F.normalize((features - self.centre) @ self.projection, dim=1)

    def _load_from_state_dict(self, *args: object, **kwargs: object) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._unpacked = None
