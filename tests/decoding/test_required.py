"""Phrases that must be said: progress against a slow reading, and a search that always gets there."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_decoder import FIRST, NEVER, TOKENS, pick, seen, tiny_decoder

from semreg.decoding import Constraints, Search, beam_search, search_for
from semreg.decoding.required import Required

WORDS = st.integers(FIRST, FIRST + 4)
PHRASE = st.lists(WORDS, min_size=1, max_size=3).map(tuple)
THINGS = st.lists(st.lists(PHRASE, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3).map(tuple)


def holds(tokens: list[int], phrase: tuple[int, ...]) -> bool:
    return any(tuple(tokens[i : i + len(phrase)]) == phrase for i in range(len(tokens)))


def slowly(wanted: tuple[tuple[tuple[int, ...], ...], ...], tokens: list[int]) -> int:
    """`Required.remaining`, read aloud."""
    total, best = 0, 0
    for phrases in wanted:
        if any(holds(tokens, phrase) for phrase in phrases):
            continue
        least = min(map(len, phrases))
        begun = [
            len(phrase) - done
            for phrase in phrases
            for done in range(1, len(phrase))
            if tuple(tokens[-done:]) == phrase[:done] and len(tokens) >= done
        ]
        total += least
        best = max(best, least - min([least, *begun]))
    return total - best


@settings(max_examples=200, deadline=None)
@given(THINGS, st.lists(WORDS, max_size=6))
def test_what_remains_to_be_said_is_counted_as_one_would_by_hand(
    wanted: tuple[tuple[tuple[int, ...], ...], ...], tokens: list[int]
) -> None:
    history = torch.tensor([tokens, tokens], dtype=torch.long).view(2, len(tokens))
    assert Required(wanted).remaining(history).tolist() == [slowly(wanted, tokens)] * 2


@settings(max_examples=30, deadline=None)
@given(THINGS, st.integers(0, 20), st.integers(1, 3))
def test_a_search_says_all_that_it_must(wanted: tuple[tuple[tuple[int, ...], ...], ...], seed: int, beams: int) -> None:
    rules = Constraints(max_length=12, forbidden=NEVER, required=wanted)
    found = beam_search(
        tiny_decoder(words=5, seed=seed), seen(3, seed), Search(beams, beams, constraints=rules), **TOKENS
    )
    for sequences in found.lists():
        assert sequences
        for tokens in sequences:
            assert all(any(holds(tokens, phrase) for phrase in phrases) for phrases in wanted)


@pytest.mark.parametrize("form", ["tags", "caption"])
def test_one_picture_or_many_say_the_same_and_what_they_must(form: str) -> None:
    decoder, encoding = tiny_decoder(words=5), seen(7)
    rules = search_for(form, max_length=5, never=NEVER, required=(((FIRST + 1,), (FIRST + 2,)),), forbidden=((FIRST,),))
    many = beam_search(decoder, encoding, rules, **TOKENS).lists()
    assert many == [beam_search(decoder, pick(encoding, b), rules, **TOKENS).lists()[0] for b in range(7)]
    for (tokens,) in many:
        assert {FIRST + 1, FIRST + 2} & set(tokens) and FIRST not in tokens


def test_a_phrase_that_may_not_be_said_is_not_but_its_words_are() -> None:
    decoder, encoding = tiny_decoder(words=2, seed=3), seen(6)
    free = beam_search(decoder, encoding, Search(constraints=Constraints(max_length=6, forbidden=NEVER)), **TOKENS)
    pairs = {(a, b) for (tokens,) in free.lists() for a, b in itertools.pairwise(tokens)}
    banned = max(pairs)
    rules = Constraints(max_length=6, min_length=6, forbidden=NEVER, forbidden_phrases=(banned,))
    said = [tokens for (tokens,) in beam_search(decoder, encoding, Search(constraints=rules), **TOKENS).lists()]
    assert not any(holds(tokens, banned) for tokens in said)
    assert set(banned) <= {token for tokens in said for token in tokens}


def test_what_the_model_would_say_anyway_costs_nothing() -> None:
    decoder, encoding = tiny_decoder(words=5), seen(1)
    plain = beam_search(decoder, encoding, search_for("tags", max_length=5, never=NEVER, beams=5), **TOKENS)
    (tokens,) = plain.lists()[0]
    wanted = search_for("tags", max_length=5, never=NEVER, beams=5, required=(((tokens[-1],),),))
    assert beam_search(decoder, encoding, wanted, **TOKENS).scores[0, 0] >= plain.scores[0, 0] - 1e-5
