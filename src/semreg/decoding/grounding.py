"""How far what is seen bears a caption out: beside how likely it is, that decides which of several is taken."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

EDGE = 1e-4  # probabilities are kept this far from 0 and 1 before their odds are taken
MOST = 1.0  # what one concept that is seen clearly counts at most: a caption is no list
FLOOR = 5e-3  # of the probability of a label: what is not there is not there
AGAIN = 1.0  # what it costs to name a concept once more, in the units of a mean log-probability


@dataclass(frozen=True)
class Grounding:
    """What the concept layer says of captions that a decoder finds likely.

    A decoder weighs what is seen against what is usually said, and of twenty likely sentences the most usual wins. But
    the concept layer can be asked of each: does it name what this picture shows more clearly than pictures do on
    average? How often a thing is spoken of says little of how often it is there, so log odds are taken against the
    usual, and each counts up to `MOST`. Only labels are told of all pictures that have the thing: of those that a
    caption implies, the log probability of the least probable one counts. "A horse pulling a horse" names one twice.

    Attributes:
        concept: which concept each token names, or -1, (V,).
        implied: the concepts of the labels that each token implies, -1 behind them, (V, J).
        usual: how many pictures have each concept, (K,) in 0..1.
        named: what a unit of the first counts, in units of a mean log-probability.
        labels: what a unit of the second counts.
    """

    concept: Tensor
    implied: Tensor
    usual: Tensor
    named: float
    labels: float

    def __call__(self, probabilities: Tensor, captions: Tensor) -> Tensor:
        """What it comes to for each caption, (B, n).

        Args:
            probabilities: of the concepts, (B, K).
            captions: tokens, (B, n, T), padded with one that names and implies nothing.
        """
        odds = probabilities.clamp(EDGE, 1 - EDGE).logit()
        clearer = (odds - self.usual.clamp(EDGE, 1 - EDGE).logit()).clamp(max=MOST)[:, None]  # (B, 1, K)
        absent = probabilities.clamp(FLOOR, 1).log()[:, None]
        naming = self.concept[captions]  # (B, n, T)
        named = _among(naming, odds.shape[1])  # (B, n, K)
        implied = _among(self.implied[captions].flatten(2), odds.shape[1])
        again = (naming >= 0).sum(2) - named.sum(2)
        missing = absent.masked_fill(~implied, 0.0).amin(2)
        return self.named * (clearer * named).sum(2) + self.labels * missing - AGAIN * again

    def to(self, device: torch.device) -> Grounding:
        """The same, there."""
        tables = self.concept.to(device), self.implied.to(device), self.usual.to(device)
        return Grounding(*tables, self.named, self.labels)


def _among(concepts: Tensor, count: int) -> Tensor:
    """Which of `count` concepts are among those given, (B, n, m) with -1 for none: (B, n, count)."""
    found = torch.zeros(*concepts.shape[:2], count + 1, dtype=torch.bool, device=concepts.device)
    return found.scatter(2, concepts % (count + 1), True)[..., :count]
