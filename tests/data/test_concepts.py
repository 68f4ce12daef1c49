"""Which concepts a data set has, and which of them a picture's tags and captions name."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semreg.data.concepts import Concepts, concept_vocabulary, function_words
from semreg.data.vocabulary import words_of
from semreg.errors import SemregError

TAGS = [("dog",), ("dog", "stop sign"), ("cat",), ()]
CAPTIONS = [
    ("A dog is running on the grass", "dogs running"),
    ("Two dogs run by a stop sign", "a dog on grass near two stop signs"),
    ("the cat runs in green grass", "a cat is running"),
    ("a bicycle without anybody", "two bicycles"),
]


def choose(**settings):
    return concept_vocabulary(TAGS, CAPTIONS, **{"minimum": 1, **settings})


def test_labels_captions_and_both():
    labels, captions, both = (choose(source=source) for source in ("labels", "captions", "both"))
    assert labels.names == ("cat", "dog", "stop sign")
    assert {"dog", "cat", "grass", "running", "bicycle"} <= set(captions.names) and "stop sign" not in captions.names
    assert both.names[: len(labels)] == labels.names
    assert {"grass", "running", "bicycle"} <= set(both.names)
    assert len(set(both.names)) == len(both)


@pytest.mark.parametrize("source", ["labels", "captions", "both"])
def test_the_order_of_the_pictures_plays_no_part(source):
    order = [2, 0, 3, 1]
    mixed = concept_vocabulary([TAGS[i] for i in order], [CAPTIONS[i] for i in order], source=source, minimum=1)
    assert (mixed.names, mixed.forms) == (choose(source=source).names, choose(source=source).forms)


def test_plurals_and_other_forms_of_a_verb_are_one_concept():
    concepts = choose()
    assert {"dogs", "bicycles", "run", "runs"} & set(concepts.names) == set()
    for forms in (("dog", "dogs"), ("bicycle", "bicycles"), ("running", "run", "runs")):
        found = {tuple(concepts.find((), [word])) for word in forms}
        assert len(found) == 1 and found != {()}, forms


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("berry", "berries"),
        ("bus", "buses"),
        ("box", "boxes"),
        ("man", "men"),
        ("child", "children"),
        ("horse", "horses"),
    ],
)
def test_plurals_of_every_make(one, many):
    concepts = concept_vocabulary([(), ()], [(f"brown {one} {one}",), (f"{one} {many}",)], minimum=1)
    assert one in concepts.names and many not in concepts.names
    assert concepts.find((), [many]) == concepts.find((), [one]) != []


@pytest.mark.parametrize("word", ["grass", "bus", "tennis", "lens"])
def test_a_word_that_only_looks_like_a_plural_stays_itself(word):
    assert word in concept_vocabulary([()], [(f"{word} zebra",)], minimum=1).names


def test_a_verb_keeps_the_form_that_is_most_usual():
    rows = [("a park bench",), ("the park",), ("parking cars",)]
    concepts = concept_vocabulary([()] * 3, rows, minimum=1)
    assert {"park", "parking"} <= set(concepts.names)


def test_labels_of_several_words_are_found_in_captions_in_the_plural_too():
    concepts = choose()
    sign = concepts.index["stop sign"]
    for text in ("a stop sign", "two STOP SIGNS.", "stop sign stop signs"):
        assert concepts.find((), [text]) == [sign], text
    for text in ("a sign to stop", "stop"):
        assert sign not in concepts.find((), [text])


def test_the_longest_phrase_wins():
    concepts = Concepts(["hot dog", "hot dog stand", "dog"])
    assert concepts.find((), ["a hot dog stand"]) == [1]
    assert concepts.find((), ["a dog with a hot dog"]) == [0, 2]


@given(st.permutations(["dog", "stop sign", "grass", "running", "unicorn"]), st.integers(0, 5))
def test_every_source_adds_to_what_is_found(words, cut):
    concepts = choose()
    tags, captions = words[:cut], [" ".join(words[cut:])]
    both = concepts.find(tags, captions)
    assert both == sorted({*concepts.find(tags, ()), *concepts.find((), captions)})


def test_words_and_tokens_name_the_same_concepts():
    concepts = choose()
    words = sorted({word for row in CAPTIONS for text in row for word in words_of(text)} | {"stop sign"})
    for word, concept in zip(words, concepts.of_token(words), strict=True):
        assert concepts.find((), [word]) == ([] if concept < 0 else [concept]), word
    assert concepts.of_token(concepts.names) == list(range(len(concepts)))


def test_a_label_stays_its_own_concept_though_it_be_a_plural():
    concepts = concept_vocabulary([("dogs",), ("dog",)], [("two dogs",), ("a dog dog",)], minimum=1)
    assert concepts.find((), ["dogs"]) == [concepts.index["dogs"]]
    assert concepts.find((), ["dog"]) == [concepts.index["dog"]]


def test_function_words_numbers_and_single_letters_are_no_concepts():
    everything = " ".join(sorted(function_words())) + " zebra 42 2nd x"
    concepts = concept_vocabulary([()], [(everything,)], minimum=1)
    assert concepts.names == ("zebra",)


def test_a_label_that_is_a_function_word_is_a_concept_all_the_same():
    assert concept_vocabulary([("background",)], [("the background",)], minimum=1).names == ("background",)


def test_excluded_words_are_no_concepts_but_labels_stay():
    concepts = choose(exclude=["grass", "dog"])
    assert "grass" not in concepts.names and "dog" in concepts.names
    assert set(choose().names) - set(concepts.names) == {"grass"}


def test_function_words_that_are_asked_for_are_concepts_in_all_their_forms():
    captions = [("two dogs", "a group of dogs"), ("groups of cats",)]
    concepts = concept_vocabulary([()] * 2, captions, minimum=1, include=["two", "group", "nine"])
    assert set(concepts.names) == {"two", "group", "dogs", "cats"}  # "nine" is in no caption
    assert concepts.find((), ["groups of cats"]) == sorted(concepts.index[name] for name in ("group", "cats"))


def test_a_word_that_is_asked_for_needs_as_many_pictures_as_others_and_can_be_excluded():
    rows = [("two dogs",), ("two dogs",), ("three dogs",)]
    assert concept_vocabulary([()] * 3, rows, minimum=2, include=["two", "three"]).names == ("dogs", "two")
    assert concept_vocabulary([()] * 3, rows, minimum=2, include=["two"], exclude=["two"]).names == ("dogs",)


def test_size_keeps_the_most_frequent_caption_words_and_all_labels():
    by_size = [choose(size=size).names for size in range(1, 6)]
    for smaller, larger in itertools.pairwise(by_size):
        assert larger[: len(smaller)] == smaller
    assert by_size[0] == ("cat", "dog", "stop sign", "grass")


def test_minimum_counts_pictures_not_words():
    rows = [("zebra zebra zebra", "zebra"), ("giraffe",), ("giraffe",)]
    assert concept_vocabulary([()] * 3, rows, minimum=2).names == ("giraffe",)


def test_rare_labels_are_taken_whatever_the_minimum():
    assert choose(minimum=100).names == ("cat", "dog", "stop sign")


@pytest.mark.parametrize("source", ["labels", "captions", "both"])
def test_nothing_to_name_is_answered_with_the_setting(source):
    with pytest.raises(SemregError, match=rf"no concept is left of source '{source}': lower concepts\.minimum"):
        concept_vocabulary([()], [("the of",)], source=source, minimum=1)


def test_a_name_twice_is_refused():
    with pytest.raises(SemregError, match="must not hold a name twice"):
        Concepts(["dog", "dog"])


def test_found_concepts_are_ascending_and_without_repetition():
    concepts = choose()
    names = list(concepts.names) * 2
    random.Random(0).shuffle(names)
    assert concepts.find(names, [" ".join(names)]) == list(range(len(concepts)))
