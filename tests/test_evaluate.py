"""A model against a data set: which rows are reported, of what, and what the model cannot know counts as missed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import semreg
from semreg import Annotator, Options, SemregError
from semreg.data.records import Record, of_split, read_records
from semreg.evaluate import compare, evaluate, predict, tag_tables
from semreg.model_config import DecoderConfig
from semreg.model_folder import build_model


@pytest.fixture(scope="module")
def annotator(model_folder: Path) -> Annotator:
    return semreg.load(model_folder)


@pytest.fixture(scope="module")
def records(data: Path) -> list[Record]:
    return of_split(read_records(data), "test")


def small_annotator(annotator: Annotator, **changes: object) -> Annotator:
    """A model with random weights and another description."""
    config = annotator.config.model_copy(update={"tag_score": None, **changes})
    return Annotator(build_model(config), config, "small@0")


def test_all_rows_are_there_for_tags_and_captions(annotator: Annotator, records: list[Record]) -> None:
    result = evaluate(annotator, records)
    assert result["model"] == annotator.name and result["pictures"] == len(records) and result["unreadable"] == []
    assert set(result["tags"]["sets"]) == {"own", "path", "top 3", "concepts", "concepts at 0.5", "concepts top 3"}
    assert {"mAP", "ECE", "concept mAP", "labels unknown to the model"} <= set(result["tags"])
    assert {"CIDEr-D", "Bleu_4", "references", "distinct"} <= set(result["captions"])
    assert all(0 <= row[key] <= 1 for row in result["tags"]["sets"].values() for key in ("C-F1", "O-F1", "O-P", "O-R"))


def test_what_the_model_says_of_itself_is_right_all_over(annotator: Annotator, records: list[Record]) -> None:
    told = list(annotator.annotate([record.path for record in records]))
    truth = [
        replace(record, tags=tuple(tag.label for tag in one.tags), captions=(one.caption.text if one.caption else "",))
        for record, one in zip(records, told, strict=True)
    ]
    result = evaluate(annotator, truth)
    assert result["tags"]["sets"]["own"]["O-F1"] == 1 == result["tags"]["sets"]["own"]["C-F1"]


@pytest.mark.parametrize("size", [1, 4, 64])
def test_the_size_of_the_batches_and_the_order_of_the_pictures_play_no_part(
    annotator: Annotator, records: list[Record], size: int
) -> None:
    first = evaluate(annotator, records)
    second = evaluate(annotator, records[::-1], Options(batch_size=size))
    assert first["tags"]["sets"] == second["tags"]["sets"]
    assert first["captions"]["CIDEr-D"] == pytest.approx(second["captions"]["CIDEr-D"], abs=1e-6)


def test_labels_unknown_to_the_model_count_as_missed(annotator: Annotator, records: list[Record]) -> None:
    more = [replace(record, tags=(*record.tags, "unicorn")) for record in records]
    known, unknown = evaluate(annotator, records)["tags"], evaluate(annotator, more)["tags"]
    assert (known["labels unknown to the model"], unknown["labels unknown to the model"]) == (0, 1)
    for name, row in known["sets"].items():
        true = sum(len(record.tags) for record in records)
        assert unknown["sets"][name]["O-R"] == pytest.approx(row["O-R"] * true / (true + len(records)))
        assert unknown["sets"][name]["classes"] == row["classes"] + 1
        assert unknown["sets"][name]["N+"] == row["N+"]


def test_captions_are_scored_only_where_there_are_some(annotator: Annotator, records: list[Record]) -> None:
    bare = [replace(record, captions=()) for record in records]
    assert "captions" not in evaluate(annotator, bare)
    half = [record if number % 2 else replace(record, captions=()) for number, record in enumerate(records)]
    result = evaluate(annotator, half)
    expected = evaluate(annotator, [record for record in half if record.captions])["captions"]
    assert result["captions"] == expected


def test_a_set_without_tags_is_scored_on_its_captions_alone(annotator: Annotator, records: list[Record]) -> None:
    result = evaluate(annotator, [replace(record, tags=()) for record in records])
    assert "tags" not in result and "CIDEr-D" in result["captions"]


def test_tags_that_come_from_concepts_are_compared_with_those_of_tags_and_captions(
    annotator: Annotator, records: list[Record]
) -> None:
    words = annotator.concepts
    decoder = DecoderConfig(words=words, max_length=8, embedding=8, hidden=8)
    other = small_annotator(annotator, tag_source="concepts", decoders={"tags": decoder})
    result = evaluate(other, [replace(record, tags=()) for record in records])
    assert result["tags"]["sets"]["own"]["classes"] >= 3 and "captions" not in result


def test_a_concept_that_is_no_tag_is_not_missed_among_the_tags(annotator: Annotator, records: list[Record]) -> None:
    decoder = DecoderConfig(words=("circle", "square"), max_length=2, embedding=8, hidden=8)
    other = small_annotator(annotator, tag_source="concepts", decoders={"tags": decoder})
    result = evaluate(other, records)
    assert result["tags"]["labels unknown to the model"] == 0 and result["tags"]["sets"]["top 3"]["O-R"] == 1


def test_a_model_of_fewer_than_three_labels_is_compared_too(annotator: Annotator, records: list[Record]) -> None:
    decoder = DecoderConfig(words=("circle", "square"), max_length=2, embedding=8, hidden=8)
    other = small_annotator(annotator, decoders={"tags": decoder})
    shapes = [replace(r, tags=tuple(tag for tag in r.tags if tag in decoder.words)) for r in records]
    assert evaluate(other, shapes)["tags"]["sets"]["top 3"]["O-R"] == 1


def test_concepts_that_nobody_taught_have_no_row(annotator: Annotator, records: list[Record]) -> None:
    result = evaluate(small_annotator(annotator, supervised=False), records)
    assert set(result["tags"]["sets"]) == {"own", "path", "top 3"} and "concept mAP" not in result["tags"]


def test_one_pass_serves_every_comparison(annotator: Annotator, records: list[Record]) -> None:
    predictions = predict(annotator, records)
    assert compare(annotator, predictions) == evaluate(annotator, records)
    assert predictions.captions is not None and predictions.ended is not None
    assert [len(predictions.captions), len(predictions.ended)] == [len(records)] * 2
    told = list(annotator.annotate([record.path for record in records]))
    tags = tag_tables(annotator, predictions)
    assert tags is not None
    for row, annotation in enumerate(told):
        assert annotation.caption is not None and predictions.captions[row] == annotation.caption.text
        labels = {tag.label for tag in annotation.tags}
        assert {label for k, label in enumerate(tags.labels) if tags.own[row, k]} == labels


def test_a_caption_for_every_picture_raises_the_alarm(annotator: Annotator, records: list[Record]) -> None:
    predictions = replace(predict(annotator, records), captions=["a dog"] * len(records))
    assert compare(annotator, predictions)["alarm"].startswith("the same caption for every picture")


def test_unreadable_pictures_are_named_and_left_out(
    annotator: Annotator, records: list[Record], tmp_path: Path
) -> None:
    gone = replace(records[0], path=tmp_path / "gone.jpg")
    counted: list[int] = []
    result = evaluate(annotator, [records[0], gone, *records[1:]], Options(batch_size=2), counted.append)
    assert result["unreadable"] == [f"{tmp_path / 'gone.jpg'} does not exist"]
    assert sum(counted) == len(records) + 1
    expected = evaluate(annotator, records, Options(batch_size=2))
    assert result["pictures"] == expected["pictures"] == len(records)
    assert result["tags"]["sets"] == expected["tags"]["sets"]
    assert result["captions"] == pytest.approx(expected["captions"])
    with pytest.raises(SemregError, match=r"none of the 1 pictures can be read \(first: .*gone\.jpg"):
        evaluate(annotator, [gone])


def test_a_set_without_anything_that_the_model_writes_is_refused(annotator: Annotator, records: list[Record]) -> None:
    with pytest.raises(SemregError, match="neither tags nor captions that tiny@"):
        evaluate(annotator, [replace(record, tags=(), captions=()) for record in records])
