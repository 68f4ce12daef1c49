"""A decoder made ready for generating: the same LSTM with everything worked out beforehand that no step changes.

Of the two matrix products of an LSTM's step the one with the word's embedding has as many outcomes as there are words:
they become a table. What a picture adds at every step is worked out and kept once, however many beams the picture has.
What remains of a step is a row of the table, one product with the state, and the output layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from semreg.model.decoder import Decoder
from semreg.model.interfaces import Encoding
from semreg.model.packed import product

TABLE_LIMIT = 64 * 2**20  # bytes; a larger table (more than 8,000 words at H = 512) is slower to reach than to compute


@dataclass(frozen=True)
class PreparedState:
    """Between two steps: A pictures with m rows each, N = A * m.

    Attributes:
        hidden: h_t, (N, H), in the precision of the products.
        cell: c_t, (N, H).
        every: what the pictures add to the gates at every step, (A, 4H), or None.
        logits: what they and the bias add to the output, (A, V).
        fused: what late fusion adds, (A, H), or None.
    """

    hidden: Tensor
    cell: Tensor
    every: Tensor | None
    logits: Tensor
    fused: Tensor | None

    def select(self, rows: Tensor) -> PreparedState:
        """The state of `rows` (A', M): of A' of the pictures, M rows each."""
        flat, pictures = rows.flatten(), rows[:, 0] // self.shape[1]
        return PreparedState(
            self.hidden[flat],
            self.cell[flat],
            None if self.every is None else self.every[pictures],
            self.logits[pictures],
            None if self.fused is None else self.fused[pictures],
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(A, m)."""
        pictures = len(self.logits)
        return pictures, len(self.hidden) // max(1, pictures)

    def reorder(self, rows: Tensor) -> PreparedState:
        """The state of `rows` (A, m): every row stays with its picture."""
        flat = rows.flatten()
        return replace(self, hidden=self.hidden[flat], cell=self.cell[flat])


class PreparedDecoder:
    """Generates what its decoder would, to rounding; later changes of the decoder's weights do not show.

    Args:
        decoder: in evaluation mode.
        dtype: precision of the matrix products; sums, cells and logits are float32 either way. bfloat16 is twice as
            fast where the processor has it.
        packed: keep the matrices in the order that the processor multiplies fastest; not where a graph is traced.
    """

    def __init__(self, decoder: Decoder, dtype: torch.dtype = torch.float32, *, packed: bool = False) -> None:
        self.interface, self.dtype = decoder.interface, dtype
        lstm = decoder.lstm
        self.hidden_size = lstm.hidden_size
        with torch.no_grad():

            def arranged(name: str) -> Tensor:
                """Gates as i, f, o, g; twice g, for tanh(g) = 2 sigmoid(2 g) - 1, and torch's tanh is a slow one."""
                entry, forget, new, output = lstm.get_parameter(name).float().chunk(4)
                return torch.cat([entry, forget, output, 2 * new])

            inputs, recurrent = arranged("weight_ih_l0"), arranged("weight_hh_l0")  # (4H, E), (4H, H)
            self.bias = arranged("bias_ih_l0") + arranged("bias_hh_l0")  # (4H,)
            self.inputs = inputs
            self.embedding = decoder.embed.weight.detach().float()  # (V, E)
            small = len(self.embedding) * len(inputs) * inputs.element_size() <= TABLE_LIMIT
            self.table = F.linear(self.embedding, inputs, self.bias) if small else None  # (V, 4H)
            self.recurrent = recurrent.to(dtype)
            self.output = decoder.output.weight.detach().to(dtype)  # (V, H)
            self._recur, self._say = product(self.recurrent, packed), product(self.output, packed)
            self._read = product(inputs.to(dtype), packed)
            self.output_bias = decoder.output.bias.detach().float()

    @torch.no_grad()
    def begin(self, encoding: Encoding) -> PreparedState:
        """The state of B pictures before the start token."""
        rows, told = encoding.concepts.shape[0], self.interface(encoding)  # not len(): a tracer would keep the number
        zeros = self.output_bias.new_zeros(rows, self.hidden_size)
        logits = self.output_bias.expand(rows, -1) if told.logits is None else told.logits + self.output_bias
        hidden = zeros if told.hidden is None else told.hidden
        every = None if told.every is None else self._entered(told.every)
        state = PreparedState(hidden.to(self.dtype), zeros, every, logits, told.fused)
        return state if told.first is None else self._advance(self._entered(told.first) + self.bias, state)

    @torch.no_grad()
    def step(self, tokens: Tensor, state: PreparedState) -> tuple[Tensor, PreparedState]:
        """Read one token a row (N,); logits (N, V) of the next ones, and the state after."""
        state = self._advance(self._gates(tokens, state), state)
        return self._logits(state.hidden, state), state

    @torch.no_grad()
    def __call__(self, encoding: Encoding, tokens: Tensor) -> Tensor:
        """Logits (B, T, V) of the token after each of `tokens` (B, T), which begin with the start token."""
        state, hidden = self.begin(encoding), []
        for token in tokens.unbind(1):
            state = self._advance(self._gates(token, state), state)
            hidden.append(state.hidden)
        rows = torch.stack(hidden, 1)  # (B, T, H)
        return self._logits(rows.flatten(0, 1), state).view(*tokens.shape, -1)

    def _entered(self, vectors: Tensor) -> Tensor:
        """What vectors (N, E) in the place of a word put into the gates, (N, 4H)."""
        return self._read(vectors.to(self.dtype)).float()

    def _gates(self, tokens: Tensor, state: PreparedState) -> Tensor:
        """What word and picture put into the gates, (N, 4H), a tensor of its own."""
        if self.table is not None:
            gates = self.table.index_select(0, tokens)
        else:
            gates = self._entered(self.embedding.index_select(0, tokens)) + self.bias
        if state.every is not None:
            gates.view(*state.shape, gates.shape[1]).add_(state.every[:, None])
        return gates

    def _advance(self, gates: Tensor, state: PreparedState) -> PreparedState:
        """One step of the LSTM; `gates` is used up."""
        gates += self._recur(state.hidden)
        entry, forget, output, new = gates.sigmoid_().chunk(4, 1)
        cell = (forget * state.cell).addcmul_(entry, new.mul_(2).sub_(1))
        hidden = output * (2 * cell).sigmoid_().mul_(2).sub_(1)
        return replace(state, hidden=hidden.to(self.dtype), cell=cell)

    def _logits(self, hidden: Tensor, state: PreparedState) -> Tensor:
        """The output layer: rows (N, H), as many a picture, to logits (N, V)."""
        if state.fused is not None:
            grouped = hidden.float().view(len(state.fused), len(hidden) // max(1, len(state.fused)), self.hidden_size)
            hidden = self.interface.fuse(grouped, state.fused).flatten(0, 1).to(self.dtype)
        logits = self._say(hidden).float()
        pictures = len(state.logits)
        logits.view(pictures, len(logits) // max(1, pictures), logits.shape[1]).add_(state.logits[:, None])
        return logits
