"""The LSTM that writes tags or captions: whole sequences when it is taught, one step at a time when it generates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from semreg.model.interfaces import Conditioning, Encoding, Interface

EMBEDDING_RANGE = 0.08  # word embeddings start uniform in +- this


@dataclass(frozen=True)
class State:
    """The decoder between two steps, for N rows (pictures, or pictures x beams).

    Attributes:
        hidden: h_t, (N, H).
        cell: c_t, (N, H).
        conditioning: the rows' pictures.
    """

    hidden: Tensor
    cell: Tensor
    conditioning: Conditioning

    def select(self, rows: Tensor) -> State:
        """The state of `rows`, of any shape, in that order; rows may repeat."""
        rows = rows.flatten()
        return State(self.hidden[rows], self.cell[rows], self.conditioning.select(rows))

    def reorder(self, rows: Tensor) -> State:
        """As `select`, where every row stays with its picture: the conditioning need not move."""
        rows = rows.flatten()
        return replace(self, hidden=self.hidden[rows], cell=self.cell[rows])


class Decoder(nn.Module):
    """One LSTM over one vocabulary, told of the picture by an interface.

    Args:
        interface: any of the four.
        vocabulary: V, with the special tokens.
        embedding: E.
        hidden: H.
        dropout: on the LSTM's input and output, while training.
    """

    def __init__(
        self,
        interface: Interface,
        vocabulary: int,
        embedding: int = 512,
        hidden: int = 512,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.interface = interface
        self.embed = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.output = nn.Linear(hidden, vocabulary)
        self.dropout = nn.Dropout(dropout)
        nn.init.uniform_(self.embed.weight, -EMBEDDING_RANGE, EMBEDDING_RANGE)

    def forward(self, encoding: Encoding, tokens: Tensor) -> Tensor:
        """Teacher forcing: logits (B, T, V) of the token after each of `tokens` (B, T), which begin with start."""
        state = self.begin(encoding)
        x = self.embed(tokens)  # (B, T, E)
        if state.conditioning.every is not None:
            x = x + state.conditioning.every[:, None]
        start = (state.hidden[None], state.cell[None])  # (1, B, H) each
        hidden, _ = self.lstm(self.dropout(x), start)  # (B, T, H)
        return self._logits(hidden, state.conditioning)

    def begin(self, encoding: Encoding) -> State:
        """The state of B pictures before the start token."""
        conditioning = self.interface(encoding)
        rows = len(encoding.concepts)
        zeros = self.output.weight.new_zeros(rows, self.lstm.hidden_size)
        state = State(zeros if conditioning.hidden is None else conditioning.hidden, zeros, conditioning)
        return state if conditioning.first is None else self._advance(conditioning.first, state)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one token a row (N,); logits (N, V) of the next ones, and the state after."""
        x = self.embed(tokens)  # (N, E)
        if state.conditioning.every is not None:
            x = x + state.conditioning.every
        state = self._advance(x, state)
        return self._logits(state.hidden, state.conditioning), state

    def _advance(self, x: Tensor, state: State) -> State:
        _, (hidden, cell) = self.lstm(self.dropout(x)[:, None], (state.hidden[None], state.cell[None]))
        return replace(state, hidden=hidden[0], cell=cell[0])

    def _logits(self, hidden: Tensor, conditioning: Conditioning) -> Tensor:
        logits: Tensor = self.output(self.dropout(self.interface.fuse(hidden, conditioning.fused)))
        if conditioning.logits is None:
            return logits
        return logits + (conditioning.logits if hidden.dim() == 2 else conditioning.logits[:, None])


@torch.no_grad()
def path_probabilities(
    decoder: Callable[[Encoding, Tensor], Tensor], encoding: Encoding, tokens: Tensor, lengths: Tensor
) -> Tensor:
    """How probable each token was at its best step along a path that was taken.

    Args:
        decoder: in evaluation mode; gives the logits (B, T, V) along paths.
        encoding: of B pictures.
        tokens: (B, T) the paths, beginning with the start token, padded behind.
        lengths: (B,) how many of each row's tokens count.

    Returns:
        (B, V) the largest softmax probability of every token over the steps; also of tokens not on the path.
    """
    probabilities = decoder(encoding, tokens).softmax(-1)  # (B, T, V)
    beyond = torch.arange(tokens.shape[1], device=tokens.device) >= lengths[:, None]  # (B, T)
    return probabilities.masked_fill(beyond[..., None], 0.0).amax(1)
