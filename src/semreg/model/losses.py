"""The two losses: unary (each concept by itself, at the interface) and relational (the path, through the RNN)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def binary_cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """L_u as in the paper: cross-entropy of each concept, summed over the concepts, mean over the pictures.

    Args:
        logits: (B, K) before the sigmoid.
        truth: s, (B, K), 0 or 1.
    """
    return F.binary_cross_entropy_with_logits(logits, truth, reduction="sum") / len(logits)


def asymmetric_loss(
    logits: Tensor, truth: Tensor, negative: float = 4.0, positive: float = 0.0, margin: float = 0.05
) -> Tensor:
    """L_u for many rare concepts: easy negatives count little, near-certain ones nothing (Ridnik et al. 2021).

    Args:
        logits: (B, K) before the sigmoid.
        truth: s, (B, K), 0 or 1.
        negative: focusing exponent of the negatives.
        positive: focusing exponent of the positives.
        margin: probability below which a negative counts as solved.

    Returns:
        The sum over the concepts, mean over the pictures; with zero exponents and margin, `binary_cross_entropy`.

    Source: arXiv:2009.14119.
    """
    present, absent = logits.sigmoid(), (logits.sigmoid() - margin).clamp_min(0)
    gain = truth * F.logsigmoid(logits)
    # log(1 - (p - margin)); without a margin logsigmoid(-x) is the same and exact for large x
    rejected = F.logsigmoid(-logits) if margin == 0 else torch.log1p(-absent)
    loss = gain + (1 - truth) * rejected
    if negative or positive:
        with torch.no_grad():  # the weights are no way to lower the loss
            weight = truth * (1 - present) ** positive + (1 - truth) * absent**negative
        loss = loss * weight
    return -loss.sum() / len(logits)


def relational_loss(logits: Tensor, targets: Tensor, padding: int, smoothing: float = 0.0) -> Tensor:
    """L_r: minus the log-likelihood of the true path, mean over its tokens (the stop token is one of them).

    Args:
        logits: (B, T, V) under teacher forcing.
        targets: (B, T) the token to come at each step, `padding` behind the end.
        padding: the token that does not count.
        smoothing: share of the target spread over the vocabulary.
    """
    total = F.cross_entropy(
        logits.flatten(0, 1),
        targets.flatten(),
        ignore_index=padding,
        label_smoothing=smoothing,
        reduction="sum",
    )
    return total / (targets != padding).sum().clamp_min(1)  # a batch without any path costs nothing


def any_remaining_loss(logits: Tensor, targets: Tensor, padding: int, first_label: int) -> Tensor:
    """L_r of a set: at each step minus the log-likelihood of *any* label that is still to come, then of the stop token.

    Args:
        logits: (B, T, V) under teacher forcing.
        targets: (B, T) the token to come at each step, `padding` behind the end.
        padding: the token that does not count.
        first_label: tokens from here on are labels.

    Returns:
        The mean over the tokens; never more than `relational_loss` of the same path.
    """
    steps = F.one_hot(targets, logits.shape[-1]).bool()  # (B, T, V)
    remaining = steps.flip(1).cumsum(1).flip(1).bool()
    remaining[..., :first_label] &= steps[..., :first_label]  # the stop token is right at its own step alone
    likelihood = logits.log_softmax(-1).masked_fill(~remaining, float("-inf")).logsumexp(-1)  # (B, T)
    counted = targets != padding
    return -likelihood[counted].sum() / counted.sum().clamp_min(1)


UNARY_LOSSES = {"binary_cross_entropy": binary_cross_entropy, "asymmetric": asymmetric_loss}
