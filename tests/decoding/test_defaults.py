"""How tags and captions are searched for by default."""

from __future__ import annotations

import pytest
from tiny_decoder import NEVER, STOP, TOKENS, seen, tiny_decoder

from semreg.decoding import Search, beam_search, search_for
from semreg.errors import SemregError


def said(search: Search) -> list[list[int]]:
    found = beam_search(tiny_decoder(), seen(6), search, **TOKENS)
    return [tokens for sequences in found.lists() for tokens in sequences]


def test_tags_never_repeat_a_label() -> None:
    sequences = said(search_for("tags", max_length=8, never=NEVER, min_length=4))
    assert all(len(set(tokens)) == len(tokens) for tokens in sequences)


def test_captions_may_repeat_a_word_but_not_three_in_a_row() -> None:
    sequences = said(search_for("caption", max_length=12, never=NEVER, min_length=12))
    assert any(len(set(tokens)) < len(tokens) for tokens in sequences)
    for tokens in sequences:
        threes = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
        assert len(set(threes)) == len(threes)


def test_the_rule_on_repeated_words_can_be_switched_off() -> None:
    rules = search_for("caption", max_length=12, never=NEVER, no_repeat_ngram=0).constraints
    assert rules.no_repeat_ngram == 0 and not rules.no_repeat


def test_tags_are_ranked_by_probability_captions_by_its_mean_over_the_tokens() -> None:
    assert search_for("tags", max_length=8, never=NEVER).length_penalty == 0
    assert search_for("caption", max_length=8, never=NEVER).length_penalty == 1


@pytest.mark.parametrize("form", ["tags", "caption"])
def test_what_is_asked_for_is_what_is_searched(form: str) -> None:
    search = search_for(form, max_length=8, never=NEVER, beams=5, n_best=2, min_length=3)
    assert (search.beams, search.n_best) == (5, 2)
    assert (search.constraints.min_length, search.constraints.max_length) == (3, 8)
    assert search.constraints.forbidden == NEVER
    for tokens in said(search):
        assert 3 <= len(tokens) <= 8
        assert not {*NEVER, STOP} & set(tokens)


def test_more_sequences_than_beams_are_refused() -> None:
    with pytest.raises(SemregError, match=r"n_best must lie in 1\.\.3"):
        search_for("tags", max_length=8, never=NEVER, n_best=4)
