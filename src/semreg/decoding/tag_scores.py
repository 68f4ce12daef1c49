"""A probability for every tag: the RNN's path and the concept layer, combined and calibrated on validation data."""

from __future__ import annotations

import torch
from torch import Tensor

from semreg.decoding.search import Hypotheses

LOGIT_LIMIT = 12.0  # probabilities nearer to 0 or 1 than this carry no more information in single precision


def evidence_of_paths(found: Hypotheses) -> Tensor:
    """How probable each token was at its best step along the paths that a search found.

    Args:
        found: one path or several for each of B pictures, with their evidence; several count by their probability.

    Returns:
        (B, V) the largest softmax probability of every token over the steps of a path, also of tokens not on it; the
        mean over the paths.
    """
    assert found.evidence is not None
    paid = found.lengths + found.ended  # the stop token is part of a path's probability
    total = torch.where(found.scores.isneginf(), found.scores, found.scores * paid)  # (B, n) log-probability
    return (total.softmax(1)[..., None] * found.evidence).sum(1)


def combine(path: Tensor, concepts: Tensor | None, weights: tuple[float, float, float]) -> Tensor:
    """sigmoid(w_path logit(p) + w_concept logit(s_hat) + bias).

    Args:
        path: (N, L) largest probability of each label over the steps of the RNN's path.
        concepts: (N, L) the concept layer's probability of the same labels, or None where it was never taught.
        weights: w_path, w_concept, bias.

    Returns:
        (N, L) probabilities.
    """
    found = evidence(path, concepts)
    return found.matmul(found.new_tensor(weights)).sigmoid()


def evidence(path: Tensor, concepts: Tensor | None) -> Tensor:
    """What `combine` weighs, (N, L, 3): the two log odds and a one."""
    first = torch.logit(path.float().clamp(1e-7, 1 - 1e-6)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    second = (
        torch.zeros_like(first)
        if concepts is None
        else torch.logit(concepts.float().clamp(1e-7, 1 - 1e-6)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    )
    return torch.stack([first, second, torch.ones_like(first)], -1)
