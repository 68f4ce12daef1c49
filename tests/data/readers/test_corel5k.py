"""Corel-5k: both forms agree with each other and with the set's metadata.jsonl; what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from official import picture, put, real, short
from semreg.data.readers import read_corel5k
from semreg.data.records import read_records
from semreg.errors import SemregError


def numbers(
    folder: Path, train: str = "1000 1 2  \r\n1003 3 2 4\r\n", words: str = "city\r\nsky\r\nsun\r\nbay\r\n"
) -> Path:
    put(folder / "words", words)
    put(folder / "training_label", train)
    put(folder / "test_label", "1001 1 3 2\r\n")
    return folder


def samples(folder: Path, train: list | None = None) -> Path:
    train = train or [{"image_name": "1000.jpeg", "image_labels": ["city", "sky"]}]
    put(folder / "train.json", {"samples": train, "labels": ["city", "sky", "sun"]})
    put(folder / "test.json", {"samples": [{"image_name": "1001.jpeg", "image_labels": ["sky"]}]})
    return folder


def test_word_numbers_become_the_words_that_both_parts_use(tmp_path: Path) -> None:
    assert short(read_corel5k(tmp_path, numbers(tmp_path))) == [
        ("1000.jpeg", "train", ("city", "sky"), ()),
        ("1003.jpeg", "train", ("sky", "sun"), ()),
        ("1001.jpeg", "test", ("city", "sky", "sun"), ()),
    ]
    assert read_corel5k(tmp_path, tmp_path, all_words=True)[1].tags == ("sky", "sun", "bay")


@pytest.mark.parametrize(("folder", "suffix"), [("images/train", ".jpeg"), ("train", ".jpg"), ("images", ".jpg")])
def test_folder_and_suffix_of_the_pictures_are_found(tmp_path: Path, folder: str, suffix: str) -> None:
    picture(tmp_path / folder / f"1003{suffix}")
    assert read_corel5k(tmp_path, numbers(tmp_path))[0].file_name == f"{folder}/1000{suffix}"


def test_the_json_form_is_taken_where_it_is(tmp_path: Path) -> None:
    samples(numbers(tmp_path))
    assert short(read_corel5k(tmp_path, tmp_path)) == [
        ("1000.jpeg", "train", ("city", "sky"), ()),
        ("1001.jpeg", "test", ("sky",), ()),
    ]
    with pytest.raises(SemregError, match="--all-words wants words, training_label and test_label"):
        read_corel5k(tmp_path, tmp_path, all_words=True)


@pytest.mark.parametrize("number", ["0", "5", "-1", "x", "9" * 5000])
def test_a_word_number_out_of_range_is_refused(tmp_path: Path, number: str) -> None:
    numbers(tmp_path, train=f"1000 1 2\n1003 {number}\n")
    with pytest.raises(SemregError, match=r"training_label, line 2: a word number must lie in 1\.\.4, is '"):
        read_corel5k(tmp_path, tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SemregError, match=r"must have train\.json or words, has none of them: name"):
        read_corel5k(tmp_path, tmp_path)
    (numbers(tmp_path) / "test_label").unlink()
    with pytest.raises(SemregError, match=r"test_label does not exist"):
        read_corel5k(tmp_path, tmp_path)


def test_a_picture_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SemregError, match=r"training_label, line 2: the picture '1000\.jpeg' must be named once"):
        read_corel5k(tmp_path, numbers(tmp_path, train="1000 1\n1000 2\n"))


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({"image_name": "a.jpeg", "image_labels": ["sea"]}, r"train\.json, samples\[1\]: a label must stand in labels"),
        (
            {"image_name": "a.jpeg", "image_labels": [["sky"]]},
            r"train\.json, samples\[1\]: a label must stand in labels",
        ),
        ({"image_name": "a.jpeg"}, r"train\.json, samples\[1\]: image_labels must be a list, is missing"),
        ({"image_name": "1000.jpeg", "image_labels": []}, r"samples\[1\]: the picture '1000\.jpeg' must be named once"),
    ],
)
def test_wrong_samples_are_refused(tmp_path: Path, sample: dict, said: str) -> None:
    samples(tmp_path, [{"image_name": "1000.jpeg", "image_labels": ["city"]}, sample])
    with pytest.raises(SemregError, match=said):
        read_corel5k(tmp_path, tmp_path)


@pytest.mark.parametrize("form", ["json", "numbers"])
def test_the_real_files_agree_with_the_set_s_metadata(tmp_path: Path, form: str) -> None:
    folder = real("corel5k")
    annotations = folder / "annotations"
    if form == "numbers":
        annotations = tmp_path
        for name in ("words", "training_label", "test_label"):
            shutil.copy(folder / "annotations" / name, tmp_path)
    expected = {record.file_name: record for record in read_records(folder)}
    found = {record.file_name: record for record in read_corel5k(folder, annotations)}
    assert found == expected and len(found) == 4999
    assert len({tag for record in found.values() for tag in record.tags}) == 260
