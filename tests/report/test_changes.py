"""What the RNN changed, counted by hand."""

from __future__ import annotations

import numpy as np

from semreg.report.changes import find_changes

CAR, SKY, SEA = 0, 1, 2


def table(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, dtype=bool)


def test_sky_is_added_beside_sea_and_car_is_taken_back() -> None:
    #              car sky sea
    true = table([[0, 1, 1], [0, 1, 1], [1, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
    seen = table([[1, 0, 1], [0, 0, 1], [1, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0]])
    told = table([[0, 1, 1], [0, 1, 1], [1, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 0]])
    changes = find_changes(seen, told, true)
    assert (changes.added, changes.added_right, changes.taken, changes.taken_right) == (3, 2, 2, 2)
    (addition,) = changes.additions
    assert (addition.label, addition.beside, addition.pictures, addition.right) == (SKY, SEA, [0, 1, 4], 2)
    assert addition.lift > 1
    (removal,) = changes.removals
    assert (removal.label, removal.beside, removal.pictures, removal.right) == (CAR, SEA, [0, 4], 2)
    assert removal.lift < 1


def test_pictures_with_a_right_change_come_first() -> None:
    true = table([[0, 1], [1, 1], [1, 1]])
    seen = table([[0, 1], [0, 1], [1, 1]])
    told = table([[1, 1], [1, 1], [1, 1]])
    true[0] = [False, False]
    (addition,) = find_changes(seen, told, true).additions
    assert addition.pictures == [1, 0] and addition.right == 1


def test_without_a_change_there_is_nothing_to_tell() -> None:
    same = table([[1, 0, 1], [0, 1, 0]])
    changes = find_changes(same, same, same)
    assert (changes.added, changes.taken, changes.additions, changes.removals) == (0, 0, [], [])
    never_true = find_changes(same, ~same, np.zeros_like(same))
    assert never_true.added == 3 and never_true.additions == [] and never_true.removals == []


def test_one_label_does_not_crowd_out_the_others() -> None:
    random = np.random.default_rng(0)
    true = random.random((300, 12)) < 0.4
    seen, told = random.random((300, 12)) < 0.4, random.random((300, 12)) < 0.4
    changes = find_changes(seen, told, true, most=20)
    for pairs in (changes.additions, changes.removals):
        labels = [change.label for change in pairs]
        assert 3 < len(pairs) <= 20 and max(labels.count(label) for label in labels) <= 2
        for change in pairs:
            assert change.label != change.beside and 0 <= change.right <= len(change.pictures)
