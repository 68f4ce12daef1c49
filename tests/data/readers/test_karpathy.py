"""Karpathy's splits, and what is refused in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from official import karpathy, picture, put, short
from semreg.data.readers import read_karpathy
from semreg.errors import SemregError


def test_restval_joins_train_and_texts_are_the_raw_sentences(tmp_path: Path) -> None:
    path = put(tmp_path / "dataset_coco.json", karpathy())
    assert short(read_karpathy(tmp_path, path)) == [
        ("val2014/COCO_val2014_000000000000.jpg", "test", (), ("Picture 0.", "Again picture 0")),
        ("train2014/COCO_train2014_000000000001.jpg", "train", (), ("Picture 1.", "Again picture 1")),
        ("val2014/COCO_val2014_000000000002.jpg", "train", (), ("Picture 2.", "Again picture 2")),
        ("val2014/COCO_val2014_000000000003.jpg", "val", (), ("Picture 3.", "Again picture 3")),
    ]


@pytest.mark.parametrize(
    ("restval", "splits"),
    [("restval", ["test", "train", "restval", "val"]), (None, ["test", "train", "val"])],
)
def test_restval_may_stay_apart_or_be_left_out(tmp_path: Path, restval: str | None, splits: list[str]) -> None:
    path = put(tmp_path / "dataset_coco.json", karpathy())
    assert [record.split for record in read_karpathy(tmp_path, path, restval=restval)] == splits


@pytest.mark.parametrize("folder", ["flickr30k-images", "Flicker8k_Dataset", "Images"])
def test_flickr_s_pictures_are_found_in_their_usual_folder_or_beside_each_other(tmp_path: Path, folder: str) -> None:
    table = karpathy()
    for entry in table["images"]:
        del entry["filepath"]
    path = put(tmp_path / "dataset_flickr8k.json", table)
    assert read_karpathy(tmp_path, path)[0].file_name == "COCO_val2014_000000000000.jpg"
    picture(tmp_path / folder / "COCO_val2014_000000000000.jpg")
    assert read_karpathy(tmp_path, path)[0].file_name == f"{folder}/COCO_val2014_000000000000.jpg"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: e.update(split="dev"), "images[1]: split must be one of train, restval, val, test, is 'dev'"),
        (lambda e: e.pop("filename"), "images[1]: filename must be a text, is missing"),
        (lambda e: e.update(filename="COCO_val2014_000000000000.jpg", filepath="val2014"), "must be named once"),
        (lambda e: e.update(sentences=[]), "images[1]: a picture must have a sentence, has none"),
        (lambda e: e["sentences"][1].pop("raw"), "images[1].sentences[1]: raw must be a text, is missing"),
        (lambda e: e.update(sentences="a"), 'images[1]: sentences must be a list, is "a"'),
    ],
)
def test_wrong_entries_are_named_by_their_place(tmp_path: Path, change, said: str) -> None:
    table = karpathy()
    change(table["images"][1])
    with pytest.raises(SemregError, match=re.escape(said)):
        read_karpathy(tmp_path, put(tmp_path / "dataset_coco.json", table))
