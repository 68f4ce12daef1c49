"""Tuned thresholds against trying every cut, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semreg.errors import SemregError
from semreg.evaluation import (
    choose_threshold,
    tagging_scores,
    thresholds_at,
    tune_by_frequency,
    tune_threshold,
    tune_thresholds,
)
from semreg.evaluation.thresholds import METRICS

sizes = st.tuples(st.integers(1, 10), st.integers(1, 5))
tables = sizes.flatmap(
    lambda size: st.tuples(
        arrays(np.float32, size, elements=st.sampled_from([0.0, 0.125, 0.25, 0.6, 0.9])),
        arrays(bool, size).filter(lambda true: bool(true.any())),
    )
)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=100, deadline=None)
@given(drawn=tables)
def test_no_cut_is_better_and_no_higher_one_as_good(metric: str, drawn: tuple[np.ndarray, np.ndarray]) -> None:
    scores, true = drawn
    threshold = tune_threshold(scores, true, metric)

    def quality(cut: float) -> float:
        figures = tagging_scores(scores >= cut, true)
        return (figures["O-F1"] + figures["C-F1"]) / 2 if metric == "mean" else figures[metric]

    best = quality(threshold)
    for cut in np.unique(scores):
        value = quality(cut)
        assert value <= best + 1e-9
        fewer = (scores >= cut).sum() < (scores >= threshold).sum()
        assert not fewer or value < best - 1e-13


def test_the_threshold_lies_half_way_between_two_scores() -> None:
    assert tune_threshold([[0.8, 0.2], [0.6, 0.1]], [[1, 0], [1, 0]]) == pytest.approx(0.4)


def test_where_everything_is_right_the_lowest_score_is_taken() -> None:
    assert tune_threshold([[0.8, 0.2]], [[1, 1]]) == pytest.approx(0.2)


def test_neighbouring_float32_scores_are_told_apart() -> None:
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    scores = np.array([[low, high]])
    np.testing.assert_array_equal(scores >= tune_threshold(scores, [[0, 1]]), [[False, True]])


@settings(max_examples=100, deadline=None)
@given(tables)
def test_without_shrinkage_each_class_has_its_own_best(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    scores, true = drawn
    thresholds = tune_thresholds(scores, true, prior=0)
    assert thresholds.shape == (true.shape[1],)
    for k in np.flatnonzero(true.any(0)):
        column, truth = scores[:, [k]], true[:, [k]]
        best = tagging_scores(column >= thresholds[k], truth)["O-F1"]
        assert all(tagging_scores(column >= cut, truth)["O-F1"] <= best + 1e-12 for cut in np.unique(column))


def test_rare_classes_are_drawn_to_the_common_threshold() -> None:
    scores = np.array([[0.9, 0.3, 0.5], [0.8, 0.1, 0.4], [0.2, 0.1, 0.3], [0.1, 0.05, 0.2]])
    true = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=bool)
    common = tune_threshold(scores, true, "C-F1 mean")
    own = tune_thresholds(scores, true, prior=0)
    np.testing.assert_allclose(own, [0.5, 0.2, common])  # class 2 has no positive
    shrunk = tune_thresholds(scores, true, prior=3)
    np.testing.assert_allclose(shrunk, [(2 * 0.5 + 3 * common) / 5, (0.2 + 3 * common) / 4, common])
    np.testing.assert_allclose(tune_thresholds(scores, true, prior=1e12), common)


def test_the_order_of_pictures_does_not_matter() -> None:
    random = np.random.default_rng(1)
    scores, true = random.random((200, 7)).round(2), random.random((200, 7)) < 0.2
    shuffled = random.permutation(200)
    for metric in METRICS:
        assert tune_threshold(scores, true, metric) == tune_threshold(scores[shuffled], true[shuffled], metric)
    np.testing.assert_array_equal(tune_thresholds(scores, true), tune_thresholds(scores[shuffled], true[shuffled]))


def test_refusals() -> None:
    with pytest.raises(SemregError, match="metric must be one of O-F1, C-F1, C-F1 mean, mean, is 'F1'"):
        tune_threshold([[0.5]], [[1]], "F1")
    with pytest.raises(SemregError, match="prior must be at least 0, is -1"):
        tune_thresholds([[0.5]], [[1]], prior=-1)
    with pytest.raises(SemregError, match="at least one true tag"):
        tune_threshold([[0.5]], [[0]])
    with pytest.raises(SemregError, match="scores must be finite"):
        tune_threshold([[np.inf]], [[1]])


def test_thresholds_by_frequency_are_lower_for_rarer_classes_where_that_helps() -> None:
    generator = np.random.default_rng(0)
    counts = np.array([1000, 100, 10, 1])
    true = generator.random((400, 4)) < 0.15
    # Scores of rare classes are as good, but lower: in log odds by half the logarithm of their rarity.
    odds = 5 * (true - 0.5) + generator.normal(size=true.shape) + 0.5 * np.log(counts / 1000)
    scores = 1 / (1 + np.exp(-odds))
    found = tune_by_frequency(scores, true, counts, "C-F1")
    assert (np.diff(found) < 0).all()
    one = tagging_scores(scores >= tune_threshold(scores, true, "C-F1"), true)["C-F1"]
    assert tagging_scores(scores >= found, true)["C-F1"] > one + 0.05


ZEROS = np.array([[0.0, 0.0, 0.0], [0.125, 0.125, 0.125]], dtype=np.float32)


@settings(max_examples=50, deadline=None)
@given(tables)
@example(drawn=(ZEROS, np.array([[False, True, False], [True, True, True]])))  # scores of 0 that had better be told
@pytest.mark.parametrize("metric", METRICS)
def test_thresholds_by_frequency_are_never_worse_than_one(metric: str, drawn: tuple[np.ndarray, np.ndarray]) -> None:
    scores, true = drawn
    found = tune_by_frequency(scores, true, np.arange(true.shape[1]), metric)
    one = tune_threshold(scores, true, metric)

    def quality(threshold: float | np.ndarray) -> float:
        figures = tagging_scores(scores >= threshold, true)
        return (figures["O-F1"] + figures["C-F1"]) / 2 if metric == "mean" else figures[metric]

    assert quality(found) >= quality(one) - 1e-9
    assert ((found >= 0) & (found <= 1)).all()


def test_how_a_threshold_is_chosen_must_be_known() -> None:
    with pytest.raises(SemregError, match="per all, frequency or class, not per 'label'"):
        choose_threshold([[0.5]], [[1]], "O-F1", "label", [1])
    with pytest.raises(SemregError, match="one for each of 1 classes"):
        choose_threshold([[0.5]], [[1]], "O-F1", "frequency", [1, 2])


@pytest.mark.parametrize("per", ["all", "frequency"])
def test_chosen_thresholds_vary_less_from_set_to_set_than_the_best_cuts(per: str) -> None:
    generator = np.random.default_rng(1)
    counts = np.array([200, 60, 20, 6, 2])

    def cut(resamples: int) -> float:
        true = generator.random((120, 5)) < counts / 400
        odds = 3 * true - 2 + generator.normal(size=true.shape)
        chosen = choose_threshold(1 / (1 + np.exp(-odds)), true, "mean", per, counts, resamples)
        return float(np.max(chosen))

    plain, drawn = (np.std([cut(resamples) for _ in range(40)]) for resamples in (0, 20))
    assert drawn < 0.85 * plain


def test_without_resamples_the_chosen_threshold_is_the_best_cut() -> None:
    scores, true = [[0.8, 0.2], [0.6, 0.1]], [[1, 0], [1, 0]]
    assert choose_threshold(scores, true, "O-F1", "all", [2, 0], resamples=0) == tune_threshold(scores, true)


def test_scores_that_are_off_for_a_class_have_its_threshold_moved_as_far() -> None:
    generator = np.random.default_rng(0)
    odds = generator.normal(-1, 1.5, size=(20_000, 3))
    off = np.array(
        [0.8, 0.0, -1.2]
    )  # the truth is likelier than the scores say for the first, less likely for the last
    true = generator.random(odds.shape) < 1 / (1 + np.exp(-(odds + off)))
    found = thresholds_at(1 / (1 + np.exp(-odds)), true, 0.5)
    assert np.log(found / (1 - found)) == pytest.approx(-off, abs=0.1)


def test_a_class_that_never_comes_up_keeps_the_probability_that_was_asked_for() -> None:
    scores = np.array([[0.9, 1e-6], [0.2, 1e-6], [0.7, 1e-6]])
    found = thresholds_at(scores, [[0, 0], [0, 0], [1, 0]], 0.6)
    assert found[1] == pytest.approx(0.6, abs=1e-5) and found[0] > 0.6
    few, many = (thresholds_at(scores, [[0, 0], [0, 0], [1, 0]], 0.6, prior)[0] for prior in (1.0, 100.0))
    assert few > found[0] > many > 0.6


def test_a_class_that_most_pictures_have_needs_what_lifts_its_odds() -> None:
    generator = np.random.default_rng(1)
    odds = generator.normal([1.0, -2.0], 1.0, size=(20_000, 2))
    true = generator.random(odds.shape) < 1 / (1 + np.exp(-odds))
    scores, rate = 1 / (1 + np.exp(-odds)), true.mean(0)
    usual = thresholds_at(scores, true, 0.7)
    assert thresholds_at(scores, true, 0.7, lift=1.0) == pytest.approx(usual)
    found = thresholds_at(scores, true, 0.7, lift=4.0)
    often = 4 * rate[0] / (1 - rate[0])
    assert found[0] == pytest.approx(often / (1 + often), abs=0.01) and found[0] > usual[0] + 0.1
    assert found[1] == pytest.approx(usual[1])  # a rare one that is there with 0.7 has been lifted by more


def test_a_lift_is_for_a_probability_per_class_and_no_less_than_1() -> None:
    scores, true = np.array([[0.9, 0.1], [0.8, 0.3]]), np.array([[0, 0], [1, 1]])
    with pytest.raises(SemregError, match="lift must be at least 1"):
        thresholds_at(scores, true, 0.7, lift=0.5)
    for wanted, per in (("O-F1", "class"), (0.7, "all")):
        with pytest.raises(SemregError, match=r"a lift \(4\) is for a given probability per class"):
            choose_threshold(scores, true, wanted, per, [1, 1], lift=4)
    assert choose_threshold(scores, true, 0.7, "class", [1, 1], lift=4) == tuple(
        thresholds_at(scores, true, 0.7, lift=4)
    )


def test_a_number_is_the_probability_itself_for_all_tags_and_never_by_frequency() -> None:
    scores, true = np.array([[0.9, 0.1], [0.8, 0.3]]), np.array([[0, 0], [1, 0]])
    assert choose_threshold(scores, true, 0.4, "all", [1, 1]) == 0.4
    assert choose_threshold(scores, true, 0.4, "class", [1, 1]) == tuple(thresholds_at(scores, true, 0.4))
    with pytest.raises(SemregError, match="not by frequency"):
        choose_threshold(scores, true, 0.4, "frequency", [1, 1])
