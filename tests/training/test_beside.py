"""Trunks beside the taught one: in a run, in use, exported, and where a run starts from such a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from stopping import stop

from semreg.annotator import Annotator
from semreg.errors import SemregError
from semreg.model.efficientnet_lite import EfficientNetLite, imagenet_weights
from semreg.model.trunks import SideBySide
from semreg.training import run
from semreg.training.beside import teach_linear
from semreg.training.recipe import Recipe, load_recipe

TAUGHT = "{kind: concepts, epochs: 1, batch: 4, freeze: 8, keep: last}"
TOLD = "{kind: relations, epochs: 2, keep: last}"


def recipe_of(recipe_file: Path, *changes: str) -> Recipe:
    stages = f"stages=[{TAUGHT}, {TOLD}]"
    beside = ["beside={trunks: [lite1], share: 0.6}", "neighbours={size: 6, share: 0.5, strangers: 3}"]
    return load_recipe(recipe_file, [stages, "data.test=null", *beside, *changes])


@pytest.fixture(scope="module")
def whole(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beside") / "run"
    run.train(recipe_of(recipe_file), folder)
    return folder


def event(folder: Path, kind: str) -> dict[str, object]:
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    (found,) = [said for said in map(json.loads, lines) if said["event"] == kind]
    assert isinstance(found, dict)
    return found


def test_a_linear_layer_finds_what_is_linear() -> None:
    chance = torch.Generator().manual_seed(0)
    features = 5 + 2 * torch.randn(600, 8, generator=chance)
    truth = (features[:, :3] > features[:, 3:6]).float()
    weight, bias = teach_linear(features[:500], truth[:500], seed=0)
    right = ((features[500:] @ weight.T + bias > 0) == truth[500:].bool()).float().mean()
    assert right > 0.8  # by chance 0.5
    again = teach_linear(features[:500], truth[:500], seed=0)
    assert torch.equal(weight, again[0]) and torch.equal(bias, again[1])


@torch.inference_mode()
def test_the_other_trunk_is_as_imagenet_made_it(whole: Path, data: Path) -> None:
    annotator = Annotator.load(whole / "model")
    trunk = annotator.model.trunk
    assert isinstance(trunk, SideBySide) and annotator.config.trunk.beside == ("lite1",)
    expected = EfficientNetLite("lite1")
    expected.load_state_dict(imagenet_weights("lite1"))
    expected.fold().half().float().eval()  # as it is saved
    (batch,) = annotator.read(sorted(data.glob("*.jpg"))[:2], 2)
    seen = annotator.encode(batch.pictures).features
    torch.testing.assert_close(seen[:, :1280], trunk.taught(batch.pictures))
    torch.testing.assert_close(seen[:, 1280:], expected(batch.pictures), atol=1e-3, rtol=1e-3)
    assert event(whole, "beside")["share"] == 0.6
    assert annotator.model.semantic.weight[:, 1280:].abs().max() > 0


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_exported_it_says_the_same(whole: Path, data: Path, tmp_path: Path, kind: str) -> None:
    pytest.importorskip("openvino" if kind == "openvino" else "onnxscript")
    from semreg.runtime.exported import open_export, write_graphs

    annotator = Annotator.load(whole / "model")
    (batch,) = annotator.read(sorted(data.glob("*.jpg"))[:3], 3)
    manifest = write_graphs(annotator.model, annotator.config, "name@0", kind, tmp_path)
    engine = open_export(manifest, tmp_path, "fp32", None)
    expected = annotator.encode(batch.pictures)
    torch.testing.assert_close(engine.encode(batch.pictures).logits, expected.logits, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("looks", [1, 4])  # while the CNN learns alone, and among the others
def test_a_stopped_run_goes_on_to_the_same_bits(
    recipe_file: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    stop(recipe_of(recipe_file), tmp_path / "run", looks, monkeypatch)
    run.resume(tmp_path / "run")
    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (whole, tmp_path / "run"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_starts_from_its_taught_trunk(whole: Path, recipe_file: Path, tmp_path: Path) -> None:
    still = "stages=[{kind: relations, epochs: 1}]"
    alone = recipe_of(recipe_file, still, f"init={whole / 'model'}", "beside=null", "neighbours=null")
    run.train(alone, tmp_path / "alone")
    started = load_file(tmp_path / "alone" / "model" / "model.safetensors")
    source = load_file(whole / "model" / "model.safetensors")
    assert torch.equal(started["trunk.stem.conv.weight"], source["trunk.taught.stem.conv.weight"])
    assert torch.equal(started["semantic.weight"], source["semantic.weight"][:, :1280])
    assert not any(".others." in name for name in started)


def test_the_share_is_chosen_on_held_out_pictures_and_kept_for_a_run_on_all(recipe_file: Path, tmp_path: Path) -> None:
    changes = ("beside={trunks: [lite1]}", "neighbours=null", "data.refit=true")
    run.train(recipe_of(recipe_file, *changes), tmp_path / "run")
    chosen, kept = event(tmp_path / "run" / "first", "beside"), event(tmp_path / "run", "beside")
    assert chosen["alone"] is not None and kept["alone"] is None
    assert chosen["metric"] >= chosen["alone"]  # type: ignore[operator]
    assert kept["share"] == chosen["share"]


def test_others_come_only_when_the_cnn_has_learnt(recipe_file: Path) -> None:
    joint = "stages=[{kind: relations, epochs: 1}, {kind: joint, epochs: 1}]"
    with pytest.raises(SemregError, match=r"other trunks come when the CNN has learnt, and stages.1 teaches it"):
        recipe_of(recipe_file, joint, "neighbours=null")


def test_a_trunk_that_nobody_knows_is_refused(recipe_file: Path, tmp_path: Path) -> None:
    with pytest.raises(SemregError, match="trunk"):
        run.train(recipe_of(recipe_file, "beside={trunks: [lite9]}"), tmp_path / "run")
