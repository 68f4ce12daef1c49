"""What people say counts: concepts that they set, words that they demand or forbid, tags that they give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import semreg
from semreg import Annotation, Annotator, Concept, Options, SemregError
from semreg.steering import switch
from semreg.steering.reasons import without_each

COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def annotator(model_folder: Path) -> Annotator:
    return semreg.load(model_folder)


@pytest.fixture(scope="module")
def annotations(annotator: Annotator, data: Path) -> list[Annotation]:
    return list(annotator.annotate(sorted(data.glob("*.jpg"))))


def text(annotation: Annotation) -> str:
    assert annotation.caption is not None
    return annotation.caption.text


def labels(annotation: Annotation) -> list[str]:
    return [tag.label for tag in annotation.tags]


def test_nothing_set_is_what_the_picture_gave_also_after_json(
    annotator: Annotator, annotations: list[Annotation]
) -> None:
    for annotation in annotations:
        same = annotator.steer(annotation)
        assert same.concepts == annotation.concepts and same.steered == ()
        assert text(same) == text(annotation) and labels(same) == labels(annotation)
        assert [t.score for t in same.tags] == pytest.approx([t.score for t in annotation.tags], abs=1e-5)
        read = annotator.steer(Annotation.from_json(annotation.to_json(all_concepts=True)))
        assert text(read) == text(annotation) and labels(read) == labels(annotation)
    assert "concept_scores" not in annotations[0].to_dict()


def test_what_was_set_weighs_as_much_after_a_json_without_all_concepts(
    annotator: Annotator, annotations: list[Annotation]
) -> None:
    on = annotator.steer(annotations[0], {"red": 1.0, "blue": 0.25})
    read = Annotation.from_json(on.to_json())
    told = switch(read, {}, annotator.config, annotator.name).told(2.0)
    red, blue = map(annotator.concepts.index, ("red", "blue"))
    assert told[red] == pytest.approx(2.0, abs=1e-3)
    again = annotator.steer(read)
    assert again.steered == on.steered
    assert Concept("blue", pytest.approx(0.25)) in again.concepts  # type: ignore[arg-type]
    assert annotator.config.scale().shown(told.clamp(max=1))[blue] >= 0.25 - 1e-3


def test_a_colour_that_is_switched_is_told(annotator: Annotator, annotations: list[Annotation]) -> None:
    changed = 0
    for annotation in annotations:
        old = next((c for c in COLOURS if c in text(annotation).split()), None)
        if old is None:
            continue
        new = next(c for c in COLOURS if c != old)
        told = annotator.steer(annotation, {old: 0.0, new: 1.0})
        assert old not in text(told).split() and old not in labels(told)
        assert new in labels(told)
        assert {c.concept: c.score for c in told.steered} == {old: 0.0, new: 1.0}
        assert told.concept_scores == annotation.concept_scores
        assert Concept(new, 1.0) in told.concepts and old not in [c.concept for c in told.concepts]
        changed += new in text(told).split()
    assert changed > len(annotations) / 2


def test_what_was_set_stays_set_until_it_is_taken_back(annotator: Annotator, annotations: list[Annotation]) -> None:
    first = annotator.steer(annotations[0], {"red": 1.0})
    both = annotator.steer(first, {"circle": 0.0})
    assert both == annotator.steer(annotations[0], {"red": 1.0, "circle": 0.0})
    assert annotator.steer(both, {"circle": None}) == first
    assert Annotation.from_json(first.to_json(True)).steered == first.steered


def test_many_at_once_are_as_one_by_one(annotator: Annotator, annotations: list[Annotation]) -> None:
    changes = [{COLOURS[i % 3]: 1.0} for i in range(len(annotations))]
    for rules in (Options(), Options(must=("square",), never=("on",))):
        many = annotator.steer_many(annotations, changes, rules)
        single = [
            annotator.steer(each, change, options=rules) for each, change in zip(annotations, changes, strict=True)
        ]
        assert [(text(a), labels(a)) for a in many] == [(text(a), labels(a)) for a in single]


@pytest.mark.parametrize("beams", [1, 3])
def test_words_hold_for_certain(annotator: Annotator, annotations: list[Annotation], data: Path, beams: int) -> None:
    options = Options(beams=beams, must=("green", "square"), never=("a",), max_tags=1)
    told = list(annotator.annotate(sorted(data.glob("*.jpg")), options))
    for annotation in told:
        words = text(annotation).split()
        assert {"green", "square"} <= set(words) and "a" not in words
        assert {"green", "square"} <= set(labels(annotation))
    forbidden = annotator.steer(annotations[0], never=[*COLOURS, "circle"])
    assert not {*COLOURS, "circle"} & {*text(forbidden).split(), *labels(forbidden)}


def test_given_tags_are_told_for_certain(annotator: Annotator, annotations: list[Annotation], data: Path) -> None:
    told = annotator.complete(annotations[0], ["blue", "square"])
    assert {tag.label: tag.score for tag in told.tags if tag.label in ("blue", "square")} == {"blue": 1, "square": 1}
    assert labels(annotator.complete(sorted(data.glob("*.jpg"))[0], ["blue", "square"])) == labels(told)


def test_an_explanation_says_what_leaving_a_concept_out_changes(
    annotator: Annotator, annotations: list[Annotation]
) -> None:
    annotation = next(a for a in annotations if set(COLOURS) & set(text(a).split()))
    reasons = annotator.explain(annotation)
    words = text(annotation).split()
    colour = next(word for word in reasons.words if word.word in COLOURS)
    assert words[colour.position] == colour.word == colour.concept
    first = colour.influences[0]
    decoder = annotator.model.decoder("caption")
    place = annotator.concepts.index(first.concept)
    encoding = without_each(torch.tensor(annotation.concept_scores), decoder)
    assert encoding.concepts[place + 1, place] == decoder.interface.standardise.mean[place]
    assert (encoding.concepts[place + 1] != encoding.concepts[0]).sum() == 1
    vocabulary = annotator.config.vocabulary("caption")
    tokens = torch.tensor([[1, *(vocabulary.token(word) for word in words)]])
    with torch.inference_mode():
        told = decoder(encoding, tokens.expand(len(encoding.concepts), -1)).log_softmax(-1)
    step = told[:, colour.position, vocabulary.token(colour.word)]
    assert first.effect == pytest.approx(float(step[0] - step[place + 1]), abs=1e-4)
    assert reasons.to_dict()["words"][0]["word"] in str(reasons)
    for each in reasons.overruled:
        assert each.told == (each.label in labels(annotation)) == (each.seen < each.threshold)


@pytest.mark.parametrize(
    ("concepts", "rules", "sentence"),
    [
        ({"rad": 1.0}, {}, "has no concept 'rad': did you mean 'red'"),
        ({"red": 1.5}, {}, r"'red' must be set to a number in 0\.\.1, is 1\.5"),
        ({}, {"must": ["sqare"]}, "does not know the word 'sqare': did you mean 'square'"),
        ({}, {"must": ["red"], "never": ["red"]}, "'red' must be said and must not"),
    ],
)
def test_what_cannot_be_is_refused(
    annotator: Annotator,
    annotations: list[Annotation],
    concepts: dict[str, float],
    rules: dict[str, list[str]],
    sentence: str,
) -> None:
    with pytest.raises(SemregError, match=sentence):
        annotator.steer(annotations[0], concepts, **rules)


def test_what_cannot_be_steered_is_refused(annotator: Annotator, annotations: list[Annotation]) -> None:
    annotation = annotations[0]
    for other, sentence in (
        (replace(annotation, model="other@12345678"), "is by other@12345678, this is"),
        (replace(annotation, concept_scores=(), concepts=()), "lists no concepts"),
        (Annotation.failed("a.jpg", "a.jpg is empty", annotator.name), "a.jpg is empty"),
    ):
        with pytest.raises(SemregError, match=sentence):
            annotator.steer(other)
    decoders = {
        form: each.model_copy(update={"interface": "state"}) for form, each in annotator.config.decoders.items()
    }
    for changes, sentence in (({"supervised": False}, "never taught"), ({"decoders": decoders}, "state interface")):
        config, annotator.config = annotator.config, annotator.config.model_copy(update=changes)
        try:
            with pytest.raises(SemregError, match=sentence):
                annotator.steer(annotation)
        finally:
            annotator.config = config
    with pytest.raises(SemregError, match="has no tag 'reds': did you mean 'red'"):
        annotator.complete(annotation, ["reds"])
