"""Every form of predictions and references says the same; broken ones are named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semreg.annotation import Annotation, Caption, Tag
from semreg.errors import SemregError
from semreg.folders.formats import open_writer
from semreg.scoring.sources import read_source, training_captions

SAID = [
    Annotation("a b/é.jpg", (Tag("dog", 0.9), Tag("cat", 0.25)), Caption("a dog", -0.5), (Caption("a dog", -0.5),)),
    Annotation("=2.jpg", (Tag("-x", 0.5),), Caption("+1 cat; a dog", -0.5), (Caption("+1 cat; a dog", -0.5),)),
    Annotation("3.jpg"),
    Annotation.failed("4.jpg", "4.jpg is not a picture", "m"),
]


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_what_annotate_writes_comes_back(form: str, tmp_path: Path) -> None:
    with open_writer(form, tmp_path / f"out.{form}") as writer:
        for annotation in SAID:
            writer.write(annotation)
    rows = read_source(tmp_path / f"out.{form}").rows
    assert [row.names[0].removeprefix("./") for row in rows] == ["a b/é.jpg", "=2.jpg", "3.jpg", "4.jpg"]
    assert [row.tags for row in rows[:3]] == [(("dog", 0.9), ("cat", 0.25)), (("-x", 0.5),), ()]
    assert [row.captions or ("",) for row in rows[:3]] == [("a dog",), ("+1 cat; a dog",), ("",)]
    assert [row.failed for row in rows] == [False, False, False, True]


def test_a_data_set_by_folder_or_file(tmp_path: Path) -> None:
    lines = [
        {"file_name": "1.jpg", "split": "train", "tags": ["dog"], "captions": ["a dog\u2028runs", "one dog"]},
        {"file_name": "2.jpg", "split": "test", "captions": []},
    ]
    path = tmp_path / "metadata.jsonl"
    path.write_text("\ufeff" + "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines), "utf-8")
    for place in (tmp_path, path):
        source = read_source(place)
        assert [row.tags for row in source.rows] == [(("dog", None),), None]
        assert [row.captions for row in source.rows] == [("a dog\u2028runs", "one dog"), ()]
        assert [row.split for row in source.rows] == ["train", "test"]
        assert list(training_captions(source)) == ["a dog\u2028runs", "one dog"]


def test_coco_results_and_captions(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps([{"image_id": 7, "caption": "a dog"}]))
    assert read_source(tmp_path / "results.json").rows[0].names == ("7",)
    whole = {"images": [{"id": 7, "file_name": "x_7.jpg"}], "annotations": [{"image_id": 7, "id": 1, "caption": "dog"}]}
    (tmp_path / "captions.json").write_text(json.dumps(whole, indent=1))
    (row,) = read_source(tmp_path / "captions.json").rows
    assert (row.names, row.captions, row.tags) == (("x_7.jpg", "7"), ("dog",), None)


def test_coco_boxes_are_tags_by_the_names_of_their_categories(tmp_path: Path) -> None:
    boxes = [{"image_id": 7, "category_id": 3}, {"image_id": 7, "category_id": 3}, {"image_id": 7, "category_id": 4}]
    whole = {
        "images": [{"id": 7, "file_name": "7.jpg"}, {"id": 8, "file_name": "8.jpg"}],
        "categories": [{"id": 3, "name": "car"}, {"id": 4, "name": "boat"}],
        "annotations": boxes,
    }
    (tmp_path / "instances.json").write_text(json.dumps(whole))
    source = read_source(tmp_path / "instances.json")
    assert [row.tags for row in source.rows] == [(("car", None), ("boat", None)), ()]  # 8 has none, and is there
    results = [{"image_id": 7, "category_id": 3, "score": score} for score in (0.25, 0.75, 0.5)]
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert read_source(tmp_path / "results.json", source.categories).rows[0].tags == (("car", 0.75),)
    assert read_source(tmp_path / "results.json").rows[0].tags == (("3", 0.75),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("[]", "is empty: it must be COCO JSON"),
        ("hello", r"has no known form \(it begins 'hello'\)"),
        ("file_name,size\na,1\n", "has no known form"),
        ("[{]", "not JSON .* at line 1, column 3"),
        ("[3]", "entry 1: must be an object with image_id and caption, is 3"),
        ('{"file_name": "a", "tags": ["x"]}\n{"tags": []}', "line 2: a picture needs a file_name or an image_id"),
        ('{"file_name": "a"\n', "line 1: not JSON"),
        ('{"file_name": "a", "tags": "x"}', "line 1: tags must be a list, is 'x'"),
        ('{"file_name": "a", "tags": [3]}', "line 1: tags must hold texts, holds 3"),
        ('{"file_name": "a", "tags": [{"label": "x", "score": "high"}]}', "a score must be a finite number, is 'high'"),
        ('{"file_name": "a", "captions": [3]}', "captions must hold texts, holds 3"),
        ("file_name,tags,tag_scores\na,x; y,0.5\n", "line 2: has 2 tags and 1 tag_scores"),
        ('{"annotations": [3]}', "'annotations' must be a list of objects"),
    ],
)
def test_broken_files_are_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "broken file").write_text(text, "utf-8")
    with pytest.raises(SemregError, match=message) as told:
        read_source(tmp_path / "broken file")
    assert "broken file" in str(told.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(SemregError, match=r"gone\.json' does not exist"):
        read_source(tmp_path / "gone.json")
    with pytest.raises(SemregError, match=r"metadata\.jsonl' does not exist"):
        read_source(tmp_path)
    (tmp_path / "latin.csv").write_bytes(b"file_name,tags\n\xe9,dog\n")
    with pytest.raises(SemregError, match=r"latin\.csv cannot be read"):
        read_source(tmp_path / "latin.csv")
