"""How likely it is that all that a caption speaks of is there, as the concept layer sees it."""

from __future__ import annotations

import torch
from torch import Tensor

FLOOR = 1e-4  # of s_hat, before its logarithm is taken


def all_there(concepts: Tensor, captions: Tensor, concept_of_token: Tensor) -> Tensor:
    """The log-probability that every concept of a caption is there, the concepts taken as independent.

    A decoder says what people often say of such pictures, also what this one does not show: each word that names a
    concept is a claim, and costs -log s_hat. A concept that was put right by hand costs nothing, or very much.

    Args:
        concepts: s_hat, (B, K).
        captions: tokens of n captions of each picture, (B, n, T).
        concept_of_token: for each token the concept that it names, or -1, (V,).

    Returns:
        (B, n), at most 0; a concept that is named twice counts once.
    """
    named = concept_of_token[captions]  # (B, n, T)
    same = named[..., :, None] == named[..., None, :]
    counts = (named >= 0) & ~same.tril(-1).any(-1)
    sure = concepts.float().clamp(min=FLOOR).log()[:, None].expand(-1, captions.shape[1], -1)
    return torch.where(counts, sure.gather(2, named.clamp(min=0)), 0.0).sum(-1)
