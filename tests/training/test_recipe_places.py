"""A wrong setting is named by the place at which people find it in their file, whatever it is inside of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from semreg.errors import SemregError
from semreg.training.recipe import load_recipe, save_recipe

PLAIN = """
name: plain
data: {folder: pictures}
stages:
  - {kind: concepts, epochs: 3, augmentation: {crop: 0.8}}
  - {kind: relations, epochs: 2}
  - {kind: joint, epochs: 1}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "plain.yaml"
    file.write_text(PLAIN, encoding="utf-8")
    return file


def refused(path: Path, *changes: str) -> str:
    with pytest.raises(SemregError) as caught:
        load_recipe(path, changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "place", "value"),
    [
        ("seed=many", "seed: ", "'many'"),
        ("forms=[tags, headline]", "forms.1: ", "'headline'"),
        ("data.unreadable=2", "data.unreadable: ", "'2'"),
        ("concepts.source=label", "concepts.source: ", "'label'"),
        ("concepts.exclude=[[]]", "concepts.exclude.0: ", "'[]'"),
        ("stages.0.average=1", "stages.0.average: ", "'1'"),
        ("stages.1.concepts=guessed", "stages.1.concepts: ", "'guessed'"),
        ("stages.2.forms=[all]", "stages.2.forms.0: ", "'all'"),
        ("stages.0.augmentation.flip=perhaps", "stages.0.augmentation.flip: ", "'perhaps'"),
    ],
)
def test_a_wrong_value_is_answered_with_its_place_and_itself(path: Path, change: str, place: str, value: str) -> None:
    said = refused(path, change)
    assert said.startswith(f"{path}: {place}") and value in said, said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("concepts.sise=3", "unknown key concepts.sise: did you mean size?"),
        ("stages.1.concept=true", "unknown key stages.1.concept: did you mean concepts?"),
        ("stages.2.relation_weight=1", "unknown key stages.2.relation_weight: did you mean relational_weight?"),
        ("stages.2.augmentation.colour_=0", "unknown key stages.2.augmentation.colour_: did you mean colour?"),
        ("zzz=1", "unknown key zzz: known here are name, seed, forms"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_of_its_own_group(path: Path, change: str, said: str) -> None:
    assert f"{path}: {said}" in refused(path, change)


def test_a_change_whose_value_is_broken_is_told_from_one_whose_place_is(path: Path) -> None:
    assert refused(path, "stages.0.freeze=[1") == "--set stages.0.freeze: the value is not YAML: [1"
    assert refused(path, "stages.9.freeze=1").startswith("--set stages.9.freeze=1: the recipe has no such place")


@pytest.mark.parametrize("key", ["name", "data", "stages"])
def test_what_must_be_there_is_asked_for(path: Path, key: str) -> None:
    path.write_text(re.sub(rf"(?ms)^{key}:.*?(?=^\w|\Z)", "", PLAIN), encoding="utf-8")
    assert f"{path}: {key}: Field required" in refused(path)


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0 a picture", b"\tname: x", b"a: \x00"])
def test_a_file_that_is_no_text_is_no_recipe(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert "is not YAML" in refused(path)


def test_a_change_may_hold_an_equals_sign_and_later_ones_win(path: Path) -> None:
    recipe = load_recipe(path, ["data.folder=a=b", "seed=1", "seed=2", "name='x: y'"])
    assert (recipe.data.folder, recipe.seed, recipe.name) == (Path("a=b"), 2, "x: y")


def test_a_recipe_that_was_written_out_is_the_same_recipe(path: Path) -> None:
    recipe = load_recipe(path, ["stages.1.forms=[tags]", "stages.1.patience=2", "data.validation=0.25", "name='017'"])
    path.write_text(save_recipe(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe


@pytest.mark.parametrize(
    ("stages", "supervised"),
    [
        ("[{kind: concepts, epochs: 1}]", True),
        ("[{kind: relations, epochs: 1}]", False),
        ("[{kind: joint, epochs: 1, unary_weight: 0}, {kind: relations, epochs: 1}]", False),
        ("[{kind: joint, epochs: 1, unary_weight: 0}, {kind: joint, epochs: 1}]", True),
    ],
)
def test_a_recipe_knows_whether_it_teaches_the_concept_layer(path: Path, stages: str, supervised: bool) -> None:
    assert load_recipe(path, [f"stages={stages}"]).supervised is supervised
