"""Logistic regression by Newton's method: a few weights from many answers, in a handful of steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def fit_logistic(
    x: Floats,
    y: Floats,
    *,
    start: Sequence[float],
    ridge: Sequence[float],
    towards: Sequence[float] | None = None,
    rounds: int = 50,
) -> Floats:
    """Weights w (D,) that make sigmoid(x w) most likely, with ridge / 2 (w - towards)^2 to pay for each.

    A step that would go uphill is halved: where the answers are sure and wrong, Newton's method alone jumps about.

    Args:
        x: (N, D).
        y: (N,) 0 or 1.
        start: (D,) where to begin.
        ridge: (D,) the price of each weight's distance.
        towards: (D,) from where it is counted; 0 where it is not given.
        rounds: steps at most; far fewer suffice.
    """
    weights, price = np.asarray(start, dtype=np.float64), np.diag(np.asarray(ridge, dtype=np.float64))
    usual = np.zeros_like(weights) if towards is None else np.asarray(towards, dtype=np.float64)

    def cost(weights: Floats) -> float:
        z, away = x @ weights, weights - usual
        return float(np.logaddexp(0, z).sum() - y @ z + away @ price @ away / 2)

    for _ in range(rounds):
        p = np.exp(-np.logaddexp(0, -(x @ weights)))
        gradient = x.T @ (p - y) + price @ (weights - usual)
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + price, gradient)
        before = cost(weights)
        while cost(weights - step) > before + 1e-9:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return weights
