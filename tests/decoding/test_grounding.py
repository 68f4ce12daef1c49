"""Grounding: what the concept layer says of captions, against the definition read word by word."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semreg.decoding.grounding import AGAIN, EDGE, FLOOR, MOST, Grounding

PAD, CAT, DOG, MAN, RUNS, THE = range(6)
NAMES = {CAT: 0, DOG: 1, RUNS: 3}  # token to concept; 0 cat, 1 dog, 2 person, 3 running
IMPLIES = {CAT: [0], DOG: [1], MAN: [2], RUNS: [2, 1]}
USUAL = (0.1, 0.05, 0.7, 0.2)

probabilities = st.lists(st.floats(0, 1), min_size=4, max_size=4)
sentences = st.lists(st.sampled_from([CAT, DOG, MAN, RUNS, THE]), max_size=5)


def grounding(named: float = 0.1, labels: float = 0.5) -> Grounding:
    concept = torch.tensor([NAMES.get(token, -1) for token in range(6)])
    implied = torch.tensor([[*IMPLIES.get(token, []), -1, -1][:2] for token in range(6)])
    return Grounding(concept, implied, torch.tensor(USUAL), named, labels)


def log_odds(value: float) -> float:
    value = min(max(value, EDGE), 1 - EDGE)
    return math.log(value / (1 - value))


def by_hand(seen: list[float], sentence: list[int], named: float, labels: float) -> float:
    said = [NAMES[token] for token in sentence if token in NAMES]
    implied = [label for token in sentence for label in IMPLIES.get(token, [])]
    clearer = sum(min(log_odds(seen[k]) - log_odds(USUAL[k]), MOST) for k in set(said))
    missing = min([math.log(max(seen[k], FLOOR)) for k in implied], default=0.0)
    return named * clearer + labels * missing - AGAIN * (len(said) - len(set(said)))


@settings(deadline=None)  # the first call is slow
@given(st.lists(st.tuples(probabilities, sentences, sentences), min_size=1, max_size=4))
def test_every_caption_of_a_batch_is_judged_as_by_hand(
    pictures: list[tuple[list[float], list[int], list[int]]],
) -> None:
    seen = torch.tensor([row[0] for row in pictures], dtype=torch.double)
    told = [[(sentence + [PAD] * 5)[:5] for sentence in row[1:]] for row in pictures]
    found = grounding(0.3, 0.7)(seen, torch.tensor(told))
    expected = [[by_hand(row[0], sentence, 0.3, 0.7) for sentence in row[1:]] for row in pictures]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.double), atol=1e-5, rtol=1e-5)


def test_what_is_named_and_seen_is_preferred_and_what_is_not_there_is_not() -> None:
    seen = torch.tensor([[0.9, 0.02, 0.9, 0.5]])
    scores = grounding()(seen, torch.tensor([[[THE, CAT], [THE, THE], [THE, DOG], [THE, MAN]]]))[0].tolist()
    assert scores[0] > scores[1] > scores[2]
    assert scores[1] > scores[3] > scores[2]  # a man is named by no concept, but implies a person


@pytest.mark.parametrize(("value", "cat_first"), [(1.0, True), (0.0, False)])
def test_a_concept_set_by_hand_decides(value: float, cat_first: bool) -> None:
    seen = torch.tensor([[value, 0.3, 0.9, 0.5]])
    cat, dog = grounding()(seen, torch.tensor([[[CAT], [DOG]]]))[0].tolist()
    assert (cat > dog) is cat_first and math.isfinite(cat)


def test_a_horse_that_pulls_a_horse_is_one_too_many() -> None:
    seen = torch.tensor([[0.99, 0.3, 0.9, 0.5]])
    twice, once = grounding()(seen, torch.tensor([[[THE, CAT, RUNS, CAT], [THE, CAT, RUNS, THE]]]))[0].tolist()
    assert once - twice == pytest.approx(AGAIN, abs=1e-5)
