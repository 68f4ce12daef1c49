"""Sampling: greedy at its cold end, the model's own distribution at temperature 1, and repeatable."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from tiny_decoder import (
    FIRST,
    NEVER,
    PADDING,
    STOP,
    TOKENS,
    greedy,
    log_probabilities,
    mean_log_probability,
    pick,
    seen,
    tiny_decoder,
)

from semreg.decoding import Constraints, Hypotheses, Search, beam_search, sample
from semreg.errors import SemregError
from semreg.model.interfaces import INTERFACES

PICTURES = 6
RULES = Constraints(max_length=7, forbidden=NEVER)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def first_tokens(hypotheses: Hypotheses) -> torch.Tensor:
    """Shares of the first tokens drawn, where an empty sequence counts as the stop token."""
    first = hypotheses.tokens[:, 0, 0]
    first = torch.where(first == PADDING, STOP, first)
    return torch.bincount(first, minlength=FIRST + 4) / len(first)


@pytest.mark.parametrize("kind", INTERFACES)
@pytest.mark.parametrize("cold", [{"temperature": 1e-6}, {"top_p": 1e-6}])
def test_the_cold_end_is_greedy(kind: str, cold: dict[str, float]) -> None:
    decoder, encoding = tiny_decoder(kind), seen(PICTURES)
    drawn = sample(decoder, encoding, RULES, **TOKENS, **cold, generator=seeded())
    assert [tokens for (tokens,) in drawn.lists()] == [greedy(decoder, pick(encoding, b), 7) for b in range(PICTURES)]


@pytest.mark.parametrize("temperature", [1e-3, 1e-6, 1e-30])
def test_the_cold_end_is_greedy_under_rules_too(temperature: float) -> None:
    rules = Constraints(
        max_length=3, forbidden=NEVER, prefix=(FIRST,), required=(((FIRST + 1,),), ((FIRST + 2,),)), no_repeat=True
    )
    for kind, seed in product(INTERFACES, range(5)):
        decoder, encoding = tiny_decoder(kind, seed=seed), seen(10)
        expected = beam_search(decoder, encoding, Search(1, constraints=rules), **TOKENS).lists()
        drawn = sample(decoder, encoding, rules, **TOKENS, temperature=temperature, generator=seeded())
        assert drawn.lists() == expected


def test_same_seed_same_sequences_other_seed_others() -> None:
    decoder, encoding = tiny_decoder(), seen(PICTURES)
    torch.manual_seed(1)
    first = sample(decoder, encoding, RULES, **TOKENS, generator=seeded(1))
    torch.manual_seed(2)  # plays no part
    again = sample(decoder, encoding, RULES, **TOKENS, generator=seeded(1))
    other = sample(decoder, encoding, RULES, **TOKENS, generator=seeded(2))
    assert torch.equal(first.tokens, again.tokens)
    assert torch.equal(first.scores, again.scores)
    assert not torch.equal(first.tokens, other.tokens)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_the_model_says(temperature: float) -> None:
    decoder, picture = tiny_decoder(), seen(1)
    logits = log_probabilities(decoder, picture, [])[0] / temperature
    logits[list(NEVER)] = -torch.inf
    drawn = sample(decoder, pick(picture, *[0] * 4000), RULES, **TOKENS, temperature=temperature, generator=seeded())
    torch.testing.assert_close(first_tokens(drawn), logits.softmax(-1), rtol=0, atol=0.03)


@pytest.mark.parametrize("top_p", [0.3, 0.6, 0.9])
def test_the_nucleus_is_the_fewest_tokens_that_reach_top_p(top_p: float) -> None:
    decoder, picture = tiny_decoder(), seen(1)
    logits = log_probabilities(decoder, picture, [])[0]
    logits[list(NEVER)] = -torch.inf
    nucleus: dict[int, float] = {}
    for token in logits.argsort(descending=True).tolist():
        if sum(nucleus.values()) < top_p:
            nucleus[token] = logits.softmax(-1)[token].item()
    expected = torch.zeros(FIRST + 4)
    expected[list(nucleus)] = torch.tensor(list(nucleus.values())) / sum(nucleus.values())
    drawn = sample(decoder, pick(picture, *[0] * 4000), RULES, **TOKENS, top_p=top_p, generator=seeded())
    torch.testing.assert_close(first_tokens(drawn), expected, rtol=0, atol=0.03)
    assert (first_tokens(drawn) > 0).nonzero()[:, 0].tolist() == sorted(nucleus)


def test_scores_are_the_models_own_whatever_the_temperature() -> None:
    decoder, encoding = tiny_decoder(), seen(PICTURES)
    drawn = sample(decoder, encoding, RULES, **TOKENS, temperature=3.0, top_p=0.9, generator=seeded())
    for b, (tokens,) in enumerate(drawn.lists()):
        expected = mean_log_probability(decoder, pick(encoding, b), tokens, bool(drawn.ended[b, 0]))
        assert drawn.scores[b, 0].item() == pytest.approx(expected, abs=1e-5)


def test_behind_the_end_there_is_padding_only() -> None:
    drawn = sample(tiny_decoder(), seen(20), RULES, **TOKENS, generator=seeded())
    beyond = torch.arange(7) >= drawn.lengths[..., None]
    assert drawn.tokens.shape == (20, 1, 7)
    assert (drawn.tokens[beyond] == PADDING).all()
    assert (drawn.tokens[~beyond] >= FIRST).all()
    assert drawn.ended.any() and not drawn.ended.all()
    assert torch.equal(drawn.ended, drawn.lengths < 7)


def test_an_empty_sequence_is_what_remains_when_every_word_is_forbidden() -> None:
    rules = Constraints(min_length=2, max_length=5, forbidden=(*NEVER, *range(FIRST, FIRST + 4)))
    assert sample(tiny_decoder(), seen(2), rules, **TOKENS).lists() == [[[]], [[]]]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"temperature": 0.0}, r"temperature must be above 0.*, is 0\.0: 1 is the model's own"),
        ({"temperature": -1.0}, r"temperature must be above 0.*, is -1\.0"),
        ({"temperature": float("nan")}, r"temperature must be above 0.*, is nan"),
        ({"temperature": float("inf")}, r"temperature must be above 0 and finite, is inf"),
        ({"top_p": 0.0}, r"top_p must lie in 0\.\.1 and not be 0, is 0\.0: 1 draws from all tokens"),
        ({"top_p": 1.1}, r"top_p must lie in 0\.\.1 and not be 0, is 1\.1"),
    ],
)
def test_settings_outside_their_range_are_refused_by_name(settings: dict[str, float], text: str) -> None:
    with pytest.raises(SemregError, match=text):
        sample(tiny_decoder(), seen(1), RULES, **TOKENS, **settings)
