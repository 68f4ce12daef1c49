"""Words to tokens and back: nothing is lost but rare words, and special tokens never become text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semreg.data.vocabulary import (
    NEVER_PRODUCED,
    PADDING,
    SPECIAL,
    START,
    STOP,
    UNKNOWN,
    Vocabulary,
    word_vocabulary,
    words_of,
)
from semreg.errors import SemregError

CAPTIONS = ["A dog and a cat.", "The dog runs", "a cat, a cat!", "A dog's bone"]
vocabularies = st.lists(st.text(min_size=1), unique=True, max_size=20).map(Vocabulary)


@given(vocabularies, st.data())
def test_known_words_come_back_from_their_tokens(vocabulary, data):
    words = data.draw(st.lists(st.sampled_from(vocabulary.words))) if vocabulary.words else []
    path = vocabulary.path(words)
    assert (path[0], path[-1]) == (START, STOP)
    assert vocabulary.text(path) == words


@given(vocabularies)
def test_every_word_has_a_token_of_its_own_and_there_are_no_others(vocabulary):
    tokens = [vocabulary.token(word) for word in vocabulary.words]
    assert tokens == list(range(len(SPECIAL), len(vocabulary)))
    assert all(word in vocabulary for word in vocabulary.words)


def test_unknown_words_become_unk_and_are_left_out_of_text():
    vocabulary = Vocabulary(["dog", "cat"])
    path = vocabulary.path(["dog", "unicorn", "cat"])
    assert path[2] == UNKNOWN and "unicorn" not in vocabulary
    assert vocabulary.text([PADDING, *path, PADDING]) == ["dog", "cat"]


def test_what_is_never_produced_is_all_that_is_special_but_the_stop_token():
    assert sorted((*NEVER_PRODUCED, STOP)) == list(range(len(SPECIAL)))


@given(st.text())
def test_special_tokens_are_no_words_of_any_caption(text):
    assert not set(words_of(text + " <pad> <start> <stop> <unk>")) & set(SPECIAL)


def test_a_repeated_word_is_refused():
    with pytest.raises(SemregError, match="must not hold a word twice"):
        Vocabulary(["dog", "cat", "dog"])


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A dog, running.", ["a", "dog", "running"]),
        ("It's the dog’s stop-sign", ["it's", "the", "dog's", "stop-sign"]),
        ("'quoted' -- and -dashed- (bracketed)", ["quoted", "and", "dashed", "bracketed"]),
        ("two...three/four", ["two", "three", "four"]),
        ("Ein GROSSER Bär über 2 Bäumen", ["ein", "grosser", "bär", "über", "2", "bäumen"]),
        ("東京の 駅", ["東京の", "駅"]),
        ("dog\ncat\tcow\u00a0pig", ["dog", "cat", "cow", "pig"]),
        ("?! … ’", []),
        ("", []),
    ],
)
def test_words_of_a_caption(caption, words):
    assert words_of(caption) == words


@given(st.lists(st.from_regex(r"[a-z]+('[a-z]+)?", fullmatch=True)))
def test_words_that_were_split_stay_split(words):
    assert words_of(" ".join(words)) == words


def test_words_are_sorted_by_frequency_then_alphabet():
    assert word_vocabulary(CAPTIONS, 1).words == ("a", "cat", "dog", "and", "bone", "dog's", "runs", "the")


def test_the_order_of_the_captions_plays_no_part():
    mixed = list(CAPTIONS)
    random.Random(0).shuffle(mixed)
    assert mixed != CAPTIONS
    assert word_vocabulary(mixed, 1).words == word_vocabulary(CAPTIONS, 1).words


@pytest.mark.parametrize("minimum", [1, 2, 3, 5])
def test_words_that_occur_less_than_the_minimum_are_left_out_and_no_others(minimum):
    spoken = [word for text in CAPTIONS for word in words_of(text)]
    kept = word_vocabulary(CAPTIONS, minimum).words
    assert set(kept) == {word for word in spoken if spoken.count(word) >= minimum}


def test_a_minimum_that_leaves_nothing_is_answered_with_the_setting():
    with pytest.raises(SemregError, match=r"no word .* occurs 9 times or more: lower words\.minimum"):
        word_vocabulary(CAPTIONS, 9)
