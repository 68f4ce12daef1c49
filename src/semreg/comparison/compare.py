"""The whole comparison: train what is missing, look at the test pictures once, put the figures side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from semreg.comparison.curves import read_curve
from semreg.comparison.outcome import outcome
from semreg.comparison.page import write_page
from semreg.comparison.plan import FINE_TUNED, INTERFACES, WAYS, Variant, cnn_recipe, plan
from semreg.comparison.runs import train_all
from semreg.comparison.summary import Run, summarise
from semreg.comparison.table import markdown
from semreg.data.records import of_split, read_records
from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.training.recipe import Recipe
from semreg.training.run import LOG, MODEL, surroundings

SETTINGS, RESULTS, TABLE = "comparison.json", "results.json", "table.md"
CNN = "cnn"


def compare(
    recipe: Recipe,
    folder: Path,
    *,
    interfaces: Sequence[str] = INTERFACES,
    seeds: int = 3,
    ways: Sequence[str] = WAYS,
    cnn: Path | None = None,
    at_once: int = 1,
    begin: Callable[[int], None] = lambda runs: None,
    done: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """Train every variant, evaluate it, and write `results.json`, `table.md`, `curves-*.png` and `index.html`.

    What is finished in `folder` is not done again, so that a comparison can be stopped, continued, and widened by
    seeds, interfaces and ways.

    Args:
        recipe: what the variants share; its interface and seed are the variants' own.
        folder: for everything.
        interfaces: to compare.
        seeds: runs of each.
        ways: of training; see `plan`.
        cnn: a model whose CNN the fine-tuned variants stand on; without it the recipe's concepts stage trains one.
        at_once: runs side by side.
        begin: called with the number of runs.
        done: called with the name of each that is finished.

    Returns:
        What `results.json` says.

    Raises:
        SemregError: the folder holds another comparison, the data has no test split, or a run failed.
    """
    test = recipe.data.test
    if test is None:
        raise SemregError("a comparison needs test pictures: set data.test to a split of the set")
    records = of_split(read_records(recipe.data.folder), test)
    folder = folder.absolute()
    variants = plan(recipe, folder, cnn or folder / CNN / MODEL, interfaces=interfaces, seeds=seeds, ways=ways)
    _claim(folder, recipe, cnn)
    jobs = [(CNN, cnn_recipe(recipe, folder))] if FINE_TUNED in ways and cnn is None else []
    begin(len(jobs) + len(variants))
    train_all(jobs, folder, 1, done)
    train_all([(variant.name, variant.recipe) for variant in variants], folder, at_once, done)
    runs = [
        Run(
            variant.way,
            variant.interface,
            variant.seed,
            outcome(folder / variant.name / MODEL, records, folder / variant.name, recipe.beams),
            read_curve(folder / variant.name / LOG),
        )
        for variant in variants
    ]
    results = {
        "recipe": recipe.name,
        "data": recipe.data.folder.name,
        "split": test,
        "pictures": len(records),
        "seeds": seeds,
        "machine": surroundings("cpu", at_once),
        "ways": {way: summarise([run for run in runs if run.way == way]) for way in ways},
    }
    _write(results, runs, folder)
    return results


def _claim(folder: Path, recipe: Recipe, cnn: Path | None) -> None:
    """Note what is compared here, and refuse a folder where something else is."""
    shared, trunk = recipe.model_copy(update={"seed": 0}), None if cnn is None else str(cnn.absolute())
    settings = {"recipe": json.loads(shared.model_dump_json()), "cnn": trunk}
    path = folder / SETTINGS
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        # Read as a recipe: settings that are newer than the comparison have their defaults there.
        if (
            Recipe.model_validate(before["recipe"]) != Recipe.model_validate(settings["recipe"])
            or before["cnn"] != trunk
        ):
            raise SemregError(f"{str(folder)!r} holds a comparison with other settings: name another --output")
        return
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(json.dumps(settings, indent=1, ensure_ascii=False) + "\n")


def _write(results: dict[str, Any], runs: Sequence[Run], folder: Path) -> None:
    with atomic_write(folder / RESULTS) as file:
        file.write(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    with atomic_write(folder / TABLE) as file:
        file.write(markdown(results))
    write_page(results, runs, folder)


__all__ = ["Variant", "compare"]
