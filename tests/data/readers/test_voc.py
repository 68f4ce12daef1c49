"""PASCAL VOC: objects in XML and lists by class say the same; years, splits, difficult objects; what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from official import put, short, voc, voc_xml
from semreg.data.readers import read_voc
from semreg.errors import SemregError


@pytest.mark.parametrize("difficult", [False, True])
def test_xml_and_lists_by_class_say_the_same(tmp_path: Path, difficult: bool) -> None:
    from_xml = read_voc(voc(tmp_path), difficult=difficult)
    shutil.rmtree(tmp_path / "VOC2007/Annotations")
    from_lists = read_voc(tmp_path, difficult=difficult)
    assert [(r.file_name, r.split, set(r.tags)) for r in from_xml] == [
        (r.file_name, r.split, set(r.tags)) for r in from_lists
    ]
    assert short(from_xml)[:2] == [
        ("VOC2007/JPEGImages/000005.jpg", "train", ("chair",), ()),
        ("VOC2007/JPEGImages/000006.jpg", "train", ("dog", "chair") if difficult else ("dog",), ()),
    ]


def test_years_are_joined_and_val_may_be_trained_on(tmp_path: Path) -> None:
    voc(voc(tmp_path), 2012, ("train", "val"))
    records = read_voc(tmp_path, validation="train")
    assert [record.split for record in records] == ["train"] * 4 + ["test"] * 2 + ["train"] * 4
    assert len(read_voc(tmp_path, year=2012)) == 4
    (first, *_) = read_voc(tmp_path / "VOC2007")
    assert first.file_name == "JPEGImages/000005.jpg" and first.path == tmp_path / "VOC2007/JPEGImages/000005.jpg"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("Annotations/000006.xml", "<annotation>\n<object>", r"000006\.xml, line 2 column 8: not XML: unpack it again"),
        ("Annotations/000006.xml", b"<annotation>\n\xe9</annotation>", r"000006\.xml, line 2 column 0: not XML"),
        (
            "Annotations/000006.xml",
            voc_xml("000006", ("dog", 0), ("", 0)),
            r"000006\.xml, object\[1\]: an object must have a name",
        ),
        ("ImageSets/Main/train.txt", "000005\n000099\n", r"line 2: a listed picture must have .*000099\.xml"),
        ("ImageSets/Main/train.txt", "000005\n000005\n", r"train\.txt, line 2: the picture .* must be named once"),
        ("ImageSets/Main/train.txt", b"000005\n\xff\n", r"train\.txt, line 2: must be UTF-8"),
    ],
)
def test_wrong_annotations_are_refused(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    put(voc(tmp_path) / "VOC2007" / name, content)
    with pytest.raises(SemregError, match=said):
        read_voc(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("000005 -1\n", r"dog_train\.txt must have a line for each of the 2 pictures of train\.txt, has 1"),
        (
            "000005 -1\n000006 2\n",
            r"dog_train\.txt, line 2: must be a picture of train\.txt and -1, 0 or 1, is '000006 2'",
        ),
        ("000005 -1\n000009 1\n", r"dog_train\.txt, line 2: must be a picture of train\.txt"),
    ],
)
def test_wrong_lists_by_class_are_refused(tmp_path: Path, content: str, said: str) -> None:
    voc(tmp_path)
    shutil.rmtree(tmp_path / "VOC2007/Annotations")
    put(tmp_path / "VOC2007/ImageSets/Main/dog_train.txt", content)
    with pytest.raises(SemregError, match=said):
        read_voc(tmp_path)


def test_a_missing_year_and_missing_labels_are_told(tmp_path: Path) -> None:
    with pytest.raises(SemregError, match=r"must have VOC2007 or VOC2012 with ImageSets/Main in it"):
        read_voc(tmp_path)
    voc(tmp_path)
    with pytest.raises(SemregError, match=r"must have VOC2012 with ImageSets/Main in it, has not: name the VOCdevkit"):
        read_voc(tmp_path, year=2012)
    shutil.rmtree(tmp_path / "VOC2007/Annotations")
    for path in (tmp_path / "VOC2007/ImageSets/Main").glob("*_train.txt"):
        path.unlink()
    with pytest.raises(SemregError, match=r"must have Annotations or ImageSets/Main/CLASS_train\.txt, has neither"):
        read_voc(tmp_path)
