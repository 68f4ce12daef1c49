"""Beam search against listing everything, against a plain greedy loop, and a batch against its pictures one by one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_decoder import (
    FIRST,
    NEVER,
    PADDING,
    STOP,
    TOKENS,
    everything,
    greedy,
    log_probabilities,
    mean_log_probability,
    pick,
    plain_beams,
    seen,
    tiny_decoder,
)

from semreg.decoding import Constraints, Search, beam_search
from semreg.errors import SemregError
from semreg.model.interfaces import INTERFACES

PICTURES = 6


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("kind", INTERFACES)
def test_enough_beams_find_everything_in_the_right_order(kind: str, penalty: float) -> None:
    # 3 words, at most 3 of them: 1 + 3 + 9 sequences end, 27 reach the limit. 60 beams never have to drop one.
    decoder, encoding = tiny_decoder(kind, words=3), seen(2)
    search = Search(60, 40, penalty, Constraints(max_length=3, forbidden=NEVER))
    found = beam_search(decoder, encoding, search, **TOKENS)
    for b, sequences in enumerate(found.lists()):
        picture = pick(encoding, b)
        assert sequences == everything(decoder, picture, words=3, max_length=3, penalty=penalty)
        expected = [mean_log_probability(decoder, picture, tokens, len(tokens) < 3) for tokens in sequences]
        assert found.scores[b].tolist() == pytest.approx(expected, abs=1e-5)
        assert found.ended[b].tolist() == [True] * 13 + [False] * 27


@pytest.mark.parametrize("kind", INTERFACES)
def test_one_beam_is_greedy(kind: str) -> None:
    search, lengths = Search(1, constraints=Constraints(max_length=7, forbidden=NEVER)), set()
    for seed in range(6):
        decoder, encoding = tiny_decoder(kind, seed=seed), seen(PICTURES)
        expected = [greedy(decoder, pick(encoding, b), max_length=7) for b in range(PICTURES)]
        assert [best for (best,) in beam_search(decoder, encoding, search, **TOKENS).lists()] == expected
        lengths |= {len(tokens) for tokens in expected}
    assert len(lengths) > 1  # else it would say little


@pytest.mark.parametrize("beams", [2, 3, 4])
@pytest.mark.parametrize("kind", INTERFACES)
def test_a_few_beams_are_the_plain_search_over_lists(kind: str, beams: int) -> None:
    search = Search(beams, beams, constraints=Constraints(max_length=5, forbidden=NEVER))
    for seed in range(4):
        decoder, encoding = tiny_decoder(kind, seed=seed), seen(2)
        expected = [plain_beams(decoder, pick(encoding, b), beams, max_length=5) for b in range(2)]
        assert beam_search(decoder, encoding, search, **TOKENS).lists() == expected


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", INTERFACES)
def test_a_batch_equals_its_pictures_one_by_one(kind: str, beams: int) -> None:
    search = Search(beams, beams, constraints=Constraints(max_length=8, forbidden=NEVER))
    for seed in range(4):
        decoder, encoding = tiny_decoder(kind, seed=seed), seen(PICTURES)
        together = beam_search(decoder, encoding, search, **TOKENS)
        for b in range(PICTURES):
            alone = beam_search(decoder, pick(encoding, b), search, **TOKENS)
            assert torch.equal(alone.tokens[0], together.tokens[b])
            assert torch.equal(alone.ended[0], together.ended[b])
            torch.testing.assert_close(alone.scores[0], together.scores[b], rtol=1e-5, atol=1e-5)


def test_pictures_that_are_done_leave_without_changing_the_others() -> None:
    decoder, encoding = tiny_decoder("state", seed=1), seen(PICTURES)
    search = Search(1, constraints=Constraints(max_length=8, forbidden=NEVER))
    lengths = beam_search(decoder, encoding, search, **TOKENS).lengths[:, 0]
    assert len(lengths.unique()) > 3  # they leave one after the other
    early, late = int(lengths.argmin()), int(lengths.argmax())
    found = beam_search(decoder, pick(encoding, early, late, early), search, **TOKENS).lists()
    assert found[0] == found[2]
    assert found[1] == beam_search(decoder, pick(encoding, late), search, **TOKENS).lists()[0]


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(list(INTERFACES)), st.integers(0, 50), st.integers(1, 4), st.sampled_from([0.0, 1.0]))
def test_scores_are_the_teacher_forced_mean_with_the_stop_token(
    kind: str, seed: int, beams: int, penalty: float
) -> None:
    decoder, encoding = tiny_decoder(kind, seed=seed), seen(2, seed)
    search = Search(beams, beams, penalty, Constraints(max_length=5, forbidden=NEVER, no_repeat_ngram=2))
    found = beam_search(decoder, encoding, search, **TOKENS)
    for b in range(2):
        for i, tokens in enumerate(found.lists()[b]):
            expected = mean_log_probability(decoder, pick(encoding, b), tokens, bool(found.ended[b, i]))
            assert found.scores[b, i].item() == pytest.approx(expected, abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50), st.integers(2, 6), st.sampled_from([0.0, 0.7, 1.0]))
def test_the_n_best_are_distinct_and_sorted(seed: int, beams: int, penalty: float) -> None:
    search = Search(beams, beams, penalty, Constraints(max_length=5, forbidden=NEVER))
    found = beam_search(tiny_decoder(seed=seed), seen(3, seed), search, **TOKENS)
    steps = found.lengths + found.ended
    rank = found.scores * steps ** (1 - penalty)  # log p / steps ** penalty
    for b, sequences in enumerate(found.lists()):
        assert len(sequences) == beams
        assert len({tuple(tokens) for tokens in sequences}) == beams
        assert found.ended[b].tolist() == sorted(found.ended[b].tolist(), reverse=True)  # those that ended come first
        for ended in (True, False):
            ranks = rank[b][found.ended[b] == ended]
            assert (ranks.diff() <= 1e-6).all()


def test_fewer_n_best_are_the_first_of_more() -> None:
    constraints = Constraints(max_length=5, forbidden=NEVER)
    decoder, encoding = tiny_decoder(), seen(PICTURES)
    one, four = (beam_search(decoder, encoding, Search(4, n, constraints=constraints), **TOKENS) for n in (1, 4))
    assert torch.equal(one.tokens, four.tokens[:, :1])
    assert torch.equal(one.scores, four.scores[:, :1])


def test_there_is_an_answer_when_nothing_ends() -> None:
    search = Search(3, 3, constraints=Constraints(min_length=4, max_length=4, forbidden=NEVER))
    found = beam_search(tiny_decoder(), seen(PICTURES), search, **TOKENS)
    assert not found.ended.any()
    assert (found.lengths == 4).all()
    assert (found.tokens >= FIRST).all()
    assert found.scores.isfinite().all()


@pytest.mark.parametrize("kind", INTERFACES)
def test_whole_sequences_end_where_they_would_likeliest_have_ended(kind: str) -> None:
    constraints, shorter = Constraints(max_length=6, forbidden=NEVER), 0
    for seed in range(4):
        decoder, encoding = tiny_decoder(kind, seed=seed), seen(PICTURES)
        with torch.no_grad():
            decoder.output.bias[STOP] -= 6  # nobody wants to stop
        broken = beam_search(decoder, encoding, Search(1, constraints=constraints), **TOKENS)
        whole = beam_search(decoder, encoding, Search(1, constraints=constraints, whole=True), **TOKENS)
        assert whole.ended.all()
        for b in range(PICTURES):
            picture, (before,), (after,) = pick(encoding, b), broken.lists()[b], whole.lists()[b]
            if broken.ended[b, 0]:
                assert after == before
                continue
            stop = log_probabilities(decoder, picture, before)[1:, STOP]  # behind one token, two ...
            assert after == before[: int(stop.argmax()) + 1]
            expected = mean_log_probability(decoder, picture, after, True)
            assert whole.scores[b, 0].item() == pytest.approx(expected, abs=1e-5)
            assert (whole.tokens[b, 0, len(after) :] == PADDING).all()
            shorter += len(after) < len(before)
    assert shorter  # else it would say little


def test_whole_sequences_are_distinct_sorted_and_as_long_as_they_must_be() -> None:
    decoder, encoding = tiny_decoder(), seen(PICTURES)
    with torch.no_grad():
        decoder.output.bias[STOP] -= 12
    constraints = Constraints(min_length=3, max_length=6, forbidden=NEVER, required=(((FIRST,),),))
    found = beam_search(decoder, encoding, Search(4, 4, constraints=constraints, whole=True), **TOKENS)
    for sequences, scores in zip(found.lists(), found.scores.tolist(), strict=True):
        assert sequences and all(3 <= len(tokens) <= 6 and FIRST in tokens for tokens in sequences)
        assert len({tuple(tokens) for tokens in sequences}) == len(sequences)
        assert scores == sorted(scores, reverse=True)
    assert found.ended.all()


def test_behind_the_end_there_is_padding_only() -> None:
    search = Search(3, 3, constraints=Constraints(max_length=8, forbidden=NEVER))
    found = beam_search(tiny_decoder("state", seed=1), seen(PICTURES), search, **TOKENS)
    beyond = torch.arange(found.tokens.shape[-1]) >= found.lengths[..., None]
    assert beyond.any()
    assert (found.tokens[beyond] == PADDING).all()
    assert not ((found.tokens == STOP) & ~beyond).any()


def test_a_vocabulary_smaller_than_the_beams_is_enough() -> None:
    # One word, at most three times: four sequences, and ten beams to hold them.
    search = Search(10, 10, constraints=Constraints(max_length=3, forbidden=NEVER))
    found = beam_search(tiny_decoder(words=1), seen(2), search, **TOKENS)
    for b, sequences in enumerate(found.lists()):
        assert sorted(sequences) == [[FIRST] * n for n in range(4)]
        assert found.scores[b, 4:].isneginf().all()  # never found, and left out of the lists


def test_an_empty_sequence_is_what_remains_when_every_word_is_forbidden() -> None:
    decoder = tiny_decoder(words=3)
    for minimum in (0, 2):
        constraints = Constraints(min_length=minimum, max_length=5, forbidden=(*NEVER, FIRST, FIRST + 1, FIRST + 2))
        found = beam_search(decoder, seen(2), Search(3, 3, constraints=constraints), **TOKENS)
        assert found.lists() == [[[]], [[]]]
        assert found.ended[:, 0].all()


def test_a_search_leaves_no_gradient_behind() -> None:
    assert not beam_search(tiny_decoder(), seen(1), Search(), **TOKENS).scores.requires_grad


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"beams": 0}, r"beams must lie in 1\.\.100, is 0"),
        ({"beams": 101}, r"beams must lie in 1\.\.100, is 101"),
        ({"beams": 2, "n_best": 3}, r"n_best must lie in 1\.\.2 \(beams\), is 3: raise beams"),
        ({"n_best": 0}, r"n_best must lie in 1\.\.3 \(beams\), is 0"),
        ({"length_penalty": -0.1}, r"length_penalty must lie in 0\.\.5, is -0\.1"),
        ({"length_penalty": float("nan")}, r"length_penalty must lie in 0\.\.5, is nan"),
    ],
)
def test_settings_outside_their_range_are_refused_by_name(settings: dict[str, float], text: str) -> None:
    with pytest.raises(SemregError, match=text):
        Search(**settings)
