"""A folder with a text beside each picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from official import picture, put, short
from semreg.data.readers import read_beside
from semreg.errors import SemregError


def test_tags_are_read_and_folders_named_like_splits_are_splits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in (
        ("b", "dog, grass\n"),
        ("train/a", "cat"),
        ("Validation/x/a", "sea\nsky, sea"),
        ("test/a", "sun"),
    ):
        put(picture(tmp_path / f"{name}.JPG").with_suffix(".txt"), text)
    picture(tmp_path / "bare.png")
    put(picture(tmp_path / ".thumbs/c.jpg").with_suffix(".txt"), "hidden")
    put(tmp_path / "README.txt", "no picture of mine")
    assert short(read_beside(tmp_path)) == [
        ("b.JPG", "train", ("dog", "grass"), ()),
        ("Validation/x/a.JPG", "val", ("sea", "sky"), ()),
        ("test/a.JPG", "test", ("sun",), ()),
        ("train/a.JPG", "train", ("cat",), ()),
    ]
    assert caplog.messages == ["1 pictures have no text file beside them: left out"]


def test_lines_may_be_captions(tmp_path: Path) -> None:
    put(picture(tmp_path / "a.jpg").with_suffix(".txt"), "\ufeffA dog, running.\r\n\r\nA dog.\r\n")
    assert short(read_beside(tmp_path, captions=True)) == [("a.jpg", "train", (), ("A dog, running.", "A dog."))]


def test_nothing_to_read_and_no_text_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    with pytest.raises(SemregError, match=r"must have pictures with a \.txt beside each, has 1 without: write some"):
        read_beside(tmp_path)
    put(tmp_path / "a.txt", b"dog\ncaf\xe9")
    with pytest.raises(SemregError, match=r"a\.txt, line 2: must be UTF-8, has byte 0xe9: convert the file"):
        read_beside(tmp_path)
    with pytest.raises(SemregError, match=r"gone must be a folder with pictures, is none"):
        read_beside(tmp_path / "gone")
