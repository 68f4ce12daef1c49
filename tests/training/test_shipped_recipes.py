"""The recipes that are shipped, each run from end to end by the code that would run them, on a handful of pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semreg.model_folder import read_config
from semreg.training import run
from semreg.training.recipe import load_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
SMALL = [  # what makes it a matter of seconds; all else is as in the recipe
    "precision=fp32",
    "data.workers=0",
    "data.unreadable=0",
    "preprocessing.size=48",
    "trunk.name=lite0",
    "decoder.hidden=16",
    "decoder.embedding=16",
    "captions.minimum=1",
    "concepts.minimum=1",
]


@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_a_shipped_recipe_runs(path: Path, data: Path, tmp_path: Path) -> None:
    changes = [*SMALL, f"data.folder={json.dumps(str(data))}"]
    whole = load_recipe(path)
    if not isinstance(whole.data.validation, str):
        changes.append("data.validation=0.3")  # a smaller share of so few pictures is none
    if whole.neighbours:
        changes.append("neighbours.strangers=8")
    for number, stage in enumerate(whole.stages):
        changes += [f"stages.{number}.epochs=1", f"stages.{number}.batch=4"]
        if hasattr(stage, "freeze"):
            changes.append(f"stages.{number}.freeze=8")
        if stage.kind == "language":
            (tmp_path / "captions.txt").write_text("A red circle.\nA blue square on paper.\n", encoding="utf-8")
            changes.append(f"stages.{number}.captions=[{json.dumps(str(tmp_path / 'captions.txt'))}]")
    recipe = load_recipe(path, changes)
    run.train(recipe, tmp_path / "run")
    config = read_config(tmp_path / "run" / "model")
    assert set(config.decoders) == set(recipe.forms)
    told = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [event["stage"] for event in told if event["event"] == "stage"] == [
        f"{number + 1}-{stage.kind}" for number, stage in enumerate(recipe.stages)
    ]
    (test,) = [event for event in told if event["event"] == "test"]
    assert test["result"]["pictures"] > 0
