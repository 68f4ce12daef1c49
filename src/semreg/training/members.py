"""One stage taught several times from one start: the mean of the weights, a soup, or a branch of the trunk each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from semreg.model.branches import BranchedTrunk
from semreg.model.cnn_rnn import CnnRnn

State = dict[str, Tensor]
BRANCHES, LAYER = "trunk.branches.", "semantic.weight"


class Members:
    """What the members of a stage have learnt, and where all of them begin.

    Fine-tuned from one start, networks that have seen other batches and other augmentations lie in one basin: their
    mean is nearly as good as all of them asked together, at the price of one (model soups: Wortsman et al., ICML 2022,
    arXiv:2203.05482). Where the trunk has a branch for each, they *are* asked together: each teaches its own branch,
    and the concept layer weighs them equally.

    Args:
        start: the model's state as each member finds it.
        branched: whether each has a branch of its own.
    """

    def __init__(self, start: State, branched: bool) -> None:
        self.start, self.branched = start, branched
        self.learnt: list[State] = []
        self.epochs: list[int] = []

    def add(self, member: State, epochs: int) -> None:
        """Take in a member's weights, which it had after so many epochs."""
        self.learnt.append(member)
        self.epochs.append(epochs)

    def together(self) -> State:
        """The state that goes on; of whole numbers, which count and do not learn, the last member's."""
        state = {name: self._mean(name) for name in self.start}
        if self.branched:
            for name in state:
                if name.startswith(BRANCHES):
                    state[name] = self.learnt[int(name.removeprefix(BRANCHES).split(".")[0])][name]
            count = len(self.learnt)
            parts = [member[LAYER].chunk(count, 1)[number] for number, member in enumerate(self.learnt)]
            state[LAYER] = torch.cat(parts, 1) / count
        return state

    def _mean(self, name: str) -> Tensor:
        values = [member[name] for member in self.learnt]
        if not values[0].is_floating_point():
            return values[-1]
        return torch.stack([value.double() for value in values]).mean(0).to(values[0].dtype)

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"start": self.start, "branched": self.branched, "learnt": self.learnt, "epochs": self.epochs}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Members:
        """From a checkpoint."""
        members = cls(state["start"], state["branched"])
        members.learnt, members.epochs = list(state["learnt"]), list(state["epochs"])
        return members


def has_a_branch_each(model: CnnRnn, members: int) -> bool:
    """Whether a stage's members can each teach a branch: as many as there are, and the branches learn in it."""
    trunk = model.trunk
    return (
        isinstance(trunk, BranchedTrunk)
        and len(trunk.branches) == members
        and any(weight.requires_grad for weight in trunk.branches.parameters())
    )


@contextmanager
def taught_alone(model: CnnRnn, branch: int | None) -> Iterator[None]:
    """The model while one member learns: with a branch of its own, that one alone is taught and asked."""
    if branch is None:
        yield
    else:
        assert isinstance(model.trunk, BranchedTrunk)
        with model.trunk.alone(branch):
            yield
