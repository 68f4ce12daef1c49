"""A model on disk: what is saved is what is loaded, and a folder that is broken is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from semreg.errors import SemregError
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.stored import Bits, stored, unstored
from semreg.model_config import FORMAT, DecoderConfig, ModelConfig, PreprocessingConfig, TagScoreConfig, TrunkConfig
from semreg.model_folder import build_model, fingerprint, load_model, read_config, save_config, save_model


def configuration(**changes: object) -> ModelConfig:
    sizes = {"embedding": 8, "hidden": 8, "max_length": 4}
    return ModelConfig(
        **{
            "name": "toy",
            "trunk": TrunkConfig(),
            "preprocessing": PreprocessingConfig(size=32, resize="pad"),
            "concepts": ("dog", "stop sign", "été"),
            "forms": {"dogs": "dog"},
            "decoders": {
                "tags": DecoderConfig(words=("dog", "stop sign"), **sizes),
                "caption": DecoderConfig(words=("a", "dog", "été"), interface="fusion", **sizes),
            },
            **changes,
        }
    )


@pytest.fixture(scope="module")
def model() -> CnnRnn:
    torch.manual_seed(0)
    return build_model(configuration()).eval()


@pytest.fixture
def folder(model: CnnRnn, tmp_path: Path) -> Path:
    save_model(model, configuration(), tmp_path / "toy", card="# toy\n")
    return tmp_path / "toy"


def same(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> bool:
    mine = model.state_dict()
    return mine.keys() == weights.keys() and all(torch.equal(mine[name], weights[name].float()) for name in mine)


@pytest.mark.parametrize(("bits", "smaller"), [(32, 1.0), (16, 0.6), (8, 0.45)])
def test_weights_come_back_rounded_once_and_are_saved_again_as_the_same_bytes(
    model: CnnRnn, tmp_path: Path, bits: Bits, smaller: float
) -> None:
    save_model(model, configuration(bits=32), tmp_path / "as it is", card="")
    save_model(model, configuration(bits=bits), tmp_path / "rounded", card="")
    loaded, read = load_model(tmp_path / "rounded")
    assert same(loaded, unstored(stored(model.state_dict(), bits)))
    assert read == configuration(bits=bits) and not loaded.training
    save_model(loaded, read, tmp_path / "again", card="")
    assert fingerprint(tmp_path / "again") == fingerprint(tmp_path / "rounded")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("rounded", "as it is")]
    assert sizes[0] <= smaller * sizes[1]


def test_a_folder_has_the_three_files_and_nothing_else(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (folder / "README.md").read_text(encoding="utf-8") == "# toy\n"
    assert "été" in (folder / "config.json").read_text(encoding="utf-8")


def test_normalisation_that_was_kept_is_folded_on_loading_and_the_output_stays(tmp_path: Path) -> None:
    config = configuration(trunk=TrunkConfig(folded=False), bits=32)
    model = build_model(config).eval()
    with torch.no_grad():
        for name, buffer in model.trunk.named_buffers():  # as if it had been trained
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.1)
    save_model(model, config, tmp_path, card="")
    loaded, _ = load_model(tmp_path)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in loaded.modules())
    pictures = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        features = [each.trunk(pictures) for each in (model, loaded)]
    assert features[0].abs().max() > 1e-3
    torch.testing.assert_close(*features, atol=1e-4, rtol=1e-3)


def test_which_token_is_which_concept_follows_from_the_vocabularies(folder: Path) -> None:
    loaded, config = load_model(folder)
    of_token = loaded.decoder("tags").interface.concept_of_token.tolist()
    assert of_token == [-1, -1, -1, -1, 0, 1]
    assert config.concept_vocabulary().find(["stop sign"], ["two dogs"]) == [0, 1]


def test_a_configuration_of_an_older_format_is_saved_in_this_one(folder: Path) -> None:
    fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del fields["bits"], fields["general"]
    (folder / "config.json").write_text(json.dumps({**fields, "format": 1}), encoding="utf-8")
    save_config(read_config(folder), folder)  # with keys that format 1 did not have
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["format"] == FORMAT


def test_the_fingerprint_tells_weights_and_settings_apart_but_not_places(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(folder)
    shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == before and len(before) == 8 and int(before, 16) >= 0
    (folder / "README.md").write_text("another card", encoding="utf-8")
    assert fingerprint(folder) == before
    weights = load_file(folder / "model.safetensors")
    weights["semantic.bias"][0] += 1
    save_file(weights, folder / "model.safetensors")
    changed = fingerprint(folder)
    fields = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**fields, "concept_threshold": 0.4}), encoding="utf-8")
    assert len({before, changed, fingerprint(folder)}) == 3


def refused(folder: Path) -> str:
    with pytest.raises(SemregError) as caught:
        load_model(folder)
    said = str(caught.value)
    assert str(folder) in said and "\n" not in said and len(said) < 600, said
    return said


def test_a_missing_folder_a_file_and_a_folder_without_configuration_are_told_apart(tmp_path: Path) -> None:
    assert "does not exist: name a folder" in refused(tmp_path / "gone")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert "name a folder" in refused(tmp_path / "file")
    assert "has no config.json" in refused(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda fields: "{", "config.json is not JSON"),
        (lambda fields: b"\xff\xfe".decode("latin-1") * 9, "config.json is not JSON"),
        (lambda fields: [], "config.json"),
        (lambda fields: {**fields, "format": FORMAT + 1}, f"reads up to {FORMAT}: update semreg"),
        (lambda fields: {**fields, "format": "x"}, "format: "),
        (lambda fields: {**fields, "format": None}, "format: "),
        (lambda fields: {**fields, "colour": 1}, "colour: "),
        (lambda fields: {**fields, "concepts": 3}, "concepts: "),
        (lambda fields: {key: value for key, value in fields.items() if key != "decoders"}, "decoders: Field required"),
        (lambda fields: {**fields, "decoders": {"poem": fields["decoders"]["tags"]}}, "decoders.poem"),
        (lambda fields: {**fields, "preprocessing": {"size": 32, "resize": "stretch"}}, "preprocessing.resize: "),
    ],
)
def test_a_configuration_that_does_not_fit_is_named_with_its_place(
    folder: Path, change: Callable[[dict[str, object]], object], said: str
) -> None:
    path = folder / "config.json"
    new = change(json.loads(path.read_text(encoding="utf-8")))
    path.write_text(new if isinstance(new, str) else json.dumps(new), encoding="utf-8")
    assert said in refused(folder)


def test_weights_that_are_missing_cut_off_or_no_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:5], b"", b"not weights at all, but long enough to look at"):
        path.write_bytes(content)
        assert "model.safetensors cannot be read" in refused(folder)
    path.unlink()
    assert "model.safetensors cannot be read" in refused(folder)


def test_weights_of_another_shape_are_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    save_file({**weights, "semantic.bias": torch.zeros(7)}, path)
    assert "semantic.bias must be (3,), is (7,)" in refused(folder)
    save_file({name: value for name, value in weights.items() if name != "semantic.bias"}, path)
    assert "semantic.bias must be (3,), is nothing" in refused(folder)


def test_a_model_is_replaced_as_a_whole(folder: Path, model: CnnRnn) -> None:
    save_model(model, configuration(name="new"), folder, card="# new\n")
    assert read_config(folder).name == "new"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_the_head_has_thresholds_of_its_own_for_the_labels(model_folder: Path) -> None:
    config = read_config(model_folder)
    labels = config.decoders["tags"].words
    of_concepts = dict(zip(config.concepts, config.concept_thresholds(), strict=True))
    bare = config.model_copy(update={"tag_score": TagScoreConfig()})
    assert bare.head_thresholds() == tuple(of_concepts[label] for label in labels)
    tuned = config.model_copy(update={"tag_score": TagScoreConfig(head=0.25)})
    assert tuned.head_thresholds() == (0.25,) * len(labels)
