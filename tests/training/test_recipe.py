"""A recipe with a mistake is refused in one sentence that says where it is and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from semreg.errors import SemregError
from semreg.training.recipe import load_recipe


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("sed=1", r"unknown key sed: did you mean seed\?"),
        ("data.foldr=x", r"unknown key data\.foldr: did you mean folder\?"),
        ("decoder.interfase=state", r"unknown key decoder\.interfase: did you mean interface\?"),
        ("stages.0.epoch=1", r"unknown key stages\.0\.epoch: did you mean epochs\?"),
        ("stages.1.freeze=1", r"unknown key stages\.1\.freeze: known here are epochs, batch"),
        ("stages.0.augmentation={crp: 1}", r"unknown key stages\.0\.augmentation\.crp: did you mean crop\?"),
        ("preprocessing.sise=1", r"unknown key preprocessing\.sise: did you mean size\?"),
        ("decoder.interface=stat", r"decoder\.interface: Input should be 'input', 'state'.*\(is 'stat'\)"),
        ("stages.0.epochs=0", r"stages\.0\.epochs: .*greater than or equal to 1 \(is '?0"),
        ("stages.0.augmentation={crop: 2}", r"crop must lie above 0 and up to 1, is 2"),
        ("stages=[{kind: conceps, epochs: 1}]", r"stages\.0: .*conceps"),
        ("stages=[]", r"stages: .*at least 1"),
        ("forms=[caption]\nstages=x", r"has no such place|stages"),
        ("tags.lift=2", r"lift is for a given probability per class: take threshold: 0\.5 and per: class"),
        ("tags={threshold: 0.6, lift: 2}", r"lift is for a given probability per class"),
        ("tags={threshold: 0.6, per: class, lift: 0.5}", r"tags\.lift: .*greater than or equal to 1"),
        ("tags={threshold: 0.6, per: class, lift: 2}", None),
        ("forms=[]", r"forms must name tags, caption or both"),
        ("stages.1.forms=[caption]", None),
    ],
)
def test_a_mistake_is_named_with_its_place(recipe_file: Path, change: str, sentence: str | None) -> None:
    if sentence is None:
        load_recipe(recipe_file, [change])
        return
    with pytest.raises(SemregError, match=sentence) as caught:
        load_recipe(recipe_file, [change])
    assert "\n" not in str(caught.value) and str(recipe_file) in str(caught.value) + str(recipe_file)


def test_a_stage_may_only_teach_forms_that_the_recipe_has(recipe_file: Path) -> None:
    with pytest.raises(SemregError, match=r"stages\.1\.forms names caption: add it to forms"):
        load_recipe(recipe_file, ["forms=[tags]", "stages.1.forms=[caption]"])


@pytest.mark.parametrize("change", ["seed", "stages.9.epochs=1", "name.x=1", "stages.x.epochs=1"])
def test_a_change_to_a_place_that_is_not_there_is_refused(recipe_file: Path, change: str) -> None:
    with pytest.raises(SemregError, match="--set"):
        load_recipe(recipe_file, [change])


def test_changes_reach_groups_and_stages(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, ["seed=7", "decoder.hidden=8", "stages.2.epochs=5", "tags.order=alphabetical"])
    assert (recipe.seed, recipe.decoder.hidden, recipe.stages[2].epochs) == (7, 8, 5)
    assert recipe.tags.order == "alphabetical"


def test_true_concepts_may_be_written_without_quotes(recipe_file: Path) -> None:
    for value in ("true", "'true'"):
        assert load_recipe(recipe_file, [f"stages.1.concepts={value}"]).stages[1].concepts == "true"  # type: ignore[union-attr]


def test_files_that_are_no_recipe_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SemregError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")
    for text, sentence in (("a: [", "is not YAML"), ("- a", "must hold settings"), ("name: x", "data: Field required")):
        path = tmp_path / "bad.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SemregError, match=sentence):
            load_recipe(path)
