"""Every engine says what torch says; exports are found, checked, and refused where they are of another model."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch

import semreg
from semreg import Annotator, Options, SemregError
from semreg.exporting import export_model
from semreg.model.interfaces import INTERFACES
from semreg.runtime.choose import cache_folder
from semreg.runtime.engine import split_name
from semreg.runtime.exported import MANIFEST, open_export, read_manifest
from semreg.runtime.graphs import graphs_of
from semreg.runtime.parity import check_pictures, parity
from semreg.runtime.torch_engine import TorchEngine

NEEDS = {"openvino": ("openvino", "nncf"), "onnx": ("onnx", "onnxscript", "onnxruntime")}


def missing(kind: str) -> list[str]:
    return [name for name in NEEDS[kind] if importlib.util.find_spec(name) is None]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMREG_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def plain(model_folder: Path) -> Annotator:
    return semreg.load(model_folder)


@pytest.fixture(scope="module", params=["openvino", pytest.param("onnx", marks=pytest.mark.slow)])
def exported(
    request: pytest.FixtureRequest,
    plain: Annotator,
    model_folder: Path,
    data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A copy of the tiny model with an export in it."""
    if missing(request.param):
        pytest.skip(f"{', '.join(missing(request.param))} not installed")
    folder = tmp_path_factory.mktemp("exported") / "model"
    shutil.copytree(model_folder, folder)
    export_model(plain, request.param, folder / request.param, calibrate=data, int8=True)
    return folder


def kind_of(folder: Path) -> str:
    return next(kind for kind in NEEDS if (folder / kind).is_dir())


def test_an_exported_model_says_what_torch_says(exported: Path, plain: Annotator, data: Path) -> None:
    other = Annotator.load(exported, engine=f"{kind_of(exported)}:fp32")
    assert other.engine.name == f"{kind_of(exported)}:fp32"
    pictures = sorted(data.glob("*.jpg"))
    for options in (Options(beams=1, min_score=0), Options(beams=4, n_best=4, min_score=0, batch_size=7)):
        for a, b in zip(plain.annotate(pictures, options), other.annotate(pictures, options), strict=True):
            assert [t.label for t in a.tags] == [t.label for t in b.tags]
            assert [c.text for c in a.captions] == [c.text for c in b.captions]
            scores = [[x.score for x in (*each.tags, *each.captions, *each.concepts)] for each in (a, b)]
            assert scores[0] == pytest.approx(scores[1], abs=1e-3)


def test_an_export_tells_what_it_is_and_how_good(exported: Path, plain: Annotator) -> None:
    manifest = json.loads((exported / kind_of(exported) / MANIFEST).read_text())
    assert manifest["model"] == plain.name and manifest["preprocessing"]["size"] == 48
    assert manifest["tokens"]["tags"][4:] == list(plain.labels)
    checks = manifest["checks"]
    assert set(checks) == {"torch", *manifest["graphs"]}
    assert checks["fp32"]["faithful"] is True and checks["fp32"]["concepts"] < 1e-3
    assert checks["fp32"]["largest_loss"] == 0
    for row in checks.values():
        assert row["pictures_a_second"] > 0 and 0 <= row["mAP"] <= 1 and "CIDEr-D" in row


def test_int8_files_are_smaller_and_near(exported: Path, plain: Annotator, data: Path) -> None:
    folder = exported / kind_of(exported)
    manifest = read_manifest(folder)
    assert manifest is not None
    weights = ".bin" if manifest.kind == "openvino" else ".onnx"
    sizes = {
        precision: (folder / manifest.graphs[precision]["look"]).with_suffix(weights).stat().st_size
        for precision in ("fp32", "int8")
    }
    assert sizes["int8"] < sizes["fp32"] / 3
    (batch,) = plain.read(sorted(data.glob("*.jpg")), 100)  # such as it was calibrated on
    found = parity(open_export(manifest, folder, "int8"), plain.engine, ("tags", "caption"), batch.pictures)
    assert 0 < found.concepts_mean < 0.25  # a model of 24 tiny pictures: a wrong scale or layer gives far more


def test_steering_goes_through_an_export_too(exported: Path, plain: Annotator, data: Path) -> None:
    other = Annotator.load(exported, engine=f"{kind_of(exported)}:fp32")
    picture = sorted(data.glob("*.jpg"))[0]
    rules = Options(must=("square",), beams=3)
    ours, theirs = other(picture, rules).caption, plain(picture, rules).caption
    assert ours is not None and theirs is not None and "square" in ours.text
    assert ours.text == theirs.text and ours.score == pytest.approx(theirs.score, abs=1e-3)


def test_an_export_of_other_weights_is_not_taken(exported: Path) -> None:
    kind = kind_of(exported)
    config = json.loads((exported / "config.json").read_text())
    stranger = exported.with_name("stranger")
    shutil.copytree(exported, stranger, dirs_exist_ok=True)
    (stranger / "config.json").write_text(json.dumps({**config, "name": "stranger"}))
    with pytest.raises(SemregError, match=f"has no int8 export for {kind}: semreg export --to {kind} --int8"):
        Annotator.load(stranger, engine=f"{kind}:int8")


def test_a_damaged_export_is_one_sentence(exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "model")
    folder = tmp_path / "model" / kind_of(exported)
    for path in folder.glob("look.*"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SemregError, match="cannot be opened"):
        Annotator.load(tmp_path / "model", engine=f"{kind_of(exported)}:fp32")


def test_auto_measures_once_and_takes_the_fastest_faithful(exported: Path) -> None:
    said: list[str] = []
    first = Annotator.load(exported, engine="auto", say=said.append)
    record = json.loads((cache_folder() / first.name / "engines.json").read_text())
    faithful = {name: row["pictures_a_second"] for name, row in record["engines"].items() if row["faithful"]}
    assert first.engine.name == max(faithful, key=lambda name: faithful[name])
    assert {"torch:fp32", f"{kind_of(exported)}:fp32"} <= set(record["engines"])
    again = Annotator.load(exported, engine="auto", say=said.append)
    assert again.engine.name == first.engine.name
    assert said == ["measuring the engines, once for this machine"]


def test_without_an_export_one_is_made_and_kept(model_folder: Path) -> None:
    if missing("openvino"):
        pytest.skip("openvino not installed")
    said: list[str] = []
    for _ in range(2):
        Annotator.load(model_folder, engine="openvino:fp32", say=said.append)
    assert len(said) == 1 and "converting the model for openvino, once" in said[0]


@pytest.mark.parametrize("kind", INTERFACES)
def test_graphs_compute_what_the_decoder_does(kind: str) -> None:
    from semreg.model.cnn_rnn import CnnRnn
    from semreg.model.decoder import Decoder
    from semreg.model.interfaces import Encoding
    from semreg.model.trunks import build_trunk

    torch.manual_seed(0)
    interface = INTERFACES[kind](5 if kind == "semantic" else 1280, 6, 7, True)
    model = CnnRnn(build_trunk("lite0", folded=True), 5, {"tags": Decoder(interface, 9, 6, 7)}).eval()
    graphs = {graph.name: graph for graph in graphs_of(model, mirror=True, size=32)}
    pictures = check_pictures(32, 3)
    with torch.no_grad():
        features, logits = graphs["look"].module(pictures)
        expected = model.encode(pictures, mirror=True)
        torch.testing.assert_close(logits, expected.logits)
        encoding = Encoding(features, logits, logits.sigmoid())
        begin, step = graphs["begin-tags"], graphs["step-tags"]
        hidden, cell, *told = begin.module(getattr(encoding, begin.inputs[0]))
        owner, state = torch.arange(3), model.decoder("tags").begin(encoding)
        for token in torch.tensor([[1, 1, 1], [4, 5, 6]]):
            found, hidden, cell = step.module(token, owner, hidden, cell, *told)
            wanted, state = model.decoder("tags").step(token, state)
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_bfloat16_stays_near_and_is_called_so(plain: Annotator) -> None:
    engine = TorchEngine(plain.model, precision="bf16")
    assert engine.name == "torch:bf16"
    found = parity(engine, plain.engine, ("tags", "caption"), check_pictures(48))
    assert 0 < found.concepts < 0.1 and found.within("bf16")


def test_parity_of_an_engine_with_itself_is_none(plain: Annotator) -> None:
    found = parity(plain.engine, plain.engine, ("tags", "caption"), check_pictures(48))
    assert found.json() == {"concepts": 0, "concepts_mean": 0, "words": 0} and found.within("fp32")


@pytest.mark.parametrize("name", ["tensorrt", "torch:int4", "onnx:bf16", "", "auto:fp32"])
def test_engines_that_do_not_exist_are_refused_by_name(name: str) -> None:
    with pytest.raises(SemregError, match=r"engine must be one of auto, torch\[:fp32\|bf16\|compile\]"):
        split_name(name)


def test_a_missing_package_is_named(plain: Annotator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    with pytest.raises(SemregError, match="pip install openvino"):
        export_model(plain, "openvino", tmp_path)


def test_int8_wants_pictures(plain: Annotator, tmp_path: Path) -> None:
    with pytest.raises(SemregError, match="add --calibrate FOLDER"):
        export_model(plain, "onnx", tmp_path, int8=True)
