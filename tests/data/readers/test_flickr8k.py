"""Flickr8k: the real official files, and what is refused in wrong ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from official import picture, put, real, short
from semreg.data.readers import read_flickr8k
from semreg.errors import SemregError

TOKENS = "a.jpg#0\tA dog runs .\na.jpg#1\tA dog\nb.jpg#0\tA cat #1\nc.jpg#0\tA boy .\nd.jpg.1#0\tUnlisted\n"


def official(folder: Path, tokens: str | bytes = TOKENS, train: str = "a.jpg\n") -> Path:
    put(folder / "Flickr8k.token.txt", tokens)
    for part, content in (("train", train), ("dev", "b.jpg\n"), ("test", "c.jpg")):
        put(folder / f"Flickr_8k.{part}Images.txt", content)
    return folder


def test_dev_is_val_and_what_is_in_no_list_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    picture(tmp_path / "Flicker8k_Dataset/a.jpg")
    assert short(read_flickr8k(tmp_path, official(tmp_path))) == [
        ("Flicker8k_Dataset/a.jpg", "train", (), ("A dog runs .", "A dog")),
        ("Flicker8k_Dataset/b.jpg", "val", (), ("A cat #1",)),
        ("Flicker8k_Dataset/c.jpg", "test", (), ("A boy .",)),
    ]
    assert caplog.messages == ["1 pictures with captions are in none of the three lists: left out"]


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (TOKENS + "e.jpg\tNo number\n", r"token\.txt, line 6: must be NAME#NUMBER, a tab and a caption, is 'e\.jpg"),
        ("a.jpg#0 A dog\n", r"token\.txt, line 1: must be NAME#NUMBER"),
        ("a.jpg#0\t\n", r"token\.txt, line 1: must be NAME#NUMBER"),
        ("b.jpg#0\tx\nc.jpg#0\tx\n", r"trainImages\.txt, line 1: a listed picture must have a caption in Flickr8k"),
        (b"a.jpg#0\tA dog\nb.jpg#0\tcaf\xe9\n", r"token\.txt, line 2: must be UTF-8, has byte 0xe9"),
    ],
)
def test_wrong_captions_are_refused(tmp_path: Path, tokens: str | bytes, said: str) -> None:
    with pytest.raises(SemregError, match=said):
        read_flickr8k(tmp_path, official(tmp_path, tokens))


def test_a_picture_in_two_lists_and_a_missing_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SemregError, match=r"devImages\.txt, line 1: the picture 'b\.jpg' must be named once, stands at"
    ):
        read_flickr8k(tmp_path, official(tmp_path, train="a.jpg\nb.jpg\n"))
    (tmp_path / "Flickr_8k.devImages.txt").unlink()
    with pytest.raises(SemregError, match=r"Flickr_8k\.devImages\.txt does not exist"):
        read_flickr8k(tmp_path, tmp_path)


def test_the_real_files_give_the_official_split() -> None:
    folder = real("annotations/flickr8k")
    records = read_flickr8k(folder, folder)
    assert Counter(record.split for record in records) == {"train": 6000, "val": 1000, "test": 1000}
    assert {len(record.captions) for record in records} == {5}
    first = records[0]
    assert (first.file_name, first.split) == ("2513260012_03d33305cf.jpg", "train")
    assert first.captions[0] == "A black dog is running after a white dog in the snow ."
