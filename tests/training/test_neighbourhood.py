"""What a model remembers of its training pictures: in a run, in use, exported, steered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from stopping import stop

from semreg.annotator import Annotator
from semreg.data.records import read_records
from semreg.errors import SemregError
from semreg.evaluate import evaluate
from semreg.options import Options
from semreg.training import run
from semreg.training.preparation import split_records
from semreg.training.recipe import Recipe, load_recipe

TAUGHT = "{kind: concepts, epochs: 1, batch: 4, freeze: 9, keep: last}"
TOLD = "{kind: relations, epochs: 2, keep: last}"


def recipe_of(recipe_file: Path, *changes: str) -> Recipe:
    stages = f"stages=[{TAUGHT}, {TOLD}]"
    return load_recipe(
        recipe_file, [stages, "data.test=null", "neighbours={size: 6, temperature: 0.1, strangers: 3}", *changes]
    )


@pytest.fixture(scope="module")
def whole(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("neighbours") / "run"
    run.train(recipe_of(recipe_file, "neighbours.share=0.5"), folder)
    return folder


def events(folder: Path, kind: str) -> list[dict[str, object]]:
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def test_the_model_remembers_its_training_pictures(whole: Path, data: Path) -> None:
    annotator = Annotator.load(whole / "model")
    neighbours = annotator.model.neighbours
    assert neighbours is not None and annotator.config.neighbours is not None
    train = [record for record in read_records(data) if record.split == "train"]
    (event,) = events(whole, "neighbours")
    count = annotator.config.neighbours.pictures
    assert event["pictures"] == count <= len(train) and len(neighbours.keys) == count + 3
    assert not neighbours.labels[count:].any()
    assert float(neighbours.share) == event["share"] == 0.5
    vocabulary = annotator.config.concept_vocabulary()
    told = [set(vocabulary.find(record.tags, record.captions)) for record in train]
    remembered = [set(row.nonzero()[:, 0].tolist()) for row in neighbours.labels[:count]]
    assert all(concepts in told for concepts in remembered)


@torch.inference_mode()
def test_what_it_says_of_a_picture_is_layer_and_neighbours_together(whole: Path, data: Path) -> None:
    annotator = Annotator.load(whole / "model")
    model = annotator.model
    (batch,) = annotator.read(sorted(data.glob("*.jpg"))[:4], 4)
    seen = annotator.encode(batch.pictures)
    assert model.neighbours is not None
    torch.testing.assert_close(seen.logits, model.semantic(seen.features) + model.neighbours(seen.features))
    assert (seen.logits - model.semantic(seen.features)).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
@pytest.mark.parametrize("with_model", [True, False])
def test_exported_it_says_the_same(whole: Path, data: Path, tmp_path: Path, kind: str, with_model: bool) -> None:
    pytest.importorskip("openvino" if kind == "openvino" else "onnxscript")
    from semreg.runtime.exported import open_export, write_graphs

    annotator = Annotator.load(whole / "model")
    (batch,) = annotator.read(sorted(data.glob("*.jpg"))[:3], 3)
    manifest = write_graphs(annotator.model, annotator.config, "name@0", kind, tmp_path)
    engine = open_export(manifest, tmp_path, "fp32", annotator.model if with_model else None)
    expected = annotator.encode(batch.pictures)
    torch.testing.assert_close(engine.encode(batch.pictures).logits, expected.logits, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("looks", [1, 4, 6])  # while the CNN learns, as the decoders begin, and within them
def test_a_stopped_run_goes_on_to_the_same_bits(
    recipe_file: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    stop(recipe_of(recipe_file, "neighbours.share=0.5"), tmp_path / "run", looks, monkeypatch)
    run.resume(tmp_path / "run")
    first, second = (load_file(folder / "model" / "model.safetensors") for folder in (whole, tmp_path / "run"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_their_share_is_chosen_on_held_out_pictures_and_kept_for_a_run_on_all(
    recipe_file: Path, tmp_path: Path
) -> None:
    run.train(recipe_of(recipe_file, "data.refit=true"), tmp_path / "run")
    (chosen,), (kept,) = events(tmp_path / "run" / "first", "neighbours"), events(tmp_path / "run", "neighbours")
    assert chosen["alone"] is not None and kept["alone"] is None
    assert chosen["metric"] >= chosen["alone"]  # type: ignore[operator]
    assert kept["share"] == chosen["share"]
    assert kept["pictures"] > chosen["pictures"]  # type: ignore[operator]


def test_validation_pictures_join_when_they_have_chosen(recipe_file: Path, whole: Path, tmp_path: Path) -> None:
    run.train(recipe_of(recipe_file, "neighbours.share=0.5", "neighbours.refit=true"), tmp_path / "run")
    before, after = Annotator.load(whole / "model"), Annotator.load(tmp_path / "run" / "model")
    assert before.config.neighbours is not None and after.config.neighbours is not None
    assert before.model.neighbours is not None and after.model.neighbours is not None
    more = after.config.neighbours.pictures - before.config.neighbours.pictures
    assert more > 0 and len(after.model.neighbours.keys) == len(before.model.neighbours.keys) + more
    assert torch.equal(after.model.neighbours.keys[:-more], before.model.neighbours.keys)
    assert after.config.tag_score == before.config.tag_score  # chosen while they were held out


def test_while_the_cnn_goes_on_learning_there_are_no_neighbours(recipe_file: Path) -> None:
    joint = "stages=[{kind: relations, epochs: 1}, {kind: joint, epochs: 1}]"
    with pytest.raises(SemregError, match=r"stages.1 teaches it when decoders learn from it already"):
        recipe_of(recipe_file, joint)
    back = f"stages=[{TAUGHT}, {TOLD}, {TAUGHT}]"
    with pytest.raises(SemregError, match=r"stages.2 teaches it when decoders learn from it already"):
        recipe_of(recipe_file, back)


@pytest.fixture(scope="module")
def judged(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Annotator:
    """A model whose captions are judged by those of the training pictures."""
    folder = tmp_path_factory.mktemp("consensus") / "run"
    stages = f"stages=[{TAUGHT}, {{kind: relations, epochs: 40, batch: 4, learning_rate: 0.005}}]"
    recipe = recipe_of(recipe_file, stages, "consensus={size: 4, neighbours: 3, weight: 10}", "beams=4")
    return Annotator.load(run.train(recipe, folder))


def test_the_caption_is_taken_that_the_neighbours_agree_with(judged: Annotator, data: Path) -> None:
    assert judged.config.consensus is not None and judged.model.consensus is not None
    (batch,) = judged.read(sorted(data.glob("*.jpg"))[:8], 8)
    seen = judged.encode(batch.pictures)
    plain = Annotator(judged.model, judged.config.model_copy(update={"consensus": None}), judged.name)
    several = plain.predict(seen, Options(n_best=4)).captions
    chosen = judged.predict(seen, Options(n_best=4)).captions
    assert several is not None and chosen is not None
    value = several.scores + 10 * judged.model.consensus(seen.concepts, several.tokens) - 1e6 * ~several.ended
    order = value.sort(dim=1, descending=True, stable=True).indices
    expected = several.tokens.gather(1, order[..., None].expand_as(several.tokens))
    assert torch.equal(chosen.tokens, expected)
    assert not torch.equal(chosen.tokens[:, 0], several.tokens[:, 0])
    one = judged.predict(seen, Options(n_best=1)).captions
    assert one is not None and torch.equal(one.tokens[:, 0], chosen.tokens[:, 0])


def test_words_that_must_and_must_not_be_said_hold_all_the_same(judged: Annotator, data: Path) -> None:
    pictures = sorted(data.glob("*.jpg"))[:6]
    for annotation in judged.annotate(pictures, Options(must=("red",), never=("blue",))):
        assert annotation.caption is not None
        assert "red" in annotation.caption.text.split() and "blue" not in annotation.caption.text.split()


def test_corrected_concepts_choose_other_neighbours(judged: Annotator, data: Path) -> None:
    (annotation,) = judged.annotate(sorted(data.glob("*.jpg"))[:1])
    steered = judged.steer(annotation, dict.fromkeys(judged.concepts, 0.0))
    again = judged.steer(annotation, {})
    assert again.caption == annotation.caption  # the same concepts, the same caption, without the picture
    assert steered.caption is not None


def test_how_much_they_count_is_chosen_on_the_validation_pictures(recipe_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run.train(recipe_of(recipe_file, "consensus={size: 4, neighbours: 3}", "data.refit=true"), folder)
    (event,) = events(folder / "first", "consensus")
    assert event["metric"] >= event["alone"]  # type: ignore[operator]
    for model in (folder / "first" / "model", folder / "model"):
        consensus = Annotator.load(model).config.consensus
        assert consensus is not None and consensus.weight == event["weight"]


def test_the_metric_of_the_weight_is_that_of_the_captions_as_they_are_chosen(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semreg.data.implied.MINIMUM", 3)  # there are few pictures
    monkeypatch.setattr("semreg.data.implied.SLACK", 0.9)
    stages = f"stages=[{TAUGHT}, {{kind: relations, epochs: 20, batch: 4, learning_rate: 0.01, forms: [caption]}}]"
    chosen = ("consensus={size: 4, neighbours: 3}", "grounding={named: 0.5}", "captions.candidates=8", "beams=2")
    recipe = recipe_of(recipe_file, stages, "forms=[caption]", "data.validation=0.5", *chosen)
    annotator = Annotator.load(run.train(recipe, tmp_path / "run"))
    (event,) = events(tmp_path / "run", "consensus")
    _, held_out = split_records(read_records(recipe.data.folder), recipe)
    own = evaluate(annotator, held_out)
    assert (own["beams"], own["candidates"]) == (2, 8)
    assert own["captions"]["CIDEr-D"] == pytest.approx(event["metric"], abs=1e-6)
    assert annotator.config.grounding is not None and annotator.config.grounding.implied
    alone = annotator.config.model_copy(update={"consensus": None, "grounding": None, "candidates": None})
    assert evaluate(Annotator(annotator.model, alone, "alone@0"), held_out)["captions"] != own["captions"]


def test_without_captions_there_is_no_consensus(recipe_file: Path) -> None:
    with pytest.raises(SemregError, match="consensus judges captions, forms names none"):
        recipe_of(recipe_file, "consensus={}", "forms=[tags]")
    with pytest.raises(SemregError, match="grounding judges captions, forms names none"):
        recipe_of(recipe_file, "grounding={}", "forms=[tags]")
