"""Training once more, on all pictures: as long as a first run that held some out found best, with its thresholds."""

from __future__ import annotations

import json
from pathlib import Path

from semreg.errors import SemregError
from semreg.model_config import ModelConfig
from semreg.model_folder import read_config
from semreg.training.log import LOG
from semreg.training.recipe import Recipe


def first_recipe(recipe: Recipe) -> Recipe:
    """The recipe of the run that chooses: on part of the pictures, and without a look at the test pictures."""
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"refit": False, "test": None})})


def second_recipe(recipe: Recipe, first: Path) -> Recipe:
    """The recipe of the run on all pictures: each stage as long as its best epoch in the first run, and all of it kept.

    A stage that made nothing better is left out.

    Args:
        recipe: of the whole.
        first: folder of the first run, which is finished.

    Raises:
        SemregError: no stage of the first run made anything better.
    """
    events = map(json.loads, (first / LOG).read_text(encoding="utf-8").splitlines())
    said = list(events)
    best = {event["stage"]: event["best_epoch"] for event in said if event["event"] == "stage"}
    shares = {event["event"]: event["share"] for event in said if event["event"] in ("beside", "neighbours")}
    stages = [
        stage.model_copy(update={"epochs": epochs, "keep": "last", "patience": None})
        for number, stage in enumerate(recipe.stages)
        if (epochs := best[f"{number + 1}-{stage.kind}"])
    ]
    if not stages:
        raise SemregError(
            "no stage made anything better, so there is nothing to repeat on all pictures: look at the log"
        )
    changes: dict[str, object] = {"stages": tuple(stages)}
    for group, share in shares.items():  # the held-out pictures, now learnt from, could no longer choose it
        changes[group] = getattr(recipe, group).model_copy(update={"share": share})
    return recipe.model_copy(update=changes)


def with_choices(config: ModelConfig, first: Path) -> ModelConfig:
    """A configuration with the thresholds and tag scores of the first run's model."""
    chosen = read_config(first)
    names = ("beams", "concept_threshold", "concept_scale", "tag_score")
    changes = {name: getattr(chosen, name) for name in names}
    if config.consensus is not None and chosen.consensus is not None:
        changes["consensus"] = config.consensus.model_copy(update={"weight": chosen.consensus.weight})
    return config.model_copy(update=changes)
