"""Every shipped recipe loads, and every setting in it is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from semreg.training.recipe import load_recipe, save_recipe

RECIPES = sorted((Path(__file__).resolve().parents[1] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_loads_and_survives_being_written_out(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)
    copy = tmp_path / "copy.yaml"
    copy.write_text(save_recipe(recipe), encoding="utf-8")
    assert load_recipe(copy) == recipe


def test_there_are_recipes() -> None:
    assert {"coco18", "corel5k"} <= {path.stem for path in RECIPES}
