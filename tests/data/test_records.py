"""A data set's `metadata.jsonl`: what is read from it, and that every mistake is named by file and line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semreg.data.records import Record, of_split, read_records
from semreg.errors import SemregError

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.strip).filter(bool)


def write(folder: Path, *lines: str | dict) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    (folder / "metadata.jsonl").write_text(text + "\n", encoding="utf-8", newline="")
    return folder


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(words, words, st.lists(words), st.lists(words)), min_size=1, max_size=4))
def test_what_was_written_is_read_whatever_the_characters(tmp_path, rows):
    keys = ("file_name", "split", "tags", "captions")
    found = read_records(write(tmp_path, *(dict(zip(keys, row, strict=True)) for row in rows)))
    expected = [
        Record(tmp_path / name, name, split, tuple(dict.fromkeys(tags)), tuple(captions))
        for name, split, tags, captions in rows
    ]
    assert found == expected


def test_all_but_the_file_name_may_be_left_out(tmp_path):
    assert read_records(write(tmp_path, {"file_name": "a.jpg"})) == [Record(tmp_path / "a.jpg", "a.jpg", "train")]
    assert read_records(write(tmp_path, {"file_name": "a.jpg", "tags": None, "captions": None, "width": 3})) == [
        Record(tmp_path / "a.jpg", "a.jpg", "train")
    ]


def test_repeated_and_blank_tags_are_dropped_and_the_order_kept(tmp_path):
    (record,) = read_records(write(tmp_path, {"file_name": "a.jpg", "tags": ["sky", " sea", "", "sky ", "sea", "  "]}))
    assert record.tags == ("sky", "sea")


def test_repeated_captions_are_kept_they_count(tmp_path):
    (record,) = read_records(write(tmp_path, {"file_name": "a.jpg", "captions": ["a dog", " a dog ", ""]}))
    assert record.captions == ("a dog", "a dog")


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path):
    plain = read_records(write(tmp_path, {"file_name": "a.jpg"}, {"file_name": "b.jpg"}))
    raw = b'\xef\xbb\xbf{"file_name": "a.jpg"}\r\n\r\n   \r\n{"file_name": "b.jpg"}'
    (tmp_path / "metadata.jsonl").write_bytes(raw)
    assert read_records(tmp_path) == plain


def test_a_line_separator_within_a_caption_ends_no_line(tmp_path):
    (record,) = read_records(write(tmp_path, {"file_name": "a.jpg", "captions": ["one\u2028two\x85three"]}))
    assert record.captions == ("one\u2028two\x85three",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"file_name": "a.jpg", "width": ' + "9" * 5000 + "}", "not JSON"),
        ("[]", "a record must be a JSON object, is list"),
        ("3", "a record must be a JSON object, is int"),
        ("{}", "file_name must be the picture's path in the folder, is None"),
        ('{"file_name": ""}', "file_name must be the picture's path in the folder, is ''"),
        ('{"file_name": 3}', "file_name must be the picture's path in the folder, is 3"),
        ('{"file_name": "a", "split": 1}', "split must be a word such as train, is 1"),
        ('{"file_name": "a", "tags": "dog"}', 'tags must be a list of texts, is "dog"'),
        ('{"file_name": "a", "tags": ["dog", 1]}', 'tags must be a list of texts, is ["dog", 1]'),
        ('{"file_name": "a", "captions": {"en": "x"}}', "captions must be a list of texts, is"),
        ('{"file_name": "a", "captions": [null]}', "captions must be a list of texts, is [null]"),
    ],
)
def test_a_broken_record_is_named_by_file_and_line_in_one_sentence(tmp_path, line, said):
    folder = write(tmp_path, {"file_name": "a.jpg"}, "", line, {"file_name": "b.jpg"})
    with pytest.raises(SemregError, match=re.escape(f"{folder / 'metadata.jsonl'}, line 3: {said}")) as caught:
        read_records(folder)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(folder))


def test_a_missing_folder_is_told_from_a_missing_file(tmp_path):
    with pytest.raises(SemregError, match=r"the data folder '.*gone' does not exist: pass --data"):
        read_records(tmp_path / "gone")
    with pytest.raises(SemregError, match=r"has no metadata\.jsonl: write one"):
        read_records(tmp_path)


def test_a_file_without_records_or_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(SemregError, match=r"metadata\.jsonl has no record"):
        read_records(write(tmp_path, "", "  "))
    (tmp_path / "metadata.jsonl").write_bytes(b'{"file_name": "caf\xe9.jpg"}\n')
    with pytest.raises(SemregError, match=r"metadata\.jsonl cannot be read: .*utf-8"):
        read_records(tmp_path)


def test_splits_share_out_all_records_in_their_order(tmp_path):
    rows = [{"file_name": f"{i}.jpg", "split": ("train", "val", "test")[i % 3]} for i in range(9)]
    records = read_records(write(tmp_path, *rows))
    parts = {split: of_split(records, split) for split in ("train", "val", "test")}
    assert [record.file_name for record in parts["val"]] == ["1.jpg", "4.jpg", "7.jpg"]
    assert sorted((r for part in parts.values() for r in part), key=records.index) == records


def test_a_split_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    rows = [{"file_name": "a.jpg", "split": "val"}, {"file_name": "b.jpg", "split": "train"}]
    records = read_records(write(tmp_path, *rows))
    with pytest.raises(SemregError, match="the set has no split 'validation': it has train, val"):
        of_split(records, "validation")
