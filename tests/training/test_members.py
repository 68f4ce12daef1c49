"""Several caption decoders taught in one run: what the model then is, and that a break changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from semreg import Annotator
from semreg.errors import SemregError
from semreg.model_folder import load_model, read_config
from semreg.training import run
from semreg.training.checkpoint import load_checkpoint
from semreg.training.loop import Interrupted
from semreg.training.members import members_before, with_members
from semreg.training.recipe import Recipe, load_recipe

TWO = [
    "captions.members=2",
    "stages=[{kind: concepts, epochs: 1, batch: 4, freeze: 8}, {kind: relations, epochs: 1, batch: 4, forms: [tags]}, "
    "{kind: relations, epochs: 2, batch: 4, learning_rate: 0.05, keep: last}]",
]


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> Recipe:
    return load_recipe(recipe_file, TWO)


@pytest.fixture(scope="module")
def whole(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("members") / "run"
    run.train(recipe, folder)
    return folder


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_stages_that_teach_captions_come_again_for_captions_alone(recipe: Recipe) -> None:
    stages = with_members(recipe).stages
    assert [stage.kind for stage in stages] == ["concepts", "relations", "relations", "relations"]
    assert stages[3].forms == ("caption",) and stages[3].epochs == 2  # type: ignore[union-attr]
    assert [members_before(stage, recipe) for stage in range(4)] == [0, 0, 0, 1]


def test_the_model_has_one_decoder_of_both_and_tells_with_it(recipe: Recipe, whole: Path, data: Path) -> None:
    config = read_config(whole / "model")
    assert (config.decoders["caption"].hidden, config.decoders["tags"].hidden) == (32, 16)
    assert [event["stage"] for event in events(whole) if event["event"] == "stage"] == [
        "1-concepts", "2-relations", "3-relations", "4-relations",
    ]  # fmt: skip
    model, _ = load_model(whole / "model")
    matrix = model.decoder("caption").lstm.weight_hh_l0
    for gate in matrix.chunk(4):
        assert gate[:16, 16:].abs().max() == 0 and gate[16:, :16].abs().max() == 0  # they never meet
        assert not torch.equal(gate[:16, :16], gate[16:, 16:])  # and are two
    assert Annotator.load(whole / "model")(data / "00.jpg").caption is not None


def stop_after(looks: int) -> Callable[[], Iterator[Callable[[], bool]]]:
    @contextmanager
    def stop() -> Iterator[Callable[[], bool]]:
        left = iter(range(looks))
        yield lambda: next(left, None) is None

    return stop


@pytest.mark.parametrize("looks", [4, 13, 19, 20, 23])
def test_a_break_in_either_decoder_changes_nothing(
    recipe: Recipe, whole: Path, tmp_path: Path, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(run, "stop_on_signal", stop_after(looks))
        with pytest.raises(Interrupted):
            run.train(recipe, folder)
    assert len(load_checkpoint(folder / "checkpoint.pt")[1]["kept"]) in (0, 1)
    run.resume(folder)
    mine, theirs = (load_file(path / "model" / "model.safetensors") for path in (folder, whole))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["stages=[{kind: concepts, epochs: 1}]"], "captions.members are taught by stages of their own"),
        (
            ["stages=[{kind: relations, epochs: 1}, {kind: joint, epochs: 1}]"],
            "need a CNN that has learnt, stages.1",
        ),
        (["data.refit=true", TWO[1]], "captions.members and data.refit do not go together"),
        (["init=some/model", TWO[1]], "captions.members start anew, init brings a decoder"),
    ],
)
def test_what_does_not_go_together_is_said(recipe_file: Path, changes: list[str], sentence: str) -> None:
    with pytest.raises(SemregError, match=sentence.replace(".", r"\.")):
        load_recipe(recipe_file, ["captions.members=2", *changes])
