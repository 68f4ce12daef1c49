"""The two losses against the papers' formulas, element by element, and where numbers get large or nothing is left."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semreg.model.losses import UNARY_LOSSES, asymmetric_loss, binary_cross_entropy, relational_loss

PADDING = 0


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    pictures, concepts = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    size = pictures * concepts
    logits = draw(st.lists(st.floats(-8, 8), min_size=size, max_size=size))
    truth = draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=size, max_size=size))
    shape = (pictures, concepts)
    return torch.tensor(logits, dtype=torch.double).view(shape), torch.tensor(truth, dtype=torch.double).view(shape)


@settings(max_examples=50, deadline=None)
@given(batches())
def test_asymmetric_loss_without_asymmetry_is_binary_cross_entropy(drawn: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(
        asymmetric_loss(*drawn, negative=0, positive=0, margin=0), binary_cross_entropy(*drawn), rtol=1e-9, atol=1e-9
    )


@settings(max_examples=50, deadline=None)
@given(batches(), st.sampled_from([0, 1, 4]), st.sampled_from([0, 1, 2]), st.sampled_from([0, 0.05, 0.2]))
def test_asymmetric_loss_is_the_papers_formula(
    drawn: tuple[Tensor, Tensor], negative: float, positive: float, margin: float
) -> None:
    total = 0.0
    for z, y in zip(drawn[0].flatten().tolist(), drawn[1].flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-z))
        shifted = max(p - margin, 0.0)
        total -= y * (1 - p) ** positive * math.log(p) + (1 - y) * shifted**negative * math.log(1 - shifted)
    loss = asymmetric_loss(*drawn, negative=negative, positive=positive, margin=margin)
    assert loss.item() == pytest.approx(total / len(drawn[0]), rel=1e-9, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(batches())
def test_binary_cross_entropy_sums_concepts_and_averages_pictures(drawn: tuple[Tensor, Tensor]) -> None:
    logits, truth = drawn
    each = [binary_cross_entropy(logits[i : i + 1, j : j + 1], truth[i : i + 1, j : j + 1]) for i, j in grid(logits)]
    torch.testing.assert_close(binary_cross_entropy(logits, truth), torch.stack(each).sum() / len(logits))


def grid(x: Tensor) -> list[tuple[int, int]]:
    return [(i, j) for i in range(x.shape[0]) for j in range(x.shape[1])]


def test_a_negative_below_the_margin_costs_nothing() -> None:
    logits = torch.tensor([[-4.0]], requires_grad=True)  # probability 0.018
    loss = asymmetric_loss(logits, torch.zeros(1, 1))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None and logits.grad.item() == 0


def test_the_focusing_weights_pass_no_gradient() -> None:
    logits = torch.tensor([[0.4]], requires_grad=True)
    asymmetric_loss(logits, torch.ones(1, 1), positive=2.0).backward()
    missed = 1 - 1 / (1 + math.exp(-0.4))
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(-(missed**2) * missed, rel=1e-5)  # weight x slope of log p


@pytest.mark.parametrize("name", UNARY_LOSSES)
@pytest.mark.parametrize("right", [True, False])
def test_unary_losses_stay_finite_for_extreme_logits(name: str, right: bool) -> None:
    truth = torch.tensor([[1.0, 0.0]])
    logits = ((truth * 2 - 1) * (1e4 if right else -1e4)).requires_grad_()
    loss = UNARY_LOSSES[name](logits, truth)
    loss.backward()
    assert loss.isfinite() and loss >= 0
    assert (loss.item() == pytest.approx(0, abs=1e-6)) == right
    assert logits.grad is not None and logits.grad.isfinite().all()


@pytest.mark.parametrize(("negative", "positive"), [(4.0, 0.0), (0.0, 0.0), (2.0, 1.0)])
def test_asymmetric_loss_without_margin_stays_finite_for_extreme_logits(negative: float, positive: float) -> None:
    logits = torch.tensor([[1e4, -1e4, 1e4, -1e4]], requires_grad=True)
    loss = asymmetric_loss(logits, torch.tensor([[1.0, 1.0, 0.0, 0.0]]), negative, positive, margin=0.0)
    loss.backward()
    assert loss.item() == pytest.approx(2e4)
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_relational_loss_by_hand() -> None:
    # Row 1 gives its two tokens 1/2 and 1/8, row 2 its only one 1/4: the mean over three tokens.
    probabilities = torch.tensor([[[0.25, 0.5, 0.25], [0.125, 0.75, 0.125]], [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]])
    targets = torch.tensor([[1, 2], [2, PADDING]])
    expected = (math.log(2) + math.log(8) + math.log(4)) / 3
    assert relational_loss(probabilities.log(), targets, PADDING).item() == pytest.approx(expected)


def test_smoothing_by_hand() -> None:
    probabilities = torch.tensor([[[0.25, 0.5, 0.25]]])
    spread = (math.log(4) + math.log(2) + math.log(4)) / 3
    loss = relational_loss(probabilities.log(), torch.tensor([[1]]), PADDING, smoothing=0.1)
    assert loss.item() == pytest.approx(0.9 * math.log(2) + 0.1 * spread)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_more_padding_changes_no_relational_loss(smoothing: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 5, 4, generator=generator)
    targets = torch.tensor([[1, 2, 3, PADDING, PADDING], [3, 1, PADDING, PADDING, PADDING]])
    loss = relational_loss(logits, targets, PADDING, smoothing)
    torch.testing.assert_close(relational_loss(logits[:, :3], targets[:, :3], PADDING, smoothing), loss)
    other = logits.masked_fill((targets == PADDING)[..., None], 50.0)
    torch.testing.assert_close(relational_loss(other, targets, PADDING, smoothing), loss)
    assert not torch.isclose(relational_loss(logits + logits.flip(2), targets, PADDING, smoothing), loss)


def test_a_batch_of_padding_alone_costs_nothing_and_teaches_nothing() -> None:
    logits = torch.randn(2, 3, 4, requires_grad=True)
    loss = relational_loss(logits, torch.full((2, 3), PADDING), PADDING)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(2, 3, 4))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_relational_loss_stays_finite_for_extreme_logits(smoothing: float) -> None:
    logits = torch.tensor([[[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]]], requires_grad=True)
    loss = relational_loss(logits, torch.tensor([[1, 1]]), PADDING, smoothing)
    loss.backward()
    assert loss.isfinite() and loss > 0
    assert logits.grad is not None and logits.grad.isfinite().all()
