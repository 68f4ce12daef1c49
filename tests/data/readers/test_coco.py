"""MS-COCO: tags and captions from the official JSON, and what is refused in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from official import captions, instances, put, real, short
from semreg.data.readers import read_coco
from semreg.data.readers.coco import official_files
from semreg.errors import SemregError


def official(folder: Path, year: int = 2014) -> Path:
    for part in (f"train{year}", f"val{year}"):
        put(folder / f"annotations/instances_{part}.json", instances(part))
        put(folder / f"annotations/captions_{part}.json", captions(part))
    return folder


def test_objects_and_captions_of_a_picture_come_together(tmp_path: Path) -> None:
    files = official_files(official(tmp_path) / "annotations", 2014, "test")
    records = read_coco(tmp_path, files)
    assert short(records)[:3] == [
        ("train2014/COCO_train2014_000000000009.jpg", "train", ("car",), ("A car.", "A parked car.")),
        ("train2014/COCO_train2014_000000000025.jpg", "train", ("person", "giraffe"), ("A giraffe and a man.",)),
        ("train2014/COCO_train2014_000000000030.jpg", "train", (), ("An empty room.",)),
    ]
    assert [record.file_name for record in records[3:]] == [
        f"val2014/COCO_val2014_{number:012}.jpg" for number in (9, 25, 30)
    ]
    assert {record.split for record in records[3:]} == {"test"}
    assert records[0].path == tmp_path / records[0].file_name


def test_pictures_without_a_tag_may_be_left_out_and_all_lie_in_one_folder(tmp_path: Path) -> None:
    path = put(tmp_path / "instances_val2017.json", instances("val2017"))
    records = read_coco(tmp_path, [(path, "val")], labelled_only=True, flat=True)
    assert [record.file_name[-6:] for record in records] == ["09.jpg", "25.jpg"]
    assert "/" not in records[0].file_name
    assert read_coco(tmp_path, [(path, "val")])[0].file_name.startswith("val2017/")


def test_a_file_of_another_name_has_its_pictures_beside_each_other(tmp_path: Path) -> None:
    path = put(tmp_path / "_annotations.coco.json", instances())
    assert read_coco(tmp_path, [(path, "train")])[0].file_name.startswith("COCO_train2014")


def test_what_is_not_there_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path / "captions_val2017.json", captions("val2017"))
    assert official_files(tmp_path, 2017, "val") == [(tmp_path / "captions_val2017.json", "val")]
    assert [record.args[0].name for record in caplog.records] == [  # type: ignore[union-attr,index]
        "instances_train2017.json",
        "captions_train2017.json",
        "instances_val2017.json",
    ]
    with pytest.raises(
        SemregError, match=r"must have one of instances_train2014\.json, .* has none: pass --annotations"
    ):
        official_files(tmp_path, 2014, "val")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t["annotations"][2].update(image_id=7), "annotations[2]: image_id must stand in images, is 7: add"),
        (
            lambda t: t["annotations"][1].update(category_id=12),
            "annotations[1]: category_id must stand in categories, is 12: add",
        ),
        (
            lambda t: t["annotations"][1].pop("category_id"),
            "annotations[1]: category_id must be a whole number, is missing",
        ),
        (lambda t: t["images"][2].update(id=9), "images[2]: a picture's id must be its own, 9 stands at"),
        (lambda t: t["images"][0].update(id=True), "images[0]: id must be a whole number, is true"),
        (
            lambda t: t["images"][0].update(file_name="../x.jpg"),
            "images[0]: a picture must lie within the pictures' folder",
        ),
        (lambda t: t["images"].insert(1, 5), "images[1] must be an object, is 5"),
        (
            lambda t: t["categories"][1].update(id=1),
            "categories[1]: a category's id must be its own, 1 is 'person' too",
        ),
        (lambda t: t["categories"][1].update(name=None), "categories[1]: name must be a text, is null"),
        (lambda t: t.pop("images"), "images must be a list, is missing"),
        (lambda t: t.update(images=[], annotations=[]), "must name at least one picture, names none"),
    ],
)
def test_wrong_objects_are_named_by_their_place(tmp_path: Path, change, said: str) -> None:
    table = instances()
    change(table)
    path = put(tmp_path / "export.json", table)
    with pytest.raises(SemregError, match=re.escape(said)) as caught:
        read_coco(tmp_path, [(path, "train")])
    assert str(caught.value).startswith(str(path))


def test_a_caption_of_an_unknown_picture_is_refused(tmp_path: Path) -> None:
    table = captions()
    table["annotations"][3]["image_id"] = 31
    path = put(tmp_path / "captions_train2014.json", table)
    with pytest.raises(SemregError, match=r"json, annotations\[3\]: image_id must stand in images, is 31"):
        read_coco(tmp_path, [(path, "train")])


def test_a_category_has_one_name_in_all_files(tmp_path: Path) -> None:
    other = instances("val2014")
    other["categories"][1]["name"] = "bus"
    files = [(put(tmp_path / "instances_train2014.json", instances()), "train")]
    files.append((put(tmp_path / "instances_val2014.json", other), "test"))
    with pytest.raises(SemregError, match=r"categories\[1\]: .* 3 is 'car' too"):
        read_coco(tmp_path, files)


def test_a_picture_in_two_splits_is_refused(tmp_path: Path) -> None:
    files = [(put(tmp_path / f"{name}.json", instances()), name) for name in ("train", "test")]
    with pytest.raises(SemregError, match=r"images\[0\]: the picture 'COCO.*' is in split train and test"):
        read_coco(tmp_path, files)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"images": [{"id": 1,\n"file_name": "a', r"line 2 column 14: not JSON \(.*\): the file is cut short"),
        (b'{"images": [{"id": 1, "file_name": "caf\xe9"}]}', r"line 1: must be UTF-8, has byte 0xe9: convert"),
        (b"[]", r"must hold a JSON object, holds list: name the official file"),
        (b"[" * 100_000, r"not JSON \("),
        (b'{"images": ' + b"9" * 5000 + b"}", r"not JSON \("),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = put(tmp_path / "instances_train2014.json", content)
    with pytest.raises(SemregError, match=rf"instances_train2014\.json(, |:? ){said}"):
        read_coco(tmp_path, [(path, "train")])
    with pytest.raises(SemregError, match=r"gone\.json does not exist: name the folder or file that holds it"):
        read_coco(tmp_path, [(tmp_path / "gone.json", "train")])


def test_the_real_captions_of_val2017_are_all_read() -> None:
    path = real("annotations/coco/captions_val2017.json")
    records = read_coco(path.parent, [(path, "val")])
    assert (len(records), sum(len(record.captions) for record in records)) == (5000, 25014)
    assert records[0].file_name == "val2017/000000397133.jpg"
    assert records[0].captions[0] == "A man is in a kitchen making pizzas."
    assert min(len(record.captions) for record in records) == 5
