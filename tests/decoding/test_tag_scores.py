"""Tag scores: the calibration finds the weights that made the data, and a score is always a probability."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semreg.decoding import Constraints, Search, beam_search
from semreg.decoding.search import Hypotheses
from semreg.decoding.tag_scores import combine, evidence_of_paths
from semreg.model.decoder import Decoder, path_probabilities
from semreg.model.interfaces import Encoding, StateInterface
from semreg.training.calibration import fit_weights


def drawn(pictures: int, labels: int, seed: int = 0, peak: float = 2.0) -> tuple[Tensor, Tensor, torch.Generator]:
    """Two tables of log odds, of spread `peak`."""
    generator = torch.Generator().manual_seed(seed)
    first, second = (peak * torch.randn(pictures, labels, generator=generator) for _ in range(2))
    return first - 1, second - 1, generator


@pytest.mark.parametrize("weights", [(0.7, 0.5, -0.3), (1.0, 0.0, 0.0), (0.2, 1.2, 1.0)])
def test_calibration_recovers_the_weights_that_made_the_data(weights: tuple[float, float, float]) -> None:
    path, concepts, generator = drawn(400, 50)
    probability = (weights[0] * path + weights[1] * concepts + weights[2]).sigmoid()
    truth = (torch.rand(400, 50, generator=generator) < probability).float()
    assert fit_weights(path.sigmoid(), concepts.sigmoid(), truth) == pytest.approx(weights, abs=0.1)


def test_calibration_without_concepts_recovers_the_other_two_and_gives_concepts_nothing() -> None:
    path, _, generator = drawn(400, 50)
    truth = (torch.rand(400, 50, generator=generator) < (0.6 * path - 0.5).sigmoid()).float()
    w_path, w_concept, bias = fit_weights(path.sigmoid(), None, truth)
    assert (w_path, bias) == pytest.approx((0.6, -0.5), abs=0.1)
    assert w_concept == 0


# Confident and wrong more often than right: where Newton's method alone jumps to and fro.
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 200),
    peak=st.sampled_from([0.5, 3.0, 12.0, 100.0]),
    rate=st.floats(0.02, 0.98),
    known=st.booleans(),
)
def test_calibrated_scores_have_the_mean_of_the_truth(seed: int, peak: float, rate: float, known: bool) -> None:
    path, concepts, generator = drawn(20, 5, seed, peak)
    truth = (torch.rand(20, 5, generator=generator) < rate).float()
    concepts = concepts.sigmoid() if known else None
    weights = fit_weights(path.sigmoid(), concepts, truth)
    assert combine(path.sigmoid(), concepts, weights).mean().item() == pytest.approx(truth.mean().item(), abs=1e-3)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_calibration_stays_finite_where_every_label_is_the_same(value: float) -> None:
    path, concepts, _ = drawn(10, 4)
    weights = fit_weights(path.sigmoid(), concepts.sigmoid(), torch.full((10, 4), value))
    scores = combine(path.sigmoid(), concepts.sigmoid(), weights)
    assert ((scores - value).abs() < 0.05).all()


def test_calibration_stays_finite_where_the_truth_is_said_with_certainty() -> None:
    truth = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    scores = combine(truth, truth, fit_weights(truth, truth, truth))
    assert ((scores - truth).abs() < 0.05).all()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=6),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3)),
)
def test_scores_are_probabilities_even_at_0_and_1(values: list[float], weights: tuple[float, float, float]) -> None:
    path = torch.tensor([[0.0, 1.0, *values]])
    for concepts in (path.flip(1), None):
        scores = combine(path, concepts, weights)
        assert scores.shape == path.shape
        assert scores.isfinite().all() and (scores >= 0).all() and (scores <= 1).all()


def test_more_of_either_never_lowers_the_score() -> None:
    rising, constant = torch.linspace(0, 1, 101)[None], torch.full((1, 101), 0.3)
    for path, concepts in ((rising, constant), (constant, rising), (rising, None)):
        scores = combine(path, concepts, (0.7, 0.5, -0.2))[0]
        assert (scores.diff() >= 0).all()
        assert scores[-1] - scores[0] > 0.9


def test_weights_1_0_0_leave_the_path_as_it_is() -> None:
    path = torch.linspace(-11.5, 11.5, 50).sigmoid()[None]  # from 0.00001 to 0.99999
    torch.testing.assert_close(combine(path, path.flip(1), (1.0, 0.0, 0.0)), path, rtol=1e-3, atol=0)


def test_without_concepts_their_weight_has_no_effect() -> None:
    path = torch.rand(3, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(combine(path, None, (0.7, 5.0, 0.1)), combine(path, None, (0.7, 0.0, 0.1)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.double])
def test_other_precisions_are_taken_too(dtype: torch.dtype) -> None:
    path = torch.tensor([[0.25, 0.5, 0.75]])
    torch.testing.assert_close(combine(path.to(dtype), path.to(dtype), (1, 0, 0)).float(), path, rtol=1e-2, atol=1e-2)


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(StateInterface(3, 5, 6), 9, 5, 6).eval()


def seen(pictures: int) -> Encoding:
    features = torch.randn(pictures, 3, generator=torch.Generator().manual_seed(1))
    return Encoding(features, features, features.sigmoid())


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("limit", [2, 6])  # some paths end before it, some do not
def test_the_evidence_of_a_path_is_what_the_decoder_says_along_it(decoder: Decoder, beams: int, limit: int) -> None:
    search = Search(beams=beams, n_best=beams, length_penalty=0.0, constraints=Constraints(max_length=limit))
    found = beam_search(decoder, seen(4), search, start=1, stop=2, padding=0, evidence=True)
    assert found.evidence is not None
    for number in range(beams):
        tokens = torch.cat([torch.ones(4, 1, dtype=torch.long), found.tokens[:, number]], 1)
        steps = found.lengths[:, number] + found.ended[:, number]
        expected = path_probabilities(decoder, seen(4), tokens, steps)
        there = ~found.scores[:, number].isneginf()
        torch.testing.assert_close(found.evidence[there, number], expected[there])
    plain = beam_search(decoder, seen(4), search, start=1, stop=2, padding=0)
    assert plain.evidence is None and torch.equal(plain.tokens, found.tokens)


def test_known_tokens_hold_the_others_back_half_as_much(decoder: Decoder) -> None:
    once = Search(beams=1, n_best=1, length_penalty=0.0, constraints=Constraints(max_length=1))
    path = {"start": 1, "stop": 2, "padding": 0}
    plain = beam_search(decoder, seen(4), once, **path, evidence=True)
    known = beam_search(decoder, seen(4), once, **path, evidence=True, known=(4, 6))
    assert plain.evidence is not None and known.evidence is not None and torch.equal(plain.tokens, known.tokens)
    before, after = plain.evidence[:, 0], known.evidence[:, 0]  # (B, V)
    others = before.index_fill(1, torch.tensor([4, 6]), 0.0)
    torch.testing.assert_close(after, (before + others / others.sum(1, keepdim=True)) / 2)


def test_the_evidence_of_one_path_is_its_own() -> None:
    one = torch.full((2, 1, 1), 1.0)
    evidence = torch.rand(2, 1, 9)
    found = Hypotheses(one.long(), one[..., 0].long(), torch.tensor([[-0.5], [-0.9]]), one[..., 0] > 0, evidence)
    torch.testing.assert_close(evidence_of_paths(found), evidence[:, 0])


def test_several_paths_count_by_their_probability_and_those_not_found_not_at_all() -> None:
    tokens = torch.tensor([[[4, 5], [6, 0], [0, 0]]])
    lengths, ended = torch.tensor([[2, 1, 0]]), torch.tensor([[True, True, False]])
    scores = torch.tensor([[-0.2, -0.6, float("-inf")]])  # means: log-probabilities -0.6 of 3 tokens, -1.2 of 2
    evidence = torch.rand(1, 3, 9)
    weights = torch.tensor([-0.6, -1.2]).softmax(0)
    found = evidence_of_paths(Hypotheses(tokens, lengths, scores, ended, evidence))
    torch.testing.assert_close(found[0], weights[0] * evidence[0, 0] + weights[1] * evidence[0, 1])
