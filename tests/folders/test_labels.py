"""Which labels are told and how they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from semreg.annotation import Annotation, Tag
from semreg.errors import SemregError
from semreg.folders.labels import read_labels
from semreg.folders.settings import find_settings, read_settings

SAID = Annotation("x.jpg", (Tag("dog", 0.9), Tag("puppy", 0.8), Tag("person", 0.7), Tag("cell phone", 0.6)))


def told(**rules: object) -> list[str]:
    return [tag.label for tag in read_labels(**rules).told(SAID).tags]  # type: ignore[arg-type]


def test_without_rules_nothing_changes() -> None:
    assert read_labels().told(SAID) == SAID


def test_choice_goes_by_old_and_new_names_without_case(tmp_path: Path) -> None:
    (tmp_path / "only.txt").write_text("# mine\nDog\n\nhandy\n", encoding="utf-8")
    (tmp_path / "names.csv").write_text("label,name\ncell phone,Handy\n", encoding="utf-8")
    assert told(only=tmp_path / "only.txt", rename=tmp_path / "names.csv") == ["dog", "Handy"]
    assert told(exclude=["PERSON", "handy"], rename=tmp_path / "names.csv") == ["dog", "puppy"]
    assert told(exclude=["dog"], most=2) == ["puppy", "person"]  # the most probable of those that may be told


def test_names_synonyms_parents_prefix_and_tags_of_one_s_own(tmp_path: Path) -> None:
    text = 'label, name, synonyms, parent\nDog, Hund, Tier; Freund, "Leben | Tiere"\npuppy,Hund,,\n'
    (tmp_path / "names.csv").write_text(text, encoding="utf-8-sig")
    labels = read_labels(rename=tmp_path / "names.csv", prefix="ai:", always=["Ferien", "Ferien"], most=2)
    tags = labels.told(SAID).tags
    assert [tag.label for tag in tags] == ["ai:Hund", "ai:Tier", "ai:Freund", "Ferien"]
    assert tags[0].score == 0.9 and tags[-1].score == 1
    assert labels.hierarchy(SAID) == ("Leben|Tiere|ai:Hund",)
    assert labels.unknown(["dog"]) == ["puppy"] and labels.unknown(["dog", "puppy"]) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names nothing"),
        ("name\nx\n", "names name"),
        ("label,name\n,x\n", "line 2: the label is missing"),
        ("label\ndog\nDog\n", "line 3: 'Dog' is there twice"),
        ("label,name\na,b,c\n", "line 2: more fields than columns"),
    ],
)
def test_a_table_that_cannot_be_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "names.csv").write_text(text)
    with pytest.raises(SemregError, match=words):
        read_labels(rename=tmp_path / "names.csv")


def test_rules_that_differ_have_other_digests(tmp_path: Path) -> None:
    assert read_labels(exclude=["a", "b"]).digest() == read_labels(exclude=["b", "a"]).digest()
    assert len({read_labels(**r).digest() for r in ({}, {"prefix": "x"}, {"most": 3}, {"always": ["a"]})}) == 4  # type: ignore[arg-type]


def test_settings_stand_in_the_folder_or_above_and_the_command_line_wins(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    file = tmp_path / "semreg.toml"
    file.write_text('min-score = 0.6\nexclude = ["person"]\nonly = "only.txt"\nsidecar-only = true\n')
    assert find_settings(below) == file
    settings = read_settings(file, {"min_score": 0.7, "beam": None, "exclude": None})
    assert (settings.min_score, settings.exclude, settings.beam) == (0.7, ("person",), None)
    assert settings.only == tmp_path / "only.txt" and settings.sidecar_only
    file.write_text("beam = 0")
    assert read_settings(file, {"beam": 2}).beam == 2
    with pytest.raises(SemregError, match=r"semreg\.toml: beam: input should be greater than or equal to 1 \(is '0'\)"):
        read_settings(file, {})
