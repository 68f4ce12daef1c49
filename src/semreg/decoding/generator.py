"""What a search needs of a decoder: the model's own has it, and so has what an engine makes of one."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import Tensor

from semreg.model.interfaces import Encoding

S = TypeVar("S", bound="Movable")


class Movable(Protocol):
    """The state between two steps, for N = A * m rows: A pictures with m hypotheses each."""

    def select(self: S, rows: Tensor) -> S:
        """The state of `rows` (A', M), a row a picture; pictures may have left, hypotheses have become more."""
        ...

    def reorder(self: S, rows: Tensor) -> S:
        """As `select`, where all pictures stay with as many hypotheses as before."""
        ...


class Generator(Protocol[S]):
    """Writes token by token, and reads whole sequences."""

    def begin(self, encoding: Encoding) -> S:
        """The state of B pictures before the start token."""
        ...

    def step(self, tokens: Tensor, state: S) -> tuple[Tensor, S]:
        """Read one token a row (N,); logits (N, V) of the next ones, and the state after."""
        ...

    def __call__(self, encoding: Encoding, tokens: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each of `tokens` (B, T), which begin with the start token."""
        ...
