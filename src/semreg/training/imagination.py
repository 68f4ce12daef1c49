"""What the CNN would see in pictures of which there are only captions: borrowed from pictures that are like them.

The semantic interface tells a decoder nothing of a picture but s_hat, so that a caption alone is nearly enough to learn
from: the concepts that it names are known. But a true s is no s_hat, and a decoder that is taught with the one does not
understand the other. So each caption borrows the s_hat of a training picture that has most of its concepts; where the
two differ, the caption's own concepts are put in, as the CNN sees them in another picture that has them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semreg.model.interfaces import Encoding

LIKE = 3  # pictures that a caption borrows from in turn
SURPLUS = 0.7  # what a concept counts that only the picture's own captions name, against one that both have
UNSEEN = 0.3  # below this s_hat a concept of the caption is not in the borrowed picture
CHUNK = 1000  # captions that are compared with all pictures at a time


class Imagination:
    """What the CNN would see in the pictures of M captions.

    Args:
        named: which concepts each caption names, (M, K), 0 or 1.
        truth: s of the N training pictures, (N, K).
        mentioned: which of them their captions name, (N, K): labels are no part of it.
        views: what the CNN sees in each view of these pictures.
    """

    def __init__(self, named: Tensor, truth: Tensor, mentioned: Tensor, views: Sequence[Encoding]) -> None:
        self.named, self.mentioned, self.views = named, mentioned, views
        self.there = torch.maximum(truth, views[0].concepts)  # (N, K)
        counts = truth.sum(0)  # (K,)
        self.like = self._most_like(((len(truth) + 1) / (counts + 1)).log())
        self.counts = counts.long()
        self.starts = self.counts.cumsum(0) - self.counts
        self.pictures_with = truth.T.nonzero()[:, 1]  # the pictures of concept 0, then those of concept 1, ...

    def see(self, captions: Sequence[int]) -> Encoding:
        """What the CNN would see for some captions, of each a picture and a view at random: (B, ...)."""
        device = self.named.device
        texts = torch.tensor(captions, device=device)
        rows = self.like[texts, torch.randint(self.like.shape[1], (len(texts),), device=device)]
        view = self.views[int(torch.randint(len(self.views), ()))]
        logits = view.logits[rows].clone()
        named = self.named[texts] > 0
        row, concept = (named & (self.there[rows] < UNSEEN) & (self.counts > 0)).nonzero(as_tuple=True)
        chance = torch.rand(len(row), device=device)
        other = self.starts[concept] + (chance * self.counts[concept]).long()
        logits[row, concept] = view.logits[self.pictures_with[other], concept]
        row, concept = (~named & (self.mentioned[rows] > 0)).nonzero(as_tuple=True)
        other = torch.randint(len(self.there), (len(row),), device=device)  # hardly ever a picture that has it
        logits[row, concept] = view.logits[other, concept]
        return Encoding(view.features[rows], logits, logits.sigmoid())

    def _most_like(self, weights: Tensor) -> Tensor:
        """The training pictures that each caption is most like, rare concepts counting for more: (M, LIKE)."""
        found = []
        shared, surplus = (weights * self.there).T, SURPLUS * (weights * self.mentioned).T
        for first in range(0, len(self.named), CHUNK):
            named = self.named[first : first + CHUNK]
            likeness = named @ shared - (1 - named) @ surplus
            found.append(likeness.topk(min(LIKE, len(self.there)), dim=1).indices)
        return torch.cat(found)
