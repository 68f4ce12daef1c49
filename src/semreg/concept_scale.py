"""From what the concept layer says to the probability that people are shown, and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

THRESHOLD_LIMIT = 12.0  # log odds: a threshold nearer to 0 or 1 than this is as good as 0 or 1


@dataclass(frozen=True)
class ConceptScale:
    """p = sigmoid(slope * (logit(s_hat) - logit(threshold)) + offset), for each of K concepts.

    s_hat is what the decoders have learnt from, but no probability that can be taken at its word: the asymmetric loss
    pushes it up, and each concept has a threshold of its own. In p a concept counts as seen from the same probability
    on, whatever its threshold (Platt scaling of the distance to the threshold). 0 and 1 stay 0 and 1.

    Attributes:
        thresholds: values of s_hat from which a concept counts as seen, (K,).
        slope: above 0.
        offset: log odds of a concept at its threshold; None leaves s_hat as it is, slope and all.
    """

    thresholds: Tensor
    slope: float = 1.0
    offset: float | None = None

    def shown(self, values: Tensor, places: list[int] | None = None) -> Tensor:
        """s_hat to p.

        Args:
            values: (..., K), or (..., n) with `places`.
            places: of the n concepts.
        """
        if self.offset is None:
            return values
        distance = values.double().logit() - self._cuts(places).to(values.device)
        return (self.slope * distance + self.offset).sigmoid().to(values.dtype)

    def unshown(self, probabilities: Tensor, places: list[int] | None = None) -> Tensor:
        """p back to s_hat; arguments as for `shown`."""
        if self.offset is None:
            return probabilities
        distance = (probabilities.double().logit() - self.offset) / self.slope
        return (distance + self._cuts(places).to(probabilities.device)).sigmoid().to(probabilities.dtype)

    @property
    def seen_from(self) -> Tensor:
        """The probability p from which each concept counts as seen, (K,)."""
        if self.offset is None:
            return self.thresholds
        return torch.full_like(self.thresholds, self.offset).sigmoid()

    def _cuts(self, places: list[int] | None) -> Tensor:
        thresholds = self.thresholds if places is None else self.thresholds[places]
        return thresholds.double().logit().clamp(-THRESHOLD_LIMIT, THRESHOLD_LIMIT)
