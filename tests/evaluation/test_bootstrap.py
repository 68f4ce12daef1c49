"""Paired bootstrap: its figures on all pictures are the metrics themselves, and chance is told from merit."""

from __future__ import annotations

import numpy as np
import pytest

from semreg.errors import SemregError
from semreg.evaluation import mean_average_precision, tagging_scores
from semreg.evaluation.bootstrap import TAG_METRICS, compare_means, compare_rankings, compare_tags


@pytest.fixture
def tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, tags that are right nine times in ten, and tags that are right four times in five."""
    generator = np.random.default_rng(1)
    true = generator.random((300, 12)) < 0.2
    true[:, 11] = False  # a class without a positive
    good, fair = (true ^ (generator.random(true.shape) < share) for share in (0.1, 0.2))
    return true, good, fair


@pytest.mark.parametrize("metric", TAG_METRICS)
def test_the_difference_is_that_of_the_metrics_themselves(
    metric: str, tables: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    true, good, fair = tables
    found = compare_tags([good], [fair], true, metric, draws=500)
    expected = tagging_scores(good, true)[metric] - tagging_scores(fair, true)[metric]
    assert found.difference == pytest.approx(expected, abs=1e-12)
    assert found.low < found.difference < found.high
    assert found.low > 0 and found.p < 0.01


@pytest.mark.parametrize("metric", TAG_METRICS)
def test_a_model_against_itself_is_no_different(metric: str, tables: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    true, good, _ = tables
    found = compare_tags([good], [good], true, metric, draws=200)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_it_turns_round_with_its_models(tables: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    true, good, fair = tables
    one = compare_tags([good], [fair], true, "O-F1", draws=300)
    other = compare_tags([fair], [good], true, "O-F1", draws=300)
    assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))
    assert one.p == other.p


def test_runs_count_by_their_mean(tables: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    true, good, fair = tables
    found = compare_tags([good, fair], [fair], true, "O-F1", draws=300)
    alone = compare_tags([good], [fair], true, "O-F1", draws=300)
    assert found.difference == pytest.approx(alone.difference / 2)


def test_the_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    generator = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        first, second = generator.normal(0.1, 1, 150), generator.normal(0.0, 1, 150)
        found = compare_means([first], [second], draws=400)
        held += found.low <= 0.1 <= found.high
    assert 180 <= held <= 199  # 95 percent of 200 is 190


def test_two_models_that_differ_by_chance_alone_are_seldom_told_apart() -> None:
    generator = np.random.default_rng(3)
    ps = [compare_means([generator.normal(size=100)], [generator.normal(size=100)], draws=300).p for _ in range(200)]
    assert 1 <= sum(p < 0.05 for p in ps) <= 22


def test_rankings_are_compared_by_the_mean_average_precision_of_pictures_drawn_anew() -> None:
    generator = np.random.default_rng(4)
    true = generator.random((60, 5)) < 0.15
    true[:, 4] = False
    good, fair = (np.round(true + generator.normal(0, spread, true.shape), 1) for spread in (0.6, 1.2))  # with ties
    found = compare_rankings(good, fair, true, draws=300)
    assert found.difference == pytest.approx(mean_average_precision(good, true) - mean_average_precision(fair, true))
    counts = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), size=300)
    drawn = [np.repeat(np.arange(60), row) for row in counts]
    each = [mean_average_precision(good[i], true[i]) - mean_average_precision(fair[i], true[i]) for i in drawn]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(each, [0.025, 0.975])))
    assert found.p < 0.05 < compare_rankings(good, good, true, draws=300).p


def test_mistakes_are_named(tables: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    true, good, fair = tables
    with pytest.raises(SemregError, match="metric must be one of C-F1"):
        compare_tags([good], [fair], true, "F2")
    with pytest.raises(SemregError, match="at least one run"):
        compare_tags([good], [], true, "O-F1")
    with pytest.raises(SemregError, match="one shape"):
        compare_tags([good[:10]], [fair], true, "O-F1")
    with pytest.raises(SemregError, match="the same pictures"):
        compare_means([[1.0, 2.0]], [[1.0]])
