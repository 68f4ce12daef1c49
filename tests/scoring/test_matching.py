"""Which picture a prediction is of: folders, endings, COCO's numbers, accents; and when nobody can tell."""

from __future__ import annotations

import unicodedata

import pytest

from semreg.errors import SemregError
from semreg.scoring.matching import match


def found(pictures: list[str], predictions: list[str]) -> list[int | None]:
    return match([(name,) for name in pictures], [(name,) for name in predictions]).of_picture


@pytest.mark.parametrize(
    ("picture", "prediction"),
    [
        ("images/1.jpg", "images/1.jpg"),
        ("images/1.jpg", "./images//1.jpg"),
        ("images/1.jpg", "/home/me/my photos/set/images/1.jpg"),
        ("/data/coco/images/1.jpg", "images/1.jpg"),
        ("images/1.jpg", "1.jpg"),
        ("images/1.jpg", "copies/1.jpg"),
        ("images/1.jpg", "1"),
        ("images/1.JPG", "1.png"),
        ("images\\1.jpg", "images/1.jpg"),
        ("COCO_val2014_000000391895.jpg", "391895"),
        ("391895", "COCO_val2014_000000391895.jpg"),
        ("000000391895.jpg", "391895"),
        ("photo.2019.jpg", "photo.2019"),
        (unicodedata.normalize("NFC", "été à la mer.jpg"), unicodedata.normalize("NFD", "été à la mer.jpg")),
    ],
)
def test_one_picture_by_two_names(picture: str, prediction: str) -> None:
    assert found([picture, "other.jpg"], ["other.jpg", prediction]) == [1, 0]


@pytest.mark.parametrize(
    ("picture", "prediction"), [("11.jpg", "1.jpg"), ("a1.jpg", "1"), ("photo.2019", "photo.2020"), ("1.jpg", "v1.jpg")]
)
def test_other_pictures_stay_others(picture: str, prediction: str) -> None:
    assert match([(picture,)], [(prediction,)]).unknown == [0]


def test_folders_tell_pictures_of_one_name_apart() -> None:
    assert found(["a/1.jpg", "b/1.jpg"], ["x/b/1.jpg", "x/a/1.jpg"]) == [1, 0]
    with pytest.raises(SemregError, match=r"'1\.jpg' may be 'a/1\.jpg' or 'b/1\.jpg': give names with their folders"):
        found(["a/1.jpg", "b/1.jpg"], ["1.jpg"])
    assert found(["a/1.jpg", "1.jpg"], ["1.jpg"]) == [None, 0]  # the whole name is the surest


def test_of_two_claims_the_surer_one_is_taken() -> None:
    for order in (["test/1.jpg", "train/1.jpg"], ["train/1.jpg", "test/1.jpg"]):
        result = match([("test/1.jpg",)], [(name,) for name in order])
        assert result.of_picture == [order.index("test/1.jpg")]
        assert result.unknown == [order.index("train/1.jpg")]


def test_two_predictions_of_one_picture_are_refused() -> None:
    with pytest.raises(SemregError, match=r"'1\.jpg' must have one prediction, has two \('a/1\.jpg' and 'b/1\.jpg'\)"):
        found(["1.jpg"], ["a/1.jpg", "b/1.jpg"])


def test_file_name_and_image_id_both_lead_to_the_picture() -> None:
    pictures = [("val/dog.jpg", "17"), ("val/cat.jpg", "18")]
    assert match(pictures, [("18",), ("dog.jpg",)]).of_picture == [1, 0]
