"""Tag metrics against scikit-learn, by hand, and at their edges."""

from __future__ import annotations

import json
import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from semreg.errors import SemregError
from semreg.evaluation import (
    average_precision,
    class_scores,
    expected_calibration_error,
    mean_average_precision,
    picture_f1,
    precision_recall,
    reliability,
    tag_report,
    tagging_scores,
    threshold_scores,
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


def quiet(metric, *arguments, **options):
    """scikit-learn's answer without its warnings of what is not defined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return metric(*arguments, **options)


@settings(max_examples=100, deadline=None)
@given(tables)
def test_each_class_equals_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    predicted, true = drawn
    found = class_scores(predicted, true)
    for k in range(true.shape[1]):
        column = (true[:, k], predicted[:, k])
        assert found.precision[k] == pytest.approx(metrics.precision_score(*column, zero_division=0))
        assert found.recall[k] == pytest.approx(metrics.recall_score(*column, zero_division=0))
        assert found.f1[k] == pytest.approx(metrics.f1_score(*column, zero_division=0))
    figures = picture_f1(predicted, true)
    for row in range(len(true)):
        expected = quiet(metrics.f1_score, true[row], predicted[row], zero_division=1)
        nothing = not true[row].any() and not predicted[row].any()
        assert figures[row] == pytest.approx(1 if nothing else 0 if not true[row].any() else expected)


@settings(max_examples=100, deadline=None)
@given(ranked_tables, st.lists(st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0]), max_size=5))
def test_thresholds_in_one_pass_equal_one_by_one(drawn: tuple[np.ndarray, np.ndarray], cuts: list[float]) -> None:
    scores, true = drawn
    if not true.any():
        with pytest.raises(SemregError, match="at least one true tag"):
            threshold_scores(scores, true, [0.5])
        return
    for cut, row in zip(cuts, threshold_scores(scores, true, cuts), strict=True):
        assert row == {"threshold": cut, **tagging_scores(scores >= cut, true)}


@settings(max_examples=100, deadline=None)
@given(ranked_tables)
def test_the_overall_curve_equals_scikit_learn(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    scores, true = drawn
    if not true.any():
        return
    precision, recall, thresholds = metrics.precision_recall_curve(true.ravel(), scores.ravel())
    cuts, ours, found = precision_recall(scores, true)
    np.testing.assert_allclose(cuts[::-1], thresholds)
    np.testing.assert_allclose(ours[::-1], precision[:-1])
    np.testing.assert_allclose(found[::-1], recall[:-1])


@settings(max_examples=100, deadline=None)
@given(ranked_tables, st.integers(1, 20))
def test_reliability_counts_every_answer_once(drawn: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    scores, true = drawn
    found = reliability(scores, true, bins)
    assert found.counts.sum() == scores.size
    assert (found.counts * found.frequency).sum() == pytest.approx(true.sum())
    assert (found.counts * found.probability).sum() == pytest.approx(scores.sum())
    kept = found.counts > 0
    assert (found.probability[kept] >= found.edges[:-1][kept] - 1e-12).all()
    assert (found.probability[kept] <= found.edges[1:][kept] + 1e-12).all()
    assert np.isfinite([found.probability, found.frequency]).all()
    assert expected_calibration_error(scores, true, bins) == pytest.approx(found.error)


@settings(max_examples=60, deadline=None)
@given(ranked_tables)
def test_a_report_holds_every_figure_and_never_a_nan(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    scores, true = drawn
    if not true.any():
        return
    names = [str(k) for k in range(true.shape[1])]
    report = tag_report(names, true, scores >= 0.5, scores, thresholds=[0.1], top=2)
    result = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert tagging_scores(scores >= 0.5, true).items() <= result.items()
    assert result["mAP"] == pytest.approx(mean_average_precision(scores, true))
    assert result["ECE"] == pytest.approx(expected_calibration_error(scores, true))
    assert result["sets"]["at 0.1"] == tagging_scores(scores >= 0.1, true)
    best = top_k(scores, min(2, len(names))) & (scores > 0)
    assert result["sets"]["top 2"] == tagging_scores(best, true)
    for row, positives in zip(result["per class"], true.sum(0), strict=True):
        assert row["positives"] == positives and (row["AP"] is None) == (row["recall"] is None) == (positives == 0)


def test_a_report_of_tags_without_scores() -> None:
    report = tag_report(["a", "b"], [[1, 0]], [[1, 1]])
    assert (report.mean_average_precision, report.reliability, report.thresholds) == (None, None, [])
    assert list(report.to_dict()["sets"]) == ["predicted"]


def test_a_report_refuses() -> None:
    with pytest.raises(SemregError, match="each of the 2 columns must have a label, there are 1"):
        tag_report(["a"], [[1, 0]], [[1, 1]])
    with pytest.raises(SemregError, match="top must be at least 1, is 0"):
        tag_report(["a", "b"], [[1, 0]], [[1, 1]], [[0.5, 0.5]], top=0)


def test_every_figure_of_40504_pictures_and_80_classes_in_under_a_second() -> None:
    random = np.random.default_rng(0)
    scores = random.random((40504, 80), dtype=np.float32) ** 3
    true = random.random((40504, 80)) < 0.3 * scores
    seconds = []
    for _ in range(3):  # the quickest: other work on the machine is no fault of this one
        start = time.process_time()
        tag_report([str(k) for k in range(80)], true, scores >= 0.5, scores)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1


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
