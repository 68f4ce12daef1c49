"""General words: when a kind is doubtful, what is said then, what it scores, and what stays as it is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_decoder import FIRST, NEVER, TOKENS, mean_log_probability, pick, seen, tiny_decoder

from semreg.decoding import Constraints, Hypotheses, Search, beam_search
from semreg.decoding.general import OMITTED, GeneralWords, Group, Kind, generalise
from semreg.decoding.search import IMPOSSIBLE

MAN, WOMAN, PERSON, WALKS = range(FIRST, FIRST + 4)
KINDS = (Kind((0,), {MAN: PERSON}), Kind((1, 2), {WOMAN: PERSON}))
STANDS, A, AN, AND = WALKS, *range(FIRST + 4, FIRST + 7)  # what tokens mean is the test's own affair
PICTURES = 8

probability = st.floats(0, 1)


def shares(doubtful: list[bool]) -> list[float]:
    return [0.0 if each else 1.0 for each in doubtful]


def general(share: float) -> GeneralWords:
    return GeneralWords((Group(share, KINDS),))


def found_by(decoder: torch.nn.Module, beams: int = 30) -> Hypotheses:
    search = Search(beams, beams, constraints=Constraints(max_length=5, forbidden=NEVER))
    return beam_search(decoder, seen(PICTURES), search, **TOKENS)  # type: ignore[arg-type]


@given(probability, probability)
def test_a_share_is_the_probability_of_a_kind_given_that_it_is_one_of_them(man: float, woman: float) -> None:
    man, woman = (min(max(value, 1e-4), 1 - 1e-4) for value in (man, woman))
    just_man, just_woman = man * (1 - woman), woman * (1 - man)
    share = just_man / (just_man + just_woman)
    table = torch.tensor([[man, woman, 0.0, 0.5]], dtype=torch.double)
    for limit in (share - 1e-3, share + 1e-3):
        assert (Group(limit, KINDS).shares(table)[0, 0].item() < limit) is (share < limit)


def test_the_likeliest_concept_of_a_kind_speaks_for_it_and_what_a_person_set_is_certain() -> None:
    words = Group(0.8, KINDS)
    for seen_, doubtful in (((0.9, 0.1, 0.1), [False, True]), ((0.9, 0.1, 0.9), [True, True])):
        assert (words.shares(torch.tensor([[*seen_, 0.0]])) < words.share).tolist() == [doubtful]
    assert (words.shares(torch.tensor([[0.9, 0.1, 1.0, 0.0]])) < words.share).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("said", "doubtful", "told"),
    [
        ([MAN, WALKS], [True, False], [PERSON, WALKS]),
        ([MAN, WALKS], [False, True], [MAN, WALKS]),
        ([WOMAN, WALKS, WOMAN], [True, True], [PERSON, WALKS, PERSON]),
        ([MAN, WALKS, WOMAN], [True, True], [MAN, WALKS, WOMAN]),  # not a person and a person
        ([MAN, WALKS, PERSON], [True, True], [MAN, WALKS, PERSON]),
        ([WALKS], [True, True], [WALKS]),
        ([], [True, True], []),
    ],
)
def test_what_is_said_instead(said: list[int], doubtful: list[bool], told: list[int]) -> None:
    assert general(0.8).instead(said, shares(doubtful)) == told


SPARED = GeneralWords(
    (Group(0.8, KINDS), Group(0.7, (Kind((0,), {STANDS: OMITTED}), Kind((1,), {WOMAN: OMITTED})))),
    frozenset(),
    frozenset({AND}),
    {MAN: A, WOMAN: A, PERSON: AN},
)
SURE, STANDING, NEITHER = [False] * 4, [False, False, True, False], [True, True, True, False]


@pytest.mark.parametrize(
    ("said", "doubtful", "told"),
    [
        ([MAN, STANDS, WOMAN], STANDING, [MAN, WOMAN]),
        ([MAN, STANDS, WOMAN], SURE, [MAN, STANDS, WOMAN]),
        ([MAN, STANDS], STANDING, [MAN, STANDS]),  # not at the end
        ([STANDS, MAN], STANDING, [MAN]),
        ([STANDS, STANDS, MAN], STANDING, [MAN]),
        ([MAN, STANDS, AND, MAN], STANDING, [MAN, STANDS, AND, MAN]),
        ([MAN, AND, STANDS, MAN], STANDING, [MAN, AND, STANDS, MAN]),
        ([A, STANDS, PERSON], STANDING, [AN, PERSON]),  # the article is that of the word behind it now
        ([A, MAN, STANDS, PERSON], STANDING, [A, MAN, PERSON]),
        ([A, MAN, STANDS, A, MAN], NEITHER, [AN, PERSON, AN, PERSON]),
        ([MAN, STANDS, A, PERSON], NEITHER, [MAN, A, PERSON]),  # not a person and a person, but nobody stands
    ],
)
def test_what_can_be_spared_is_left_out(said: list[int], doubtful: list[bool], told: list[int]) -> None:
    assert SPARED.instead(said, shares(doubtful)) == told


RED, BLUE, CAR = MAN, WOMAN, PERSON
COLOURS = GeneralWords(
    (Group(0.6, (Kind((0,), {RED: OMITTED}), Kind((1,), {BLUE: OMITTED}))),), frozenset(), frozenset({AND}), {}
)


@pytest.mark.parametrize(
    ("said", "red", "blue", "told"),
    [
        ([A, RED, AND, BLUE, CAR], 0.5, 0.45, [A, RED, AND, BLUE, CAR]),  # both are there, as far as that can be seen
        ([A, RED, AND, BLUE, CAR], 0.5, 0.3, [A, CAR]),  # 1 - 0.4 ** 2 = 0.84 is asked for
        ([A, RED, AND, BLUE, CAR], 0.7, 0.1, [A, CAR]),  # the second cannot go alone
        ([CAR, RED, AND, BLUE], 0.1, 0.1, [CAR, RED, AND, BLUE]),  # not at the end
        ([RED, AND, CAR, BLUE, CAR], 0.1, 0.1, [RED, AND, CAR, CAR]),
        ([CAR, AND, RED, AND, BLUE, CAR], 0.1, 0.1, [CAR, AND, RED, AND, BLUE, CAR]),  # else "a car and car"
        ([RED, AND, BLUE, AND, CAR], 0.1, 0.1, [RED, AND, BLUE, AND, CAR]),
        ([RED, CAR, AND, BLUE, CAR], 0.1, 0.1, [CAR, AND, BLUE, CAR]),
    ],
)
def test_of_two_either_both_are_left_out_or_none(said: list[int], red: float, blue: float, told: list[int]) -> None:
    assert COLOURS.instead(said, [red, blue]) == told


def test_a_shorter_sentence_scores_as_what_it_is() -> None:
    decoder, encoding = tiny_decoder(seed=2), seen(PICTURES)
    words = GeneralWords((Group(1.0, (Kind((0,), {MAN: OMITTED}), Kind((1,), {WALKS: OMITTED}))),))
    found = found_by(decoder)
    told = generalise(found, words, encoding.concepts, decoder, encoding, **TOKENS)
    shorter = 0
    for picture in range(PICTURES):
        expected: list[list[int]] = []
        for sentence, ended in zip(found.lists()[picture], found.ended[picture].tolist(), strict=True):
            plain = words.instead(sentence, [0.0, 0.0])
            if plain not in expected:
                place = len(expected)
                expected.append(plain)
                score = mean_log_probability(decoder, pick(encoding, picture), plain, ended)
                assert told.scores[picture, place].item() == pytest.approx(score, abs=1e-5)
                assert told.lengths[picture, place] == len(plain)
            shorter += len(plain) < len(sentence)
        assert told.lists()[picture] == expected
    assert shorter


def test_a_word_that_is_to_be_kept_stays() -> None:
    assert general(0.8).instead([MAN, WALKS], [0.0, 0.0], keep={MAN}) == [MAN, WALKS]


def test_without_doubt_nothing_changes() -> None:
    decoder = tiny_decoder()
    found = found_by(decoder)
    same = generalise(found, general(0.0), seen(PICTURES).concepts, decoder, seen(PICTURES), **TOKENS)
    assert same.lists() == found.lists() and torch.equal(same.scores, found.scores)


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_what_is_said_now_and_no_sentence_comes_twice(seed: int) -> None:
    decoder, encoding, words = tiny_decoder(seed=seed), seen(PICTURES), general(0.9)
    found = found_by(decoder)
    told = generalise(found, words, encoding.concepts, decoder, encoding, **TOKENS)
    probable, fewer = words.shares(encoding.concepts).tolist(), 0
    for picture in range(PICTURES):
        expected = []
        for sentence, ended in zip(found.lists()[picture], found.ended[picture].tolist(), strict=True):
            plain = words.instead(sentence, probable[picture])
            if plain not in [sentence for sentence, _ in expected]:
                score = mean_log_probability(decoder, pick(encoding, picture), plain, ended)
                expected.append((plain, score))
        assert told.lists()[picture] == [sentence for sentence, _ in expected]
        assert told.scores[picture, : len(expected)].tolist() == pytest.approx([s for _, s in expected], abs=1e-5)
        assert (told.scores[picture, len(expected) :] == IMPOSSIBLE).all()
        fewer += len(found.lists()[picture]) - len(expected)
    assert told.lists() != found.lists() and fewer  # else it would say little


def test_a_batch_equals_its_pictures_one_by_one() -> None:
    decoder, encoding, words = tiny_decoder(seed=1), seen(PICTURES), general(0.9)
    found = found_by(decoder)
    together = generalise(found, words, encoding.concepts, decoder, encoding, **TOKENS)
    for row in range(PICTURES):
        own = Hypotheses(*(value[row : row + 1] for value in list(vars(found).values())[:4]))
        seen_here = pick(encoding, row)
        alone = generalise(own, words, seen_here.concepts, decoder, seen_here, **TOKENS)
        assert alone.lists()[0] == together.lists()[row]
        torch.testing.assert_close(alone.scores[0], together.scores[row], rtol=1e-5, atol=1e-5)


def test_a_sentence_that_would_come_to_say_what_is_forbidden_stays() -> None:
    decoder, encoding, words = tiny_decoder(), seen(PICTURES), general(1.0)
    found = found_by(decoder)
    free = generalise(found, words, encoding.concepts, decoder, encoding, **TOKENS).lists()
    before = [sentence for row in found.lists() for sentence in row]
    new = next(s for row in free for s in row if s not in before and len(s) > 1)
    told = generalise(found, words, encoding.concepts, decoder, encoding, **TOKENS, never=(tuple(new[:2]),)).lists()
    says = [s for row in told for s in row if any(s[i : i + 2] == new[:2] for i in range(len(s)))]
    assert new not in says and all(sentence in before for sentence in says)
    assert told != found.lists()  # others change all the same
