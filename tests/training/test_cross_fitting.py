"""Cross-fitting: decoders learn from what CNNs see that have not learnt from the picture, and a stopped run goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from stopping import stop

from semreg.data.records import read_records
from semreg.errors import SemregError
from semreg.model_folder import build_model
from semreg.training import run
from semreg.training.cross_fitting import fold_of, fold_recipe, read_held_out, without_fold
from semreg.training.log import RunLog
from semreg.training.preparation import prepare_data, split_records
from semreg.training.recipe import Recipe, load_recipe
from semreg.training.setting import Setting
from semreg.training.stages import prepare_stage

STAGES = "stages=[{kind: concepts, epochs: 1, batch: 4, freeze: 8}, {kind: relations, epochs: 2, batch: 4}]"


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> Recipe:
    """Two folds of 6 pictures: 1 update of each fold's CNN, 3 of the whole one, 6 of the decoders."""
    return load_recipe(recipe_file, [STAGES, "data.folds=2"])


@pytest.fixture(scope="module")
def whole_run(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folds") / "run"
    run.train(recipe, folder)
    return folder


def setting(recipe: Recipe, folder: Path) -> Setting:
    config, train, validation = prepare_data(recipe, *split_records(read_records(recipe.data.folder), recipe))
    lengths = {form: decoder.max_length for form, decoder in config.decoders.items()}
    words = {form: decoder.words for form, decoder in config.decoders.items()}
    log, concepts = RunLog(folder, quiet=True), config.concept_vocabulary()
    return Setting(recipe, train, validation, lengths, words, concepts, log, torch.device("cpu"))


def test_every_picture_is_left_out_once(recipe: Recipe, tmp_path: Path) -> None:
    folds = [fold_of(13, recipe, number) for number in (1, 2)]
    assert sorted(folds[0] + folds[1]) == list(range(13))
    whole = setting(recipe, tmp_path).train
    for number in (1, 2):
        part = without_fold(whole, fold_recipe(recipe, number))
        left_out = [whole.paths[row] for row in fold_of(len(whole), recipe, number)]
        assert sorted([*part.paths, *left_out]) == sorted(whole.paths)
        assert part.truth.tolist() == [whole.truth[whole.paths.index(path)].tolist() for path in part.paths]


def test_the_runs_within_learn_from_the_others_and_end_in_concepts(whole_run: Path, recipe: Recipe) -> None:
    for number in (1, 2):
        fold = whole_run / f"fold-{number}"
        told = [json.loads(line) for line in (fold / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [event["train"] for event in told if event["event"] == "run"] == [6]
        assert {event["stage"] for event in told if "stage" in event} == {"1-concepts"}
        assert not (fold / "model").exists()
    assert (whole_run / "model" / "config.json").is_file()


def test_the_decoders_learn_from_the_concepts_of_the_other_cnns(
    whole_run: Path, recipe: Recipe, tmp_path: Path
) -> None:
    mine = setting(recipe, tmp_path)
    held_out, _ = read_held_out(mine.train, recipe, whole_run)
    rows = [fold_of(12, recipe, number) for number in (1, 2)]
    for number, part in enumerate(rows, 1):
        kept = load_file(whole_run / f"fold-{number}" / "held-out.safetensors")
        assert torch.equal(held_out[0][part], kept["plain"]) and torch.equal(held_out[1][part], kept["mirrored"])
    config, _, _ = prepare_data(recipe, *split_records(read_records(recipe.data.folder), recipe))
    stage = prepare_stage(1, replace(mine, held_out=held_out), build_model(config, pretrained=False))
    for _ in range(9):
        encoding, _ = next(iter(stage.batches(0, [[3]])))
        assert any(torch.equal(encoding.logits[0], view[3]) for view in held_out)
        torch.testing.assert_close(encoding.concepts, encoding.logits.sigmoid())


@pytest.mark.parametrize("looks", [0, 2, 5])  # within the first fold, the second, and the whole
def test_a_stopped_run_goes_on_to_the_same_bits(
    recipe: Recipe, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    stop(recipe, tmp_path / "run", looks, monkeypatch)
    assert [(tmp_path / "run" / f"fold-{n}" / "held-out.safetensors").exists() for n in (1, 2)] == [
        looks >= 2,
        looks >= 5,
    ]
    run.resume(tmp_path / "run")
    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (whole_run, tmp_path / "run"))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (["data.folds=1"], "data.folds must be 0, or 2 or more, is 1"),
        (["data.folds=2", "data.refit=true"], "do not go together"),
        (["data.folds=2", "decoder.interface=fusion"], "needs named concepts, decoder.interface is fusion"),
        (["data.folds=2", "stages=[{kind: relations, epochs: 1}]"], "needs a first stage that teaches the CNN"),
        (["data.folds=2", "stages=[{kind: concepts, epochs: 1}]"], "add kind: relations"),
        (["data.folds=2", "stages.1.views=2"], "views of a relations"),
    ],
)
def test_what_does_not_go_with_folds_is_one_sentence(recipe_file: Path, changes: list[str], problem: str) -> None:
    with pytest.raises(SemregError, match=problem) as caught:
        load_recipe(recipe_file, [STAGES, *changes])
    assert "\n" not in str(caught.value)
