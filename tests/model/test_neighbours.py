"""The training pictures most like a picture vote on its concepts."""

from __future__ import annotations

import pytest
import torch

from semreg.model.neighbours import SMOOTHING, Neighbours

N, D, K = 40, 16, 11


def some(size: int = 8, whiten: float = 0.5, temperature: float = 0.1) -> tuple[Neighbours, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(N, D, generator=generator) * torch.linspace(0.2, 2, D) + 1
    truth = (torch.rand(N, K, generator=generator) < 0.3).float()
    truth[:, 4] = 0  # a concept that no picture has
    neighbours = Neighbours(N, D, K, size, temperature)
    neighbours.remember(features, truth, whiten)
    neighbours.share.fill_(1.0)
    return neighbours, features, truth


def test_votes_are_as_the_formula_says() -> None:
    neighbours, features, truth = some(size=D, whiten=0.0)
    new = torch.randn(3, D, generator=torch.Generator().manual_seed(1)) + 1
    likeness = torch.nn.functional.cosine_similarity(
        (new - features.mean(0))[:, None], (features - features.mean(0))[None], dim=2
    )  # with all directions, and their own variances: nothing but cosines
    votes = (likeness / 0.1).softmax(1) @ truth
    least = SMOOTHING * truth.mean(0)
    expected = ((votes + least) / (1 - votes + least)).log()
    expected[:, 4] = 0
    torch.testing.assert_close(neighbours(new), expected, atol=1e-4, rtol=1e-3)
    neighbours.share.fill_(0.5)
    torch.testing.assert_close(neighbours(new), expected / 2, atol=1e-4, rtol=1e-3)


def test_what_no_picture_has_nobody_votes_on() -> None:
    neighbours, features, _ = some()
    assert torch.equal(neighbours(features)[:, 4], torch.zeros(N))
    assert neighbours(features).isfinite().all()


def test_nobody_votes_for_himself() -> None:
    neighbours, features, truth = some(temperature=0.01)
    by_himself = neighbours(features)
    assert ((by_himself > 0).float() == truth).all()  # his own vote is all but all of them
    with_others = neighbours(features, torch.arange(N))
    assert ((with_others > 0).float() != truth).any()
    without = Neighbours(N - 1, D, K, 8, 0.01)
    without.remember(features[1:], truth[1:], 0.5)
    without.projection.copy_(neighbours.projection)
    without.centre.copy_(neighbours.centre)
    without.keys.copy_(neighbours.keys[1:])
    without.share.fill_(1.0)
    mine, theirs = neighbours(features[:1], torch.tensor([0])), without(features[:1])
    torch.testing.assert_close(mine, theirs, atol=0.3, rtol=0.1)  # rates differ by one picture
    torch.testing.assert_close(neighbours(features, torch.full((N,), -1)), by_himself)


def test_whitened_directions_count_alike() -> None:
    for whiten, equal in ((1.0, True), (0.0, False)):
        neighbours, features, _ = some(size=D, whiten=whiten)
        projected = (features - features.mean(0)) @ neighbours.projection
        variances = projected.var(0, correction=0)
        assert torch.allclose(variances, torch.ones(D), atol=1e-3) == equal


@pytest.mark.parametrize("half", [False, True])
def test_it_is_saved_and_read(half: bool) -> None:
    neighbours, features, truth = some()
    state = {n: v.half() if half and v.is_floating_point() else v for n, v in neighbours.state_dict().items()}
    again = Neighbours(N, D, K, 8, 0.1)
    again(features)  # unpacks what it remembers: nothing
    again.load_state_dict(state)
    assert torch.equal(again.labels, truth)
    torch.testing.assert_close(again(features), neighbours(features), atol=0.05 if half else 1e-6, rtol=0.02)
    assert neighbours.packed.numel() == N * 2 and neighbours.packed.dtype == torch.uint8


def test_fewer_directions_than_asked_for() -> None:
    neighbours = Neighbours(5, 3, 2, 8, 0.1)
    features = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    neighbours.remember(features, torch.eye(5)[:, :2], 1.0)
    neighbours.share.fill_(1.0)
    assert neighbours(features).isfinite().all()


def test_a_picture_like_a_stranger_has_fewer_concepts_and_others_keep_theirs() -> None:
    neighbours, features, truth = some()
    nothing = 30 * torch.ones(6, D) * torch.tensor([1.0, -1.0]).repeat(D // 2)  # unlike any of the pictures
    knowing = Neighbours(N + 6, D, K, 8, 0.1)
    knowing.remember(features, truth, 0.5)
    knowing.add(nothing, torch.zeros(6, K))
    knowing.share.fill_(1.0)
    assert torch.equal(knowing.labels[:N], truth) and not knowing.labels[N:].any()
    seen = truth.any(0)  # concepts that some picture has
    assert (knowing(nothing)[:, seen] < neighbours(nothing)[:, seen]).all()
    assert (knowing(nothing)[:, seen] < 0).all()
    assert ((knowing(features) > 0) == (neighbours(features) > 0)).float().mean() > 0.9


def test_pictures_that_join_later_vote_as_if_they_had_been_there() -> None:
    _, features, truth = some()
    begun, whole = Neighbours(N - 10, D, K, 8, 0.1), Neighbours(N, D, K, 8, 0.1)
    begun.remember(features[:-10], truth[:-10], 0.5)
    begun.add(features[-10:], truth[-10:])
    whole.load_state_dict({**whole.state_dict(), **begun.state_dict()})
    assert torch.equal(begun.labels, truth) and torch.equal(whole.labels, truth)
    begun.share.fill_(1.0)
    whole.share.fill_(1.0)
    assert torch.equal(begun(features), whole(features))
    assert ((begun(features[-10:]) > 0) == truth[-10:].bool()).float().mean() > 0.9  # each finds itself
