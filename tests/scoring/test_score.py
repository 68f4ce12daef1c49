"""Two files in, every figure out: what is missing, unknown, empty or failed is counted and said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from semreg.errors import SemregError
from semreg.evaluation import caption_scores, tagging_scores
from semreg.scoring.score import score_captions, score_tags

REFERENCES = [
    {"file_name": "images/1.jpg", "split": "test", "tags": ["dog", "grass"], "captions": ["A dog runs.", "one dog"]},
    {"file_name": "images/2.jpg", "split": "test", "tags": ["cat"], "captions": ["a red cat sits"]},
    {"file_name": "images/3.jpg", "split": "test", "tags": [], "captions": ["a big car stands here"]},
    {"file_name": "images/4.jpg", "split": "val", "tags": ["dog"], "captions": ["a dog sleeps"]},
]


def write(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", "utf-8")
    return path


@pytest.fixture
def references(tmp_path: Path) -> Path:
    folder = tmp_path / "my sét"
    folder.mkdir()
    write(folder / "metadata.jsonl", REFERENCES)
    return folder


def test_captions_equal_the_library_function(references: Path, tmp_path: Path) -> None:
    told = ["a dog runs", "a cat", "a car stands"]
    predictions = write(
        tmp_path / "told.jsonl", [{"file_name": f"/x/{i}.jpg", "caption": text} for i, text in enumerate(told, 1)]
    )
    score = score_captions(predictions, references, split="test", with_meteor=False)
    expected = caption_scores(told, [row["captions"] for row in REFERENCES[:3]])
    assert expected.corpus.items() <= score.result.items()
    assert score.result["pictures"] == 3 and score.notes == [] and score.result["alarm"] is None
    assert [row["CIDEr-D"] for row in score.pictures] == pytest.approx(expected.per_picture["CIDEr-D"].tolist())
    assert score.pictures[0]["file_name"] == "images/1.jpg"
    assert score.pictures[0]["references"] == ["A dog runs.", "one dog"]
    json.dumps(score.result, allow_nan=False)


def test_missing_failed_empty_and_unknown_captions_are_counted(references: Path, tmp_path: Path) -> None:
    predictions = write(
        tmp_path / "told.jsonl",
        [
            {"file_name": "1.jpg", "caption": {"text": "", "score": 0}},
            {"file_name": "2.jpg", "caption": None, "captions": [], "error": "2.jpg is not a picture"},
            {"file_name": "3.jpg", "caption": "a car"},
            {"file_name": "99.jpg", "caption": "a boat"},
        ],
    )
    score = score_captions(predictions, references, with_meteor=False)
    result = score.result
    counts = {name: result[name] for name in ("pictures", "without prediction", "unknown pictures", "empty")}
    assert counts == {"pictures": 4, "without prediction": 2, "unknown pictures": 1, "empty": 3}
    expected = caption_scores(["", "", "a car", ""], [row["captions"] for row in REFERENCES])
    assert result["CIDEr-D"] == pytest.approx(expected.corpus["CIDEr-D"])
    assert "2 pictures without prediction: they count as an empty caption (the first: 'images/2.jpg')" in score.notes
    assert "1 prediction for unknown pictures: they are left out (the first: '99.jpg')" in score.notes
    assert [row["caption"] for row in score.pictures] == ["", None, "a car", None]
    some = score_captions(predictions, references, only_predicted=True, with_meteor=False)
    assert some.result["pictures"] == 2 and some.result["without prediction"] == 2
    assert "they are left out" in some.notes[0]


def test_one_caption_for_every_picture_raises_the_alarm(references: Path, tmp_path: Path) -> None:
    rows = [{"file_name": f"{i}.jpg", "caption": "A man."} for i in range(1, 5)]
    score = score_captions(write(tmp_path / "told.jsonl", rows), references, with_meteor=False)
    assert score.result["alarm"] == "the same caption for every picture: all 4 have the caption 'a man'"
    assert score.result["alarm"] in score.notes


def test_captions_seen_in_training_and_captions_that_break_off(references: Path, tmp_path: Path) -> None:
    told = ["A dog runs", "a cat on a", "a dog sleeps!", "a car"]
    rows = [{"file_name": f"{i}.jpg", "caption": text} for i, text in enumerate(told, 1)]
    score = score_captions(write(tmp_path / "t.jsonl", rows), references, training=references, with_meteor=False)
    assert score.result["seen in training"] == 0.5 and score.result["never ended"] == 0.25


def test_pictures_without_reference_captions_are_left_out_and_counted(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.jsonl", [*REFERENCES, {"file_name": "5.jpg", "tags": ["x"]}])
    told = write(tmp_path / "told.jsonl", [{"file_name": f"{i}.jpg", "caption": "a dog"} for i in range(1, 6)])
    score = score_captions(told, truth, with_meteor=False)
    assert (score.result["pictures"], score.result["without reference"]) == (4, 1)
    assert "1 picture without captions in the references: they are left out" in score.notes


def test_tags_of_scores_and_of_the_set(references: Path, tmp_path: Path) -> None:
    rows = [
        {"file_name": "1.jpg", "tags": [{"label": "dog", "score": 0.9}, {"label": "bird", "score": 0.4}]},
        {"file_name": "2.jpg", "tags": [{"label": "cat", "score": 0.6}, {"label": "dog", "score": 0.2}]},
        {"file_name": "3.jpg", "tags": []},
    ]
    score = score_tags(write(tmp_path / "t.jsonl", rows), references, split="test", thresholds=[0.5], top=1)
    result = score.result
    # labels: bird, cat, dog, grass
    true = [[0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert tagging_scores([[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]], true).items() <= result.items()
    assert result["sets"]["at 0.5"] == tagging_scores([[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], true)
    assert result["sets"]["top 1"] == result["sets"]["at 0.5"]  # picture 3 lists none, so it gets none
    assert (result["classes"], result["classes without positives"]) == (3, 1)
    assert (result["without true tag"], result["empty predictions"]) == (1, 1)
    bird = next(row for row in result["per class"] if row["label"] == "bird")
    assert bird["recall"] is None and bird["AP"] is None and bird["precision"] == 0
    assert result["mAP"] == pytest.approx((1 + 1 + 1 / 3) / 3)  # grass is never listed and ranks last
    assert 0 < result["ECE"] < 1 and len(result["thresholds"]) == 19
    assert [row["F1"] for row in score.pictures] == pytest.approx([0.5, 2 / 3, 1])
    json.dumps(result, allow_nan=False)


def test_tags_without_scores_have_no_ranking(references: Path, tmp_path: Path) -> None:
    rows = [{"file_name": "1.jpg", "tags": ["dog"]}, {"file_name": "77.jpg", "tags": ["dog"]}]
    score = score_tags(write(tmp_path / "t.jsonl", rows), references)
    assert score.result["mAP"] is None and score.result["ECE"] is None and list(score.result["sets"]) == ["predicted"]
    assert (score.result["O-P"], score.result["O-R"]) == (1, 0.25)
    assert score.result["without prediction"] == 3 and score.result["unknown pictures"] == 1
    assert any("count as an empty set" in note for note in score.notes)
    assert any("have no scores" in note for note in score.notes)


def test_labels_by_other_names_are_noticed(references: Path, tmp_path: Path) -> None:
    rows = [{"file_name": "1.jpg", "tags": ["Hund"]}]
    notes = score_tags(write(tmp_path / "t.jsonl", rows), references).notes
    assert "no predicted label occurs in the references: check that both use the same names" in notes


def test_refusals(references: Path, tmp_path: Path) -> None:
    tags = write(tmp_path / "tags.jsonl", [{"file_name": "1.jpg", "tags": ["dog"]}])
    captions = write(tmp_path / "captions.jsonl", [{"file_name": "1.jpg", "caption": "a dog"}])
    with pytest.raises(SemregError, match=r"tags\.jsonl speaks of no captions: check that it is the right file"):
        score_captions(tags, references)
    with pytest.raises(SemregError, match=r"captions\.jsonl speaks of no tags"):
        score_tags(tags, captions)
    with pytest.raises(SemregError, match="has no split 'dev': it has test, val"):
        score_captions(captions, references, split="dev")
    other = write(tmp_path / "other.jsonl", [{"file_name": "x.jpg", "caption": "a dog"}])
    with pytest.raises(SemregError, match=r"no picture in common \('x\.jpg' and 'images/1\.jpg' are their first\)"):
        score_captions(other, references)
    mixed = write(tmp_path / "m.jsonl", [{"file_name": "1.jpg", "tags": ["dog", {"label": "x", "score": 0.5}]}])
    with pytest.raises(SemregError, match=r"either all tags in .* must have a score or none"):
        score_tags(mixed, references)
