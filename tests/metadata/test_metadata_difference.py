"""What turns a file back: exact for any two files, small where few places differ, refused for any other file."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semreg.errors import SemregError
from semreg.metadata import difference, restored

FEW_LETTERS = st.lists(st.sampled_from(b"ab"), max_size=300).map(bytes)


@given(new=st.binary(max_size=300) | FEW_LETTERS, old=st.binary(max_size=300) | FEW_LETTERS)
def test_any_two_files(new: bytes, old: bytes) -> None:
    assert restored(new, difference(new, old)) == old


@given(edits=st.lists(st.tuples(st.integers(0, 99_999), st.integers(0, 500), st.binary(max_size=500)), max_size=6))
def test_edits_of_a_large_file(edits: list[tuple[int, int, bytes]]) -> None:
    new = LARGE
    for at, gone, text in edits:
        new = new[:at] + text + new[at + gone :]
    back = difference(new, LARGE)
    assert restored(new, back) == LARGE
    assert len(back) < 200 + sum(gone + 600 for _, gone, _ in edits)


LARGE = os.urandom(100_000)


@pytest.mark.parametrize("filling", [b"\0", b"ab", b"0123456789"])
def test_a_file_that_repeats_itself(filling: bytes) -> None:
    old = b"II*\0" + b"\x01\x02\x03\x04" + filling * 200_000
    new = b"II*\0" + b"\x09\x08\x07\x06" + filling * 200_000 + b"packet"
    back = difference(new, old)
    assert restored(new, back) == old
    assert len(back) < 200


def test_another_file_and_a_broken_difference_are_refused() -> None:
    back = difference(LARGE + b"new", LARGE)
    with pytest.raises(SemregError, match="has changed since it was written"):
        restored(LARGE + b"newer", back)
    with pytest.raises(SemregError, match="is broken"):
        restored(LARGE + b"new", back[:-4])
    with pytest.raises(SemregError, match="no difference"):
        restored(LARGE + b"new", b"hello")
    with pytest.raises(SemregError, match="its sum is wrong"):
        restored(LARGE + b"new", difference(LARGE + b"new", b"other")[:78] + back[78:])
