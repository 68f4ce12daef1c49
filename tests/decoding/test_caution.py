"""Caution: every concept that a caption names is a claim, and costs as much as it is doubtful."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semreg.decoding import all_there
from semreg.decoding.caution import FLOOR

OF_TOKEN = torch.tensor([-1, -1, -1, -1, 0, 1, 1, 2, -1])  # four special tokens, "dog", "cat", "cats", "red", "a"


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 8), min_size=5, max_size=5), min_size=1, max_size=4), st.integers(0, 9))
def test_it_is_the_joint_probability_of_the_concepts_named(captions: list[list[int]], seed: int) -> None:
    concepts = torch.rand(1, 3, generator=torch.Generator().manual_seed(seed))
    found = all_there(concepts, torch.tensor([captions]), OF_TOKEN)
    for value, tokens in zip(found[0].tolist(), captions, strict=True):
        named = {int(OF_TOKEN[token]) for token in tokens} - {-1}
        expected = sum(math.log(max(FLOOR, float(concepts[0, concept]))) for concept in named)
        assert math.isclose(value, expected, abs_tol=1e-4)


def test_what_is_sure_costs_nothing_and_what_is_not_there_is_still_finite() -> None:
    captions = torch.tensor([[[4, 8, 0], [5, 6, 0], [8, 8, 0]]])
    assert all_there(torch.tensor([[1.0, 0.0, 0.5]]), captions, OF_TOKEN).tolist()[0] == [
        0.0,
        float(torch.tensor(FLOOR).log()),
        0.0,
    ]
