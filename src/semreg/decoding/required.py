"""How far sequences are from having said all that they must: phrases of tokens, each with alternatives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Phrase = tuple[int, ...]
Alternatives = tuple[Phrase, ...]

NOTHING = -1  # a token that no phrase has


@dataclass(frozen=True)
class Required:
    """One of its alternatives for each thing that must be said, as one run of tokens somewhere in the sequence.

    Attributes:
        wanted: for each thing the phrases of which one suffices, such as "horse" and "horses".
    """

    wanted: tuple[Alternatives, ...]

    @property
    def total(self) -> int:
        """Tokens that it takes at least, where no phrase overlaps another."""
        return sum(min(map(len, phrases)) for phrases in self.wanted)

    @property
    def tokens(self) -> list[int]:
        """All tokens that may bring a sequence forward, ascending."""
        return sorted({token for phrases in self.wanted for phrase in phrases for token in phrase})

    def remaining(self, history: Tensor) -> Tensor:
        """How many tokens each sequence still has to say at least, (N,), of histories (N, t); 0 where all is said.

        What is half said counts only as long as the sequence may go on with it, and of several half-said phrases the
        one that is furthest.
        """
        phrases = [phrase for alternatives in self.wanted for phrase in alternatives]
        longest = max(map(len, phrases))
        rows = [[*phrase, *[NOTHING] * (longest - len(phrase))] for phrase in phrases]
        table = torch.tensor(rows, device=history.device)  # (J, l)
        lengths = (table != NOTHING).sum(1)  # (J,)
        thing = torch.tensor([i for i, each in enumerate(self.wanted) for _ in each], device=history.device)  # (J,)

        windows = _padded(history, longest).unfold(1, longest, 1)  # (N, t + 1, l): what follows each position
        same = (windows[:, :, None] == table) | (table == NOTHING)
        said = same.all(3).any(1)  # (N, J)
        to_go = lengths.expand(len(history), -1).masked_fill(said, 0)  # (N, J)
        for done in range(1, min(longest - 1, history.shape[1]) + 1):
            begun = (history[:, None, -done:] == table[:, :done]).all(2) & (lengths > done) & ~said
            to_go = torch.where(begun, torch.minimum(to_go, lengths - done), to_go)

        least = to_go.new_full((len(self.wanted),), longest).scatter_reduce(0, thing, lengths, "amin")  # (C,)
        left = least.expand(len(history), -1).scatter_reduce(1, thing.expand_as(to_go), to_go, "amin")  # (N, C)
        open_ = left > 0
        gained = ((least - left) * open_).amax(1)
        return (least * open_).sum(1) - gained


def _padded(history: Tensor, count: int) -> Tensor:
    return torch.cat([history, history.new_full((len(history), count), NOTHING)], 1)
