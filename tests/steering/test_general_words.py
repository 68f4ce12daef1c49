"""Captions that do not guess: a model with general words, as its users meet it."""

from __future__ import annotations

from pathlib import Path

import pytest

import semreg
from semreg import Annotation, Annotator, Options, SemregError
from semreg.data.records import read_records
from semreg.model_config import GeneralConfig, KindConfig
from semreg.model_folder import load_model
from semreg.training.preparation import prepare_data, split_records
from semreg.training.recipe import load_recipe


def annotator_with(model_folder: Path, share: float) -> Annotator:
    """The tiny model, which says "square" for a colour that it is not sure of; beside red it knows blue."""
    model, config = load_model(model_folder)
    kinds = tuple(KindConfig(concepts=(colour,), words={colour: "square"}) for colour in ("red", "blue"))
    general = GeneralConfig(share=share, kinds=kinds)
    return Annotator(model, config.model_copy(update={"general": (general,)}), semreg.load(model_folder).name)


@pytest.fixture(scope="module")
def plain(model_folder: Path) -> Annotator:
    return semreg.load(model_folder)


@pytest.fixture(scope="module")
def circles(plain: Annotator, data: Path) -> list[Annotation]:
    """What the model says of red and blue circles."""
    found = plain.annotate(sorted(data.glob("*.jpg")))
    circles = [a for a in found if {"red", "blue"} & set(words(a)) and "square" not in words(a)]
    assert len(circles) > 2
    return circles


def words(annotation: Annotation) -> list[str]:
    assert annotation.caption is not None
    return annotation.caption.text.split()


def test_a_caption_says_the_general_word_where_the_other_is_not_sure(
    plain: Annotator, model_folder: Path, circles: list[Annotation]
) -> None:
    wary = annotator_with(model_folder, 1.0)
    for annotation in circles:
        told, before = wary.steer(annotation), plain.steer(annotation)
        assert words(told) == ["square" if word in ("red", "blue") else word for word in words(annotation)]
        assert told.tags == before.tags and told.concepts == before.concepts  # they have their scores beside them
        assert told.caption and before.caption and told.caption.score < before.caption.score


def test_a_share_of_0_leaves_every_word(model_folder: Path, circles: list[Annotation]) -> None:
    bold = annotator_with(model_folder, 0.0)
    assert [words(bold.steer(annotation)) for annotation in circles] == [words(a) for a in circles]


def test_what_a_person_says_is_sure(model_folder: Path, circles: list[Annotation]) -> None:
    wary = annotator_with(model_folder, 0.999)
    for annotation in circles:
        colour = "red" if "red" in words(annotation) else "blue"
        assert colour in words(wary.steer(annotation, {colour: 1.0}))
        assert colour in words(wary.steer(annotation, must=[colour]))


def test_a_general_word_that_must_not_be_said_is_not(model_folder: Path, circles: list[Annotation]) -> None:
    wary = annotator_with(model_folder, 1.0)
    for annotation in circles:
        assert "square" not in words(wary.steer(annotation, never=["square"]))


def test_a_concept_layer_that_nobody_taught_is_not_asked(model_folder: Path, circles: list[Annotation]) -> None:
    wary = annotator_with(model_folder, 1.0)
    untaught = wary.config.model_copy(update={"supervised": False})
    paths = [annotation.file_name or "" for annotation in circles]
    told = Annotator(wary.model, untaught, wary.name).annotate(paths)
    assert [words(annotation) for annotation in told] == [words(annotation) for annotation in circles]


def test_of_several_captions_none_comes_twice(model_folder: Path, circles: list[Annotation]) -> None:
    wary = annotator_with(model_folder, 1.0)
    for annotation in circles:
        texts = [caption.text for caption in wary.steer(annotation, options=Options(beams=6, n_best=6)).captions]
        assert len(set(texts)) == len(texts) > 1


def test_a_word_that_the_model_does_not_have_is_named(model_folder: Path) -> None:
    model, config = load_model(model_folder)
    kinds = tuple(KindConfig(concepts=("red",), words={"red": word}) for word in ("paper", "colourful"))
    config = config.model_copy(update={"general": (GeneralConfig(share=0.8, kinds=kinds),)})
    with pytest.raises(SemregError, match="general names 'colourful', which tiny does not have"):
        Annotator(model, config, "tiny@0")


@pytest.mark.parametrize(
    ("words_", "known"),
    [
        ("{red: paper, crimson: paper}, {blue: paper, green: teal}", [{"red": "paper"}, {"blue": "paper"}]),
        ("{red: paper}, {purple: paper}", None),
    ],
)
def test_a_recipe_keeps_what_the_data_has(recipe_file: Path, words_: str, known: list[dict[str, str]] | None) -> None:
    first, second = words_.split(", {")
    kinds = f"[{{concepts: [red, crimson], words: {first}}}, {{concepts: [blue], words: {{{second}}}]"
    recipe = load_recipe(recipe_file, [f"captions.general={{share: 0.7, kinds: {kinds}}}"])
    config, _, _ = prepare_data(recipe, *split_records(read_records(recipe.data.folder), recipe))
    if known is None:
        assert config.general == ()
    else:
        (group,) = config.general
        assert group.share == 0.7
        assert [kind.words for kind in group.kinds] == known
        assert [kind.concepts for kind in group.kinds] == [("red",), ("blue",)]
