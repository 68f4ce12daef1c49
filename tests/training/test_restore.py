"""A stage may give the trunk a share of its ImageNet weights back: once, when it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from stopping import stop

from semreg.errors import SemregError
from semreg.model.trunks import blend, build_trunk
from semreg.training import run
from semreg.training.recipe import Recipe, load_recipe

TAUGHT = "{kind: concepts, epochs: 1, batch: 4, freeze: 8, trunk_learning_rate: 0.02, keep: last}"
RESTORED = "{kind: concepts, epochs: 2, batch: 4, freeze: 9, restore: 0.5, keep: last}"


def recipe_of(recipe_file: Path, *stages: str) -> Recipe:
    return load_recipe(recipe_file, [f"stages=[{', '.join(stages)}]", "trunk.pretrained=true", "data.test=null"])


@pytest.fixture(scope="module")
def whole(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.train(recipe_of(recipe_file, TAUGHT, RESTORED), tmp_path_factory.mktemp("restored") / "run")


def weights(model: Path) -> dict[str, torch.Tensor]:
    return {name: value.float() for name, value in load_file(model / "model.safetensors").items()}


def test_the_trunk_ends_half_way_and_the_concept_layer_gets_used_to_it(
    recipe_file: Path, whole: Path, tmp_path: Path
) -> None:
    before = weights(run.train(recipe_of(recipe_file, TAUGHT), tmp_path / "taught"))
    after = weights(whole)
    moved = 0
    for name, value in build_trunk("lite0", pretrained=True, folded=True).state_dict().items():
        middle = (before[f"trunk.{name}"] + value) / 2
        torch.testing.assert_close(after[f"trunk.{name}"], middle, atol=2e-3, rtol=2e-3)  # saved in half precision
        moved += not torch.allclose(before[f"trunk.{name}"], value, atol=2e-3, rtol=2e-3)
    assert moved  # the first stage taught the trunk something, or half of the way could not be told from all of it
    assert not torch.equal(before["semantic.weight"], after["semantic.weight"])


@pytest.mark.parametrize("looks", [3, 5, 8])  # as the second stage begins, and within it
def test_a_stopped_run_restores_once_and_goes_on_to_the_same_bits(
    recipe_file: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    stop(recipe_of(recipe_file, TAUGHT, RESTORED), tmp_path / "run", looks, monkeypatch)
    first, second = weights(whole), weights(run.resume(tmp_path / "run"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_without_imagenet_weights_there_is_nothing_to_restore(recipe_file: Path) -> None:
    with pytest.raises(SemregError, match=r"stages.0.restore takes weights from ImageNet, trunk.pretrained is false"):
        load_recipe(recipe_file, [f"stages=[{RESTORED}]", "trunk.pretrained=false"])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_blending_is_weight_by_weight(share: float) -> None:
    torch.manual_seed(0)
    one, other = (build_trunk("lite0", folded=True) for _ in range(2))
    start = {name: value.clone() for name, value in one.state_dict().items()}
    blend(one, other, share)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(one.state_dict()[name], (1 - share) * start[name] + share * value)
