"""A probability for every tag: the RNN's path and the concept layer, combined and calibrated on validation data."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

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
    evidence = _evidence(path, concepts)
    return evidence.matmul(evidence.new_tensor(weights)).sigmoid()


def calibrate(path: Tensor, concepts: Tensor | None, truth: Tensor, rounds: int = 30) -> tuple[float, float, float]:
    """Fit the weights of `combine` by logistic regression, all labels pooled (Newton's method, no step uphill).

    Args:
        path: (N, L), as in `combine`.
        concepts: (N, L), or None.
        truth: (N, L), 0 or 1.
        rounds: Newton steps; far fewer suffice.

    Returns:
        w_path, w_concept, bias; w_concept is 0 without concepts.
    """
    x = _evidence(path, concepts).double().flatten(0, 1)  # (N * L, 3)
    y = truth.double().flatten()
    weights = torch.tensor([1.0, 0.0, 0.0], dtype=torch.double)
    ridge = torch.eye(3, dtype=torch.double) * 1e-3

    def cost(weights: Tensor) -> Tensor:
        z = x @ weights
        return F.softplus(z).sum() - y @ z + weights @ ridge @ weights / 2

    for _ in range(rounds):
        p = (x @ weights).sigmoid()
        gradient = x.T @ (p - y) + ridge @ weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge
        step = torch.linalg.solve(hessian, gradient)
        before = cost(weights)
        while cost(weights - step) > before:  # too far: where the path is sure and wrong, Newton alone jumps about
            step = step / 2
        weights = weights - step
        if step.abs().max() < 1e-8:
            break
    a, b, c = weights.tolist()
    return a, b, c


def _evidence(path: Tensor, concepts: Tensor | None) -> Tensor:
    """(N, L, 3): the two log odds and a one."""
    first = torch.logit(path.float().clamp(1e-7, 1 - 1e-6)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    second = (
        torch.zeros_like(first)
        if concepts is None
        else torch.logit(concepts.float().clamp(1e-7, 1 - 1e-6)).clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
    )
    return torch.stack([first, second, torch.ones_like(first)], -1)
