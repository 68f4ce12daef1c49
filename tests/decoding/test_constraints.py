"""What may and must be said: the mask against a slow reading of the rules, and the rules against what is said."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_decoder import FIRST, NEVER, STOP, TOKENS, seen, tiny_decoder

from semreg.decoding import Constraints, Hypotheses, Search, beam_search, sample
from semreg.decoding.required import Alternatives
from semreg.errors import SemregError

WORDS = range(FIRST, FIRST + 5)
VOCABULARY = FIRST + 5


def single(tokens: Iterable[int]) -> tuple[Alternatives, ...]:
    """Each of the tokens is required."""
    return tuple(((token,),) for token in tokens)


def needed(rules: Constraints) -> set[int]:
    """The tokens that are required, where no phrase is."""
    return {token for ((token,),) in rules.required}


@st.composite
def rules(draw: st.DrawFn) -> Constraints:
    max_length = draw(st.integers(1, 6))
    prefix = draw(st.lists(st.sampled_from(WORDS), max_size=min(2, max_length), unique=True))
    required = draw(st.lists(st.sampled_from(WORDS), max_size=3))
    assume(len({*prefix, *required}) <= max_length)
    return Constraints(
        min_length=draw(st.integers(0, max_length)),
        max_length=max_length,
        forbidden=(*NEVER, *draw(st.sets(st.sampled_from(WORDS), max_size=2)) - {*prefix, *required}),
        prefix=tuple(prefix),
        required=single(required),
        no_repeat=draw(st.booleans()),
        no_repeat_ngram=draw(st.integers(0, 3)),
    )


def repeats_ngram(tokens: list[int], n: int) -> bool:
    ngrams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return len(set(ngrams)) < len(ngrams)


def allowed_next(rules: Constraints, history: list[int]) -> set[int]:
    """The rules read slowly, for one history."""
    length = len(history)
    if length < len(rules.prefix):
        return {rules.prefix[length]}
    missing = needed(rules) - set(history)
    if missing and len(missing) == rules.max_length - length:
        return missing
    allowed = set()
    for token in set(range(VOCABULARY)) - set(rules.forbidden):
        longer = [*history, token]
        if token == STOP and (length < rules.min_length or missing):
            continue
        if rules.no_repeat and token in history:
            continue
        if rules.no_repeat_ngram and longer[-rules.no_repeat_ngram :] in windows(history, rules.no_repeat_ngram):
            continue
        allowed.add(token)
    return allowed or {STOP}


def windows(tokens: list[int], n: int) -> list[list[int]]:
    return [tokens[i : i + n] for i in range(len(tokens) - n + 1)]


def assert_obeyed(rules: Constraints, tokens: list[int], ended: bool) -> None:
    assert len(tokens) <= rules.max_length
    assert ended == (len(tokens) < rules.max_length)
    assert not set(tokens) & {*rules.forbidden, STOP}
    assert tuple(tokens[: len(rules.prefix)]) == rules.prefix
    assert needed(rules) <= set(tokens)
    assert not (rules.no_repeat and repeats_ngram(tokens, 1))
    assert not (rules.no_repeat_ngram and repeats_ngram(tokens, rules.no_repeat_ngram))
    if len(tokens) < rules.min_length:  # only where no word was left
        assert allowed_next(rules, tokens) == {STOP}


def found(rules: Constraints, seed: int, beams: int = 3) -> Hypotheses:
    return beam_search(
        tiny_decoder(words=5, seed=seed), seen(3, seed), Search(beams, beams, constraints=rules), **TOKENS
    )


@settings(max_examples=150, deadline=None)
@given(rules(), st.data())
def test_the_mask_allows_exactly_what_the_rules_do(rules: Constraints, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, rules.max_length - 1))
    word = st.sampled_from(WORDS)
    histories = data.draw(st.lists(st.lists(word, min_size=length, max_size=length), min_size=1, max_size=3))
    assume(all(len(needed(rules) - set(row)) <= rules.max_length - length for row in histories))
    history = torch.tensor(histories, dtype=torch.long).view(len(histories), length)
    scores = torch.randn(len(histories), VOCABULARY, generator=torch.Generator().manual_seed(0))
    masked = rules.apply(scores.clone(), history, STOP)
    for before, after, row in zip(scores, masked, histories, strict=True):
        allowed = sorted(allowed_next(rules, row))
        assert after.isfinite().nonzero()[:, 0].tolist() == allowed
        assert torch.equal(after[allowed], before[allowed])


@settings(max_examples=40, deadline=None)
@given(rules(), st.integers(0, 20), st.integers(1, 4))
def test_a_search_keeps_every_rule(rules: Constraints, seed: int, beams: int) -> None:
    hypotheses = found(rules, seed, beams)
    for sequences, ended in zip(hypotheses.lists(), hypotheses.ended.tolist(), strict=True):
        assert sequences
        for tokens, stopped in zip(sequences, ended, strict=False):
            assert_obeyed(rules, tokens, stopped)


@settings(max_examples=40, deadline=None)
@given(rules(), st.integers(0, 20))
def test_a_sample_keeps_every_rule(rules: Constraints, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    drawn = sample(tiny_decoder(words=5, seed=seed), seen(3, seed), rules, **TOKENS, generator=generator)
    for (tokens,), (stopped,) in zip(drawn.lists(), drawn.ended.tolist(), strict=True):
        assert_obeyed(rules, tokens, stopped)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_without_the_rule_the_same_words_come_again_and_with_it_they_do_not(n: int) -> None:
    def said(ngram: int) -> list[list[int]]:
        rules = Constraints(min_length=12, max_length=12, forbidden=NEVER, no_repeat_ngram=ngram)
        return [tokens for sequences in found(rules, seed=0).lists() for tokens in sequences]

    assert any(repeats_ngram(tokens, n) for tokens in said(0))
    assert not any(repeats_ngram(tokens, n) for tokens in said(n))


def test_when_no_label_is_left_to_repeat_the_sequence_ends() -> None:
    hypotheses = found(Constraints(min_length=9, max_length=9, forbidden=NEVER, no_repeat=True), seed=0)
    assert (hypotheses.lengths == len(WORDS)).all()
    assert hypotheses.ended.all()


@pytest.mark.parametrize("required", [(FIRST, FIRST + 4), (FIRST + 3, FIRST + 3)])
def test_required_tokens_find_room_however_tight_it_is(required: tuple[int, ...]) -> None:
    rules = Constraints(max_length=len(set(required)), forbidden=NEVER, required=single(required))
    for sequences in found(rules, seed=1).lists():
        assert all(set(tokens) == set(required) for tokens in sequences)


def test_required_tokens_come_where_they_fit_best_when_there_is_room() -> None:
    rules = Constraints(max_length=4, forbidden=NEVER, required=single([FIRST + 2]))
    exhaustive = found(rules, seed=0, beams=100).lists()
    assert len({tokens.index(FIRST + 2) for sequences in exhaustive for tokens in sequences}) == 4


def test_a_required_token_in_the_prefix_is_already_there() -> None:
    rules = Constraints(max_length=2, forbidden=NEVER, prefix=(FIRST, FIRST + 1), required=single([FIRST]))
    assert {tuple(tokens) for sequences in found(rules, seed=0).lists() for tokens in sequences} == {(FIRST, FIRST + 1)}


def test_a_prefix_leaves_the_rest_to_the_model() -> None:
    decoder, encoding = tiny_decoder(words=5), seen(3)
    free = beam_search(decoder, encoding, Search(1, constraints=Constraints(forbidden=NEVER)), **TOKENS).lists()
    for picture, (tokens,) in enumerate(free):
        rules = Constraints(forbidden=NEVER, prefix=tuple(tokens[:1]))
        assert beam_search(decoder, encoding, Search(1, constraints=rules), **TOKENS).lists()[picture] == [tokens]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"max_length": 0}, r"max_length must be at least 1, is 0"),
        ({"min_length": 5, "max_length": 4}, r"min_length must lie in 0\.\.4 \(max_length\), is 5: lower it"),
        ({"min_length": -1}, r"min_length must lie in 0\.\.20 \(max_length\), is -1"),
        (
            {"prefix": (4, 5), "required": single([5, 6]), "max_length": 2},
            r"must fit in max_length \(2\), are 3: raise it",
        ),
        ({"forbidden": (4, 5), "required": single([5])}, r"both forbidden and required, but \[5\] are: drop one"),
        ({"forbidden": (4, 5), "prefix": (4,)}, r"both forbidden and required, but \[4\] are: drop one"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(settings: dict[str, object], text: str) -> None:
    with pytest.raises(SemregError, match=text):
        Constraints(**settings)


def test_tokens_that_may_occur_once_do_and_others_may_again() -> None:
    history = torch.tensor([[5, 6, 5], [6, 6, 4]])
    scores = Constraints(once=(5, 7)).apply(torch.zeros(2, 9), history, stop=2)
    assert scores.isneginf().tolist() == [[token == 5 for token in range(9)], [False] * 9]
