"""Grounded captions: a model that asks its concept layer of what it finds, as its users meet it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

import semreg
from semreg import Annotator, Caption, Options, SemregError
from semreg.data.records import read_records
from semreg.model_config import FORMAT, GeneralConfig, GroundingConfig, KindConfig
from semreg.model_folder import load_model, read_config, save_config
from semreg.steering import grounding_of
from semreg.training.preparation import prepare_data, split_records
from semreg.training.recipe import load_recipe

WIDE = Options(beams=8)


def annotator_with(model_folder: Path, **weights: float) -> Annotator:
    model, config = load_model(model_folder)
    implied = {name: (name,) for name in config.concepts}
    usual = (1 / len(config.concepts),) * len(config.concepts)
    grounding = GroundingConfig(named=0.0, labels=0.0, usual=usual, implied=implied).model_copy(update=weights)
    config = config.model_copy(update={"grounding": grounding})
    return Annotator(model, config, semreg.load(model_folder).name)


@pytest.mark.parametrize("weights", [{"named": 3.0}, {"labels": 3.0}])
def test_of_what_is_found_the_likeliest_is_taken_that_is_borne_out(
    model_folder: Path, data: Path, weights: dict[str, float]
) -> None:
    plain, grounded = semreg.load(model_folder), annotator_with(model_folder, **weights)
    chosen = grounded.config.grounding
    assert chosen is not None
    others = 0
    for annotation in plain.annotate(sorted(data.glob("*.jpg"))[:20], Options(beams=8, n_best=8)):
        shown = plain.config.scale().shown(torch.tensor(annotation.concept_scores)).tolist()
        seen = dict(zip(plain.concepts, shown, strict=True))

        def rank(caption: Caption, seen: dict[str, float] = seen) -> float:
            named = [name for name in caption.text.split() if name in seen]
            value = {name: min(max(seen[name], 1e-4), 1 - 1e-4) for name in named}
            odds = [math.log(v / (1 - v)) for v in value.values()]
            usual = math.log(chosen.usual[0] / (1 - chosen.usual[0]))
            missing = min([math.log(max(v, 5e-3)) for v in value.values()], default=0.0)
            again = len(named) - len(set(named))
            return (
                caption.score + chosen.named * sum(min(o - usual, 1.0) for o in odds) + chosen.labels * missing - again
            )

        best = max(annotation.captions, key=rank)
        told = grounded.steer(annotation, options=Options(beams=8)).caption
        assert told is not None and told.text == best.text
        others += told.text != annotation.captions[0].text
    assert others  # else the search alone would do


def test_weights_of_0_change_nothing(model_folder: Path, data: Path) -> None:
    paths = sorted(data.glob("*.jpg"))[:8]
    plain, grounded = semreg.load(model_folder), annotator_with(model_folder)
    assert [a.captions for a in grounded.annotate(paths, WIDE)] == [a.captions for a in plain.annotate(paths, WIDE)]


def test_the_score_of_a_caption_stays_its_own(model_folder: Path, data: Path) -> None:
    several = Options(beams=8, n_best=8)
    plain, grounded = semreg.load(model_folder), annotator_with(model_folder, named=5.0, labels=5.0)
    for path in sorted(data.glob("*.jpg"))[:6]:
        one, other = (next(iter(a.annotate([path], several))).captions for a in (plain, grounded))
        assert {caption.text: caption.score for caption in one} == {caption.text: caption.score for caption in other}


def test_a_concept_layer_that_nobody_taught_is_not_asked(model_folder: Path) -> None:
    config = annotator_with(model_folder, named=1.0).config
    assert grounding_of(config) is not None
    assert grounding_of(config.model_copy(update={"supervised": False})) is None
    assert grounding_of(config.model_copy(update={"grounding": None})) is None


def test_shares_that_do_not_fit_the_concepts_are_refused(model_folder: Path) -> None:
    model, config = load_model(model_folder)
    grounding = GroundingConfig(named=0.1, labels=0.5, usual=(0.5,), implied={})
    with pytest.raises(SemregError, match=f"a share for each of {len(config.concepts)} concepts, has 1"):
        Annotator(model, config.model_copy(update={"grounding": grounding}), "tiny@0")


def test_a_recipe_counts_how_usual_concepts_are_and_what_words_imply(
    recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semreg.data.implied.MINIMUM", 5)  # there are few pictures
    recipe = load_recipe(recipe_file, ["grounding={named: 0.2}"])
    train, validation = split_records(read_records(recipe.data.folder), recipe)
    config, examples, _ = prepare_data(recipe, train, validation)
    assert config.grounding is not None and (config.grounding.named, config.grounding.labels) == (0.2, 0.5)
    assert config.grounding.usual == pytest.approx(examples.truth.float().mean(0).tolist(), abs=1e-4)
    assert config.grounding.implied and set().union(*config.grounding.implied.values()) <= set(config.concepts)
    assert prepare_data(load_recipe(recipe_file), train, validation)[0].grounding is None


def test_a_model_of_format_3_has_one_group_of_general_words(model_folder: Path, tmp_path: Path) -> None:
    kinds = tuple(KindConfig(concepts=(colour,), words={colour: "square"}) for colour in ("red", "blue"))
    group = GeneralConfig(share=0.8, kinds=kinds)
    save_config(read_config(model_folder).model_copy(update={"general": (group,)}), tmp_path)
    path = tmp_path / "config.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    for general, known in ((fields["general"][0], (group,)), (None, ())):
        old = {key: value for key, value in fields.items() if key != "grounding"} | {"general": general, "format": 3}
        path.write_text(json.dumps(old), encoding="utf-8")
        assert read_config(tmp_path).general == known
    assert fields["format"] == FORMAT


def test_one_kind_alone_is_no_choice() -> None:
    with pytest.raises(ValueError, match="name two kinds, or two to omit"):
        GeneralConfig(share=0.5, omit=("red",))
    assert GeneralConfig(share=0.5, omit=("red", "blue")).sentence() == (
        "captions leave out red, blue unless 50 percent sure of the word"
    )
