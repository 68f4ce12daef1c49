"""Captions without pictures are read from text and from COCO's form; what is no caption is named with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from official import real
from semreg.data.captions_alone import read_captions_alone
from semreg.errors import SemregError


def test_files_of_several_forms_follow_each_other(tmp_path: Path) -> None:
    text, tokens, coco = tmp_path / "own.txt", tmp_path / "Flickr8k.token.txt", tmp_path / "captions.json"
    text.write_text("\ufeffA dog runs.\n\n  Two cats\u2028sleep.  \n", encoding="utf-8")
    tokens.write_text("10.jpg#0\tA girl climbs .\n10.jpg#1\tA child plays .\n", encoding="utf-8")
    annotations = [{"id": 1, "image_id": 7, "caption": "A boat."}]
    coco.write_text(json.dumps({"images": [], "annotations": annotations}), encoding="utf-8")
    found = read_captions_alone([text, tokens, coco])
    assert found == ["A dog runs.", "Two cats\u2028sleep.", "A girl climbs .", "A child plays .", "A boat."]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.txt", None, r"a\.txt does not exist"),
        ("a.txt", b"\n", r"a\.txt is empty"),
        ("a.txt", b"A cat.\nA d\xffg.\n", r"a\.txt, line 2: must be UTF-8"),
        ("a.json", b"[1", r"a\.json, line 1 column 3: not JSON"),
        ("a.json", b'{"images": []}', r"annotations"),
        ("a.json", b'{"annotations": [{"caption": 3}]}', r"annotations\[0\].*caption"),
    ],
)
def test_what_holds_no_captions_is_named(tmp_path: Path, name: str, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SemregError, match=sentence):
        read_captions_alone([tmp_path / name])


def test_the_official_file_is_read_whole() -> None:
    assert len(read_captions_alone([real("annotations/coco/captions_val2017.json")])) == 25014
