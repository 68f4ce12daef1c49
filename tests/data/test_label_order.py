"""The order in which labels are taught: rare first, frequent first, by the alphabet; always the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semreg.data.label_order import ORDERS, LabelOrder, label_counts
from semreg.errors import SemregError

COUNTS = {"sky": 9, "sea": 3, "boat": 3, "gull": 1}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("rare-first", ["gull", "boat", "sea", "sky"]),
        ("frequent-first", ["sky", "boat", "sea", "gull"]),
        ("alphabetical", ["boat", "gull", "sea", "sky"]),
    ],
)
@given(labels=st.permutations(list(COUNTS)))
def test_the_order_follows_from_the_counts_and_ties_from_the_alphabet(order, expected, labels):
    assert LabelOrder(order, COUNTS).sort(labels) == expected


@pytest.mark.parametrize("order", ORDERS)
@given(labels=st.lists(st.sampled_from([*COUNTS, "unicorn"]), unique=True))
def test_a_part_is_sorted_as_the_whole_is_and_unknown_labels_are_left_out(order, labels):
    sort = LabelOrder(order, COUNTS).sort
    assert sort(labels) == [label for label in sort(COUNTS) if label in labels]


def test_another_order_is_answered_with_those_there_are():
    with pytest.raises(SemregError, match="one of rare-first, frequent-first, alphabetical, is 'rarest'"):
        LabelOrder("rarest", COUNTS)


def test_counts_are_of_pictures():
    assert label_counts([("sky", "sea"), ("sky",), ()]) == {"sky": 2, "sea": 1}
