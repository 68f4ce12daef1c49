"""The state of a run on disk: all that is needed to go on to the same weights as without a break."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semreg.errors import SemregError
from semreg.files import atomic_write

CHECKPOINT = "checkpoint.pt"


@dataclass
class Progress:
    """Where a run is. No random state: every step draws its own from the seed, the stage and its number.

    Attributes:
        stage: number of the stage, from 0.
        epoch: epochs of it that are done.
        step: updates of the current epoch that are done.
        best: the stage's best validation metric so far.
        best_epoch: the epoch, from 1, that gave it.
        seconds: time spent in all stages.
        updates: updates in all stages.
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    best: float = float("-inf")
    best_epoch: int = 0
    seconds: float = 0.0
    updates: int = 0


class Average:
    """Moving average of the weights that learn; it starts fast, so that short stages have one too.

    Args:
        model: its weights at the start.
        decay: share of the average that an update keeps, in the long run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.weights = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after an update."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, parameter in model.named_parameters():
            if name in self.weights:
                self.weights[name].lerp_(parameter.detach(), 1 - decay)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with the average in place of its weights, for a while."""
        own = {name: value.clone() for name, value in model.state_dict().items() if name in self.weights}
        model.load_state_dict(self.weights, strict=False)
        try:
            yield
        finally:
            model.load_state_dict(own, strict=False)


def save_checkpoint(path: Path, progress: Progress, states: dict[str, Any]) -> None:
    """Write a checkpoint: beside, synced, renamed."""
    with atomic_write(path, binary=True) as file:
        torch.save({"progress": asdict(progress), **states}, file)


def load_checkpoint(path: Path) -> tuple[Progress, dict[str, Any]]:
    """Read a checkpoint.

    Raises:
        SemregError: there is none, or it is damaged.
    """
    try:
        states = torch.load(path, map_location="cpu", weights_only=True)
        return Progress(**states.pop("progress")), states
    except FileNotFoundError:
        raise SemregError(f"{str(path.parent)!r} has no {CHECKPOINT} to resume from: start it anew") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = str(error).strip().split("\n")[0][:200]
        raise SemregError(f"{path} is damaged ({reason}): start the run anew") from None


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the model's state on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
