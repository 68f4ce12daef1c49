"""An engine whose CNN somebody else runs as a graph: ONNX Runtime and OpenVINO differ only in how it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from semreg.decoding.generator import Generator
from semreg.model.interfaces import Encoding

# Runs a graph on tensors; what it returns may be overwritten by its next run in the same thread.
Run: TypeAlias = Callable[[Sequence[Tensor]], list[Tensor]]


@dataclass(frozen=True)
class GraphState:
    """Between two steps: A pictures with m rows each, N = A * m.

    Attributes:
        hidden: (N, H).
        cell: (N, H).
        owner: (N,) which picture each row belongs to.
        told: what the pictures bring, (A, ...) each.
    """

    hidden: Tensor
    cell: Tensor
    owner: Tensor
    told: tuple[Tensor, ...]

    def select(self, rows: Tensor) -> GraphState:
        """The state of `rows` (A', M): of A' of the pictures, M rows each."""
        flat, pictures = rows.flatten(), self.owner[rows[:, 0]]
        owner = torch.arange(len(rows)).repeat_interleave(rows.shape[1])
        return GraphState(self.hidden[flat], self.cell[flat], owner, tuple(value[pictures] for value in self.told))

    def reorder(self, rows: Tensor) -> GraphState:
        """The state of `rows` (A, m): every row stays with its picture."""
        flat = rows.flatten()
        return replace(self, hidden=self.hidden[flat], cell=self.cell[flat])


class GraphDecoder:
    """Generates through two graphs, as one would without torch; `PreparedDecoder` is faster.

    Args:
        begin: what a picture brings.
        step: one step.
        source: what `begin` wants of an encoding: "concepts" or "features".
    """

    def __init__(self, begin: Run, step: Run, source: str) -> None:
        self._begin, self._step, self._source = begin, step, source

    def begin(self, encoding: Encoding) -> GraphState:
        """The state of B pictures before the start token."""
        hidden, cell, *told = (value.clone() for value in self._begin([getattr(encoding, self._source)]))
        return GraphState(hidden, cell, torch.arange(len(hidden)), tuple(told))

    def step(self, tokens: Tensor, state: GraphState) -> tuple[Tensor, GraphState]:
        """Read one token a row (N,); logits (N, V) of the next ones, valid until the next step, and the state after."""
        logits, hidden, cell = self._step([tokens, state.owner, state.hidden, state.cell, *state.told])
        return logits, replace(state, hidden=hidden.clone(), cell=cell.clone())

    def __call__(self, encoding: Encoding, tokens: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each of `tokens` (B, T), which begin with the start token."""
        state, told = self.begin(encoding), []
        for token in tokens.unbind(1):
            logits, state = self.step(token, state)
            told.append(logits.clone())
        return torch.stack(told, 1)


class GraphEngine:
    """An engine on graphs.

    Args:
        name: of the engine, with its precision.
        look: runs the graph `look`; see `semreg.runtime.graphs`.
        generator: what writes each form.
        streams: batches that it best works on at the same time.
        neighbours: from features to what is added to the logits, of models that have neighbours.
    """

    device = torch.device("cpu")

    def __init__(
        self,
        name: str,
        look: Run,
        generator: Callable[[str], Generator[Any]],
        streams: int = 1,
        neighbours: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.name, self.generator, self.streams = name, generator, streams
        self._look, self._neighbours = look, neighbours

    def encode(self, pictures: Tensor) -> Encoding:
        """See: uint8 (B, 3, S, S) to what the CNN saw."""
        features, logits = (value.clone() for value in self._look([pictures]))
        if self._neighbours is not None:
            logits = logits + self._neighbours(features)
        return Encoding(features, logits, logits.sigmoid())
