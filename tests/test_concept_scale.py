"""What people are shown of concepts: in the order of what was seen, back without loss, and calibrated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semreg.concept_scale import ConceptScale
from semreg.evaluation import expected_calibration_error, fit_scale
from semreg.model_folder import DEFAULT_MODEL, read_config

THRESHOLDS = torch.tensor([0.2, 0.73, 0.9])


def test_seen_is_from_one_probability_on_whatever_the_threshold() -> None:
    scale = ConceptScale(THRESHOLDS, 1.9, -1.1)
    values = torch.linspace(0, 1, 1001)[:, None].expand(-1, 3)
    shown = scale.shown(values)
    (bar,) = set(scale.seen_from.tolist())
    assert bar == pytest.approx(1 / (1 + np.exp(1.1)))
    assert ((shown >= bar) == (values >= THRESHOLDS)).float().mean() > 0.998  # but for rounding at the bar itself
    assert (shown.diff(dim=0) >= 0).all()
    assert shown[0].tolist() == [0, 0, 0] and shown[-1].tolist() == [1, 1, 1]


def test_there_and_back_is_the_same() -> None:
    values = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    for scale in (ConceptScale(THRESHOLDS, 1.9, -1.1), ConceptScale(THRESHOLDS)):
        assert torch.allclose(scale.unshown(scale.shown(values)), values, atol=1e-5)
        some = scale.shown(values[:, [2, 0]], [2, 0])
        assert torch.equal(some, scale.shown(values)[:, [2, 0]])
    assert ConceptScale(THRESHOLDS).seen_from is THRESHOLDS


def test_a_fitted_scale_is_calibrated_and_finds_what_the_scores_were_made_with() -> None:
    random = np.random.default_rng(0)
    cuts = np.array([0.2, 0.73, 0.9])
    distance = random.normal(0, 2, (20_000, 3))
    scores = 1 / (1 + np.exp(-(distance + np.log(cuts / (1 - cuts)))))
    true = random.random(scores.shape) < 1 / (1 + np.exp(-(1.9 * distance - 1.1)))
    slope, offset = fit_scale(scores, true, cuts)
    assert slope == pytest.approx(1.9, abs=0.05) and offset == pytest.approx(-1.1, abs=0.05)
    shown = ConceptScale(torch.tensor(cuts), slope, offset).shown(torch.tensor(scores)).numpy()
    assert expected_calibration_error(shown, true) < 0.01 < expected_calibration_error(scores, true)


def test_scores_that_tell_all_or_nothing_are_fitted_too() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.0, 1.0]])
    assert all(map(np.isfinite, fit_scale(scores, scores > 0.5, 0.5)))  # perfectly told apart
    slope, offset = fit_scale(scores, scores < 0.5, 0.5)  # the wrong way round: the order stays
    assert slope > 0 and np.isfinite(offset)
    assert all(map(np.isfinite, fit_scale(scores, np.zeros((3, 2), bool), 1.0)))  # no positive


def test_the_default_model_has_a_scale() -> None:
    assert read_config(DEFAULT_MODEL).concept_scale is not None  # else: semreg tune --keep-thresholds
