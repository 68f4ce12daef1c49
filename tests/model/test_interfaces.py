"""The four interfaces: what each one conditions, on what it depends, and what reaches back through it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semreg.model.interfaces import (
    INTERFACES,
    PROBABILITY_FLOOR,
    STANDARD_DEVIATION_FLOOR,
    Conditioning,
    Encoding,
    FusionInterface,
    Interface,
    SemanticInterface,
    Standardise,
)

D, K, E, H = 5, 4, 6, 7
CONCEPT_OF_TOKEN = torch.tensor([-1, -1, 2, 0, -1, 1])  # V = 6; concept 3 is no token
WAY = {"input": "first", "state": "hidden", "fusion": "fused", "semantic": "hidden"}
WIDTH = {"first": E, "hidden": H, "every": E, "fused": H}


def seen(pictures: int = 3, seed: int = 0) -> Encoding:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(pictures, K, generator=generator)
    return Encoding(torch.randn(pictures, D, generator=generator), logits, logits.sigmoid())


def build(kind: str, every_step: bool = False) -> Interface:
    torch.manual_seed(1)
    return INTERFACES[kind](K if kind == "semantic" else D, E, H, every_step)


def with_evidence() -> SemanticInterface:
    torch.manual_seed(1)
    return SemanticInterface(K, E, H, concept_of_token=CONCEPT_OF_TOKEN)


def filled(conditioning: Conditioning) -> dict[str, Tensor]:
    return {name: value for name, value in vars(conditioning).items() if value is not None}


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", INTERFACES)
def test_each_interface_uses_its_own_way_and_no_other(kind: str, every_step: bool) -> None:
    conditioning = filled(build(kind, every_step)(seen()))
    assert set(conditioning) == {WAY[kind], *(["every"] if every_step else [])}
    assert all(value.shape == (3, WIDTH[name]) for name, value in conditioning.items())


@pytest.mark.parametrize("kind", INTERFACES)
def test_only_the_semantic_interface_lives_on_concepts_the_others_on_features(kind: str) -> None:
    interface, encoding, other = build(kind, every_step=True), seen(), seen(seed=9)
    before = filled(interface(encoding))
    new_features = filled(interface(replace(encoding, features=other.features)))
    new_concepts = filled(interface(replace(encoding, logits=other.logits, concepts=other.concepts)))
    same, changed = (new_features, new_concepts) if kind == "semantic" else (new_concepts, new_features)
    assert all(torch.equal(same[name], before[name]) for name in before)
    assert not any(torch.equal(changed[name], before[name]) for name in before)


def test_evidence_lives_on_concepts_too() -> None:
    interface, encoding = with_evidence(), seen()
    before = interface(encoding).logits
    assert torch.equal(interface(replace(encoding, features=encoding.features + 1)).logits, before)
    assert not torch.equal(interface(replace(encoding, concepts=encoding.concepts / 2)).logits, before)


@pytest.mark.parametrize("kind", ["state", "semantic"])
def test_the_first_state_is_a_state_an_lstm_can_have(kind: str) -> None:
    encoding = seen()
    hidden = build(kind)(replace(encoding, features=encoding.features * 1e4)).hidden
    assert hidden is not None and hidden.abs().max() <= 1


@pytest.mark.parametrize("kind", INTERFACES)
def test_only_fusion_touches_the_outputs(kind: str) -> None:
    interface = build(kind)
    fused, hidden = interface(seen()).fused, torch.randn(3, 2, H)
    assert torch.equal(interface.fuse(hidden, fused), hidden) == (kind != "fusion")


def test_fusion_is_the_same_for_whole_sequences_and_for_one_step() -> None:
    interface = build("fusion")
    assert isinstance(interface, FusionInterface)
    fused, hidden = interface(seen()).fused, torch.randn(3, 2, H)
    whole = interface.fuse(hidden, fused)
    torch.testing.assert_close(whole[:, 1], interface.fuse(hidden[:, 1], fused))
    assert whole.abs().max() <= 1


def test_the_base_conditions_nothing_and_says_so() -> None:
    with pytest.raises(TypeError, match="Interface is the base of the interfaces"):
        Interface(D, E, H)(seen())


@pytest.mark.parametrize("evidence", [1.0, 0.3])
def test_evidence_is_a_multiple_of_log_s_hat_at_concept_tokens_and_nothing_elsewhere(evidence: float) -> None:
    interface = with_evidence()
    assert interface.evidence is not None
    interface.evidence.data.fill_(evidence)
    s_hat = torch.tensor([[0.5, 0.0, 1.0, 0.2], [1e-9, 0.01, 0.9, 0.3]])
    logits = interface(Encoding(torch.zeros(2, D), torch.zeros(2, K), s_hat)).logits
    assert logits is not None
    for row, probabilities in zip(logits, s_hat, strict=True):
        for value, concept in zip(row, CONCEPT_OF_TOKEN.tolist(), strict=True):
            expected = evidence * probabilities[concept].clamp_min(PROBABILITY_FLOOR).log() if concept >= 0 else 0.0
            assert value.item() == pytest.approx(float(expected), abs=1e-6)


def test_evidence_is_learnt_but_which_token_is_which_concept_is_not_saved() -> None:
    names = set(with_evidence().state_dict())
    assert "evidence" in names
    assert "concept_of_token" not in names
    assert "evidence" not in build("semantic").state_dict()


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(2, 40), scale=st.floats(0.1, 100), shift=st.floats(-100, 100), seed=st.integers(0, 99))
def test_what_was_fitted_has_zero_mean_and_unit_deviation(rows: int, scale: float, shift: float, seed: int) -> None:
    x = torch.randn(rows, D, generator=torch.Generator().manual_seed(seed), dtype=torch.double) * scale + shift
    standardise = Standardise(D).double()
    standardise.fit(x)
    y = standardise(x)
    torch.testing.assert_close(y.mean(0), torch.zeros(D, dtype=torch.double), rtol=0, atol=1e-6)
    deviation = x.std(0, correction=0)  # below the floor it is the floor that counts
    expected = (deviation / STANDARD_DEVIATION_FLOOR).clamp_max(1.0)
    torch.testing.assert_close(y.std(0, correction=0), expected, rtol=1e-6, atol=1e-6)


def test_a_concept_that_never_varies_does_not_blow_up() -> None:
    standardise = Standardise(2)
    x = torch.tensor([[0.25, 0.0], [0.25, 1.0], [0.25, 0.5]])
    standardise.fit(x)
    assert standardise.deviation[0].item() == pytest.approx(STANDARD_DEVIATION_FLOOR)
    assert torch.equal(standardise(x)[:, 0], torch.zeros(3))
    unseen = standardise(torch.tensor([[0.26, 0.5]]))  # 0.01 off: ten floors, not infinity
    assert unseen[0, 0].item() == pytest.approx(10, rel=1e-3)


def test_standardising_is_saved_with_the_weights() -> None:
    fitted, fresh = build("semantic"), build("semantic")
    fitted.standardise.fit(torch.rand(20, K))
    fresh.load_state_dict(fitted.state_dict())
    assert torch.equal(fresh(seen()).hidden, fitted(seen()).hidden)


@pytest.mark.parametrize("kind", [*INTERFACES, "evidence"])
def test_no_gradient_passes_a_detached_encoding_but_the_interface_still_learns(kind: str) -> None:
    interface = with_evidence() if kind == "evidence" else build(kind, every_step=True)
    features, logits = torch.randn(3, D, requires_grad=True), torch.randn(3, K, requires_grad=True)
    encoding = Encoding(features, logits, logits.sigmoid())

    def told(encoding: Encoding) -> Tensor:
        return torch.stack([value.sum() for value in filled(interface(encoding)).values()]).sum()

    told(encoding.detach()).backward()
    assert features.grad is None and logits.grad is None
    assert all(weight.grad is not None for name, weight in interface.named_parameters() if "transform" not in name)
    told(encoding).backward()
    assert (logits if kind in ("semantic", "evidence") else features).grad is not None


def test_selecting_pictures_selects_every_way_and_leaves_unused_ones_unused() -> None:
    rows = torch.tensor([2, 0, 0])
    conditioning = build("input", every_step=True)(seen())
    picked = conditioning.select(rows)
    assert set(filled(picked)) == {"first", "every"}
    assert all(torch.equal(value, filled(conditioning)[name][rows]) for name, value in filled(picked).items())


def test_standardisation_follows_a_cnn_that_changes_and_stands_still_in_use() -> None:
    generator = torch.Generator().manual_seed(0)
    layer = Standardise(3)
    layer.fit(torch.randn(50, 3, generator=generator))
    layer.follow = 0.05
    layer.train()
    for _ in range(400):
        layer(5 + 2 * torch.randn(64, 3, generator=generator))
    torch.testing.assert_close(layer.mean, torch.full((3,), 5.0), atol=0.2, rtol=0)
    torch.testing.assert_close(layer.deviation, torch.full((3,), 2.0), atol=0.2, rtol=0)
    before = layer.mean.clone()
    layer.eval()
    layer(torch.zeros(4, 3))
    layer.train()
    layer.follow = 0.0
    layer(torch.zeros(4, 3))
    assert torch.equal(layer.mean, before)
