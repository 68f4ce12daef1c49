"""The annotation record: its JSON form, its round trip, and what a broken line is answered with."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semreg.annotation import Annotation, Caption, Concept, Tag
from semreg.errors import SemregError

DOG = Caption("a dog runs on grass", -0.61)
FULL = Annotation(
    file_name="a/b.jpg",
    tags=(Tag("dog", 0.97), Tag("grass", 0.5)),
    caption=DOG,
    captions=(DOG, Caption("a dog", -0.9)),
    concepts=(Concept("dog", 0.98),),
    model="lite@12ab",
)

names = st.text(st.characters(), max_size=12)  # surrogates and control characters included
probabilities = st.floats(0, 1).map(lambda value: round(value, 4))
captions = st.builds(Caption, names, st.floats(-50, 0).map(lambda value: round(value, 4)))
annotations = st.builds(
    Annotation,
    file_name=st.none() | names,
    tags=st.lists(st.builds(Tag, names, probabilities), max_size=3).map(tuple),
    caption=st.none() | captions,
    captions=st.lists(captions, max_size=2).map(tuple),
    concepts=st.lists(st.builds(Concept, names, probabilities), max_size=3).map(tuple),
    model=names,
    error=st.none() | names,
)


def test_json_is_the_documented_line():
    assert FULL.to_json() == (
        '{"file_name": "a/b.jpg", '
        '"tags": [{"label": "dog", "score": 0.97}, {"label": "grass", "score": 0.5}], '
        '"caption": {"text": "a dog runs on grass", "score": -0.61}, '
        '"captions": [{"text": "a dog runs on grass", "score": -0.61}, {"text": "a dog", "score": -0.9}], '
        '"concepts": [{"concept": "dog", "score": 0.98}], "model": "lite@12ab", "error": null}'
    )


@given(annotations)
def test_round_trip_on_one_encodable_line(annotation):
    line = annotation.to_json()
    line.encode("utf-8")
    assert line.splitlines() == [line]
    assert Annotation.from_json(line) == annotation


def test_scores_have_four_digits_and_no_negative_zero():
    record = Annotation(None, (Tag("a", 0.123456),), Caption("b", -0.00001)).to_dict()
    assert record["tags"][0]["score"] == 0.1235
    assert str(record["caption"]["score"]) == "0.0"


def test_non_ascii_is_kept():
    assert "été/東京.jpg" in Annotation("été/東京.jpg").to_json()


def test_file_name_that_is_no_utf8():
    name = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    line = Annotation(name).to_json()
    assert "caf\\udce9.jpg" in line
    assert Annotation.from_json(line).file_name == name


def test_infinite_score_is_refused():
    with pytest.raises(ValueError):
        Annotation("a", caption=Caption("b", float("-inf"))).to_json()


def test_failed():
    failed = Annotation.failed("a.jpg", "a.jpg is empty", "lite@12ab")
    assert json.loads(failed.to_json())["error"] == "a.jpg is empty"
    assert failed.tags == () and failed.caption is None
    assert str(failed) == "a.jpg is empty"


def test_str_is_for_reading():
    assert str(FULL) == "a dog runs on grass\ndog 97%, grass 50%"
    assert str(Annotation("a.jpg")) == "(no caption, no tags)"


def test_missing_entries_are_empty():
    assert Annotation.from_json('{"file_name": "a.jpg", "future": 1}') == Annotation("a.jpg")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "one line of JSON"),
        ("[" * 100_000, "one line of JSON"),
        ("[]", "must be a JSON object"),
        ('{"file_name": 1}', "'file_name' in 'annotation' must be text, is 1"),
        ('{"tags": {}}', "'tags' of an annotation must be a list"),
        ('{"tags": ["dog"]}', "'tags' must hold objects with 'label' and 'score', holds 'dog'"),
        ('{"tags": [{"label": "dog"}]}', "'score' in 'tags' must be a finite number, is None"),
        ('{"tags": [{"label": "dog", "score": true}]}', "must be a finite number, is True"),
        ('{"caption": {"text": "a", "score": NaN}}', "'score' in 'caption' must be a finite number"),
        ('{"caption": {"score": 0}}', "'text' in 'caption' must be text"),
        ('{"concepts": [{"concept": [], "score": 1}]}', "'concept' in 'concepts' must be text"),
    ],
)
def test_broken_line_is_named(line, said):
    with pytest.raises(SemregError, match=re.escape(said)):
        Annotation.from_json(line)


def test_import_brings_nothing_heavy():
    code = "import sys, semreg.annotation; print({'torch', 'numpy', 'rich', 'PIL'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
