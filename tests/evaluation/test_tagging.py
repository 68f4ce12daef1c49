"""Tag metrics against scikit-learn, by hand, and at their edges."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semreg.errors import SemregError
from semreg.evaluation import (
    average_precision,
    expected_calibration_error,
    mean_average_precision,
    tagging_scores,
    top_k,
)

sizes = st.tuples(st.integers(1, 12), st.integers(1, 6))
tables = sizes.flatmap(lambda size: st.tuples(arrays(bool, size), arrays(bool, size)))
# Few different scores, so that ties are common.
ranked_tables = sizes.flatmap(
    lambda size: st.tuples(arrays(np.float64, size, elements=st.sampled_from([0.0, 0.1, 0.5, 0.9])), arrays(bool, size))
)


def test_by_hand() -> None:
    true = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0]])
    predicted = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 0, 0]])
    scores = tagging_scores(predicted, true)
    # Class 0: TP 1, P 2, G 2; class 1: TP 2, P 2, G 2; classes 2 and 3 have no positive.
    assert scores == pytest.approx(
        {
            "C-P": 0.75,
            "C-R": 0.75,
            "C-F1": 0.75,
            "C-F1 mean": 0.75,
            "O-P": 3 / 5,  # the false alarm of class 3 counts here
            "O-R": 3 / 4,
            "O-F1": 2 / 3,
            "N+": 2,
            "classes": 2,
            "classes without positives": 2,
        }
    )
    assert all(type(value) is float for value in scores.values())


def test_the_two_definitions_of_class_f1_differ() -> None:
    true = np.array([[1, 1], [0, 1], [0, 1], [0, 1]])
    predicted = np.array([[1, 1], [1, 0], [1, 0], [1, 0]])
    scores = tagging_scores(predicted, true)
    assert (scores["C-P"], scores["C-R"]) == (0.625, 0.625)
    assert scores["C-F1"] == pytest.approx(0.625)
    assert scores["C-F1 mean"] == pytest.approx(0.4)


@settings(max_examples=150, deadline=None)
@given(tables)
def test_equals_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    predicted, true = drawn
    if not true.any():
        with pytest.raises(SemregError, match="at least one true tag"):
            tagging_scores(predicted, true)
        return
    present = np.flatnonzero(true.any(0))
    scores = tagging_scores(predicted, true)
    columns = (true[:, present].astype(int), predicted[:, present].astype(int))
    each = metrics.precision_recall_fscore_support(*columns, labels=range(len(present)), average=None, zero_division=0)
    if len(present) == 1:  # scikit-learn takes a single column for a binary problem
        each = [
            [score(columns[0].ravel(), columns[1].ravel(), zero_division=0)]
            for score in (metrics.precision_score, metrics.recall_score, metrics.f1_score)
        ]
    assert scores["C-P"] == pytest.approx(np.mean(each[0]))
    assert scores["C-R"] == pytest.approx(np.mean(each[1]))
    assert scores["C-F1 mean"] == pytest.approx(np.mean(each[2]))
    flat = (true.ravel(), predicted.ravel())
    assert scores["O-P"] == pytest.approx(metrics.precision_score(*flat, zero_division=0))
    assert scores["O-R"] == pytest.approx(metrics.recall_score(*flat, zero_division=0))
    assert scores["O-F1"] == pytest.approx(metrics.f1_score(*flat, zero_division=0))
    assert scores["classes"] == len(present)
    assert scores["classes"] + scores["classes without positives"] == true.shape[1]


def test_no_tag_predicted_is_zero_not_nan() -> None:
    scores = tagging_scores(np.zeros((3, 2), bool), np.ones((3, 2), bool))
    assert [scores[name] for name in ("C-P", "C-R", "C-F1", "C-F1 mean", "O-P", "O-R", "O-F1", "N+")] == [0.0] * 8


@settings(max_examples=150, deadline=None)
@given(ranked_tables)
def test_average_precision_equals_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    scores, true = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a class without positives and answers 0
        theirs = [metrics.average_precision_score(true[:, k], scores[:, k]) for k in range(true.shape[1])]
    np.testing.assert_allclose(average_precision(scores, true), theirs, atol=1e-12)
    if true.any():
        assert mean_average_precision(scores, true) == pytest.approx(np.mean(np.array(theirs)[true.any(0)]))


def test_average_precision_at_scale() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    random = np.random.default_rng(0)
    scores, true = random.random((5000, 20)).round(3).astype(np.float32), random.random((5000, 20)) < 0.05
    theirs = metrics.average_precision_score(true, scores, average=None)
    np.testing.assert_allclose(average_precision(scores, true), theirs, atol=1e-12)


def test_mean_average_precision_leaves_out_classes_without_positives() -> None:
    scores = np.array([[0.9, 0.9], [0.1, 0.8]])
    true = np.array([[True, False], [False, False]])
    np.testing.assert_array_equal(average_precision(scores, true), [1, 0])
    assert mean_average_precision(scores, true) == 1
    with pytest.raises(SemregError, match="at least one true tag"):
        mean_average_precision(scores, np.zeros((2, 2), bool))


def test_top_k_takes_the_lower_index_of_equals() -> None:
    scores = np.array([[0.1, 0.5, 0.5, 0.5], [0.0, 0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(top_k(scores, 2), [[0, 1, 1, 0], [1, 0, 0, 1]])
    assert top_k(scores, 4).all()
    assert top_k(np.zeros((0, 3)), 3).shape == (0, 3)


@pytest.mark.parametrize("k", [0, 5])
def test_top_k_refuses(k: int) -> None:
    with pytest.raises(SemregError, match=rf"k must lie in 1\.\.4, the number of classes, is {k}"):
        top_k(np.zeros((2, 4)), k)


def test_calibration() -> None:
    scores = np.array([[0.75, 0.75, 0.75, 0.75]])
    assert expected_calibration_error(scores, [[1, 1, 1, 0]]) == pytest.approx(0)
    assert expected_calibration_error(scores, [[0, 0, 0, 0]]) == pytest.approx(0.75)
    assert expected_calibration_error([[1.0, 0.0]], [[1, 0]]) == 0
    assert expected_calibration_error([[0.9, 0.2]], [[1, 1]]) == pytest.approx((0.1 + 0.8) / 2)
    assert expected_calibration_error([[0.9, 0.2]], [[1, 0]], bins=1) == pytest.approx(0.05)
    assert expected_calibration_error(np.zeros((0, 3)), np.zeros((0, 3))) == 0


def test_calibration_refuses() -> None:
    with pytest.raises(SemregError, match=r"probabilities in 0\.\.1, scores reach from -1 to 3: apply a sigmoid"):
        expected_calibration_error([[-1.0, 3.0]], [[0, 1]])
    with pytest.raises(SemregError, match="number of bins must be at least 1, is 0"):
        expected_calibration_error([[0.5]], [[1]], bins=0)


def test_shapes_and_values_are_checked() -> None:
    with pytest.raises(SemregError, match=r"one shape \(pictures, classes\), are \(2, 3\) and \(2, 2\)"):
        tagging_scores(np.zeros((2, 3), bool), np.ones((2, 2), bool))
    with pytest.raises(SemregError, match=r"predicted tags must have two dimensions .* have 1: put a single picture"):
        tagging_scores([True], [[True]])
    with pytest.raises(SemregError, match="predicted tags must be booleans or 0/1"):
        tagging_scores([[0.3]], [[1]])
    with pytest.raises(SemregError, match="scores must be finite, 1 of 2 are not"):
        average_precision([[np.nan, 0.5]], [[1, 0]])


def test_no_picture_is_refused() -> None:
    with pytest.raises(SemregError, match="at least one true tag"):
        tagging_scores(np.zeros((0, 3), bool), np.zeros((0, 3), bool))


def test_no_class_has_an_average_precision_without_pictures() -> None:
    np.testing.assert_array_equal(average_precision(np.zeros((0, 3)), np.zeros((0, 3), bool)), [0, 0, 0])
