"""A trunk with branches is several networks that share their lower half: the same features, in one go."""

from __future__ import annotations

import pytest
import torch

from semreg.errors import SemregError
from semreg.model.branches import SHARED, BranchedTrunk
from semreg.model.trunks import blend, build_trunk, freeze


def branched(folded: bool = True) -> BranchedTrunk:
    torch.manual_seed(0)
    trunk = build_trunk("lite0", folded=folded, branches=2)
    assert isinstance(trunk, BranchedTrunk)
    other = build_trunk("lite0", folded=folded, branches=2)
    assert isinstance(other, BranchedTrunk)
    trunk.branches[1].load_state_dict(other.branches[0].state_dict())  # of other random weights
    return trunk.eval()


def single(trunk: BranchedTrunk, branch: int, folded: bool = True) -> torch.nn.Module:
    """The network that one branch is the upper half of."""
    network = build_trunk("lite0", folded=folded)
    ours = [*trunk.shared, *trunk.branches[branch]]  # type: ignore[misc]
    for theirs, part in zip(network.parts(), ours, strict=True):
        theirs.load_state_dict(part.state_dict())
    return network.eval()


PICTURES = torch.randint(0, 256, (2, 3, 64, 96), generator=torch.Generator().manual_seed(1)).float()


@torch.inference_mode()
@pytest.mark.parametrize("folded", [True, False])
def test_features_are_those_of_the_networks_one_after_another(folded: bool) -> None:
    trunk = branched(folded)
    apart = torch.cat([single(trunk, branch, folded)(PICTURES) for branch in range(2)], 1)
    torch.testing.assert_close(trunk(PICTURES), apart)
    assert apart.shape == (2, trunk.feature_size)
    assert not torch.allclose(apart[:, :1280], apart[:, 1280:])


@torch.inference_mode()
@pytest.mark.parametrize("parts", [0, 2, SHARED, SHARED + 2, 9])
def test_half_way_and_on_is_all_the_way(parts: int) -> None:
    trunk = branched()
    torch.testing.assert_close(trunk.upper(trunk.lower(PICTURES, parts), parts), trunk(PICTURES))


@torch.inference_mode()
def test_folding_changes_nothing() -> None:
    trunk = branched(folded=False)
    before = trunk(PICTURES)
    torch.testing.assert_close(trunk.fold()(PICTURES), before, atol=1e-4, rtol=1e-4)


def test_alone_a_branch_is_taught_and_asked_and_then_all_are_again() -> None:
    trunk = branched()
    freeze(trunk, SHARED + 1)
    learnt = {name for name, weight in trunk.named_parameters() if weight.requires_grad}
    assert all(name.startswith("branches.") for name in learnt)
    with trunk.alone(1):
        features = trunk(PICTURES)
        features.sum().backward()
    assert torch.equal(features[:, :1280], torch.zeros(2, 1280))
    torch.testing.assert_close(features[:, 1280:], single(trunk, 1)(PICTURES))
    moved = {name for name, weight in trunk.named_parameters() if weight.grad is not None}
    assert moved == {name for name in learnt if name.startswith("branches.1.")}
    assert {name for name, weight in trunk.named_parameters() if weight.requires_grad} == learnt
    assert trunk.only is None


def test_every_branch_begins_as_imagenet_and_can_go_back_to_it() -> None:
    trunk, first = (build_trunk("lite0", pretrained=True, folded=True, branches=2) for _ in range(2))
    plain = build_trunk("lite0", pretrained=True, folded=True)
    with torch.inference_mode():
        torch.testing.assert_close(trunk(PICTURES), plain(PICTURES).repeat(1, 2))
    with torch.no_grad():
        for weight in trunk.parameters():
            weight.add_(0.5)
    blend(trunk, first, 1.0)
    assert all(map(torch.equal, trunk.state_dict().values(), first.state_dict().values()))


def test_a_timm_model_has_no_branches() -> None:
    with pytest.raises(SemregError, match="only lite0, lite1 and lite2 can have branches, resnet18 cannot"):
        build_trunk("resnet18", branches=2)
