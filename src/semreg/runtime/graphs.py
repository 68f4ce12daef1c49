"""A model as graphs of tensors alone, for other engines: what it sees, how its decoders begin, and one step of each.

`look`: pictures, uint8 (B, 3, S, S) -> features (B, D), logits (B, K) of the concepts; the trunk's normalisation, and
the average with the mirror image where the model has it, are inside.
`neighbours`, of models that have some: features (B, D) -> what their say adds to the logits, (B, K). A graph of its
own, since eight bits are enough for a CNN, and not for comparing a picture with thousands of others.
`begin-FORM`: the vector that stands for the picture, s_hat (B, K) for the semantic interface (the sigmoid of the
logits) and features (B, D) for the others -> what a picture brings to the decoder: hidden (B, H), cell (B, H), every
(B, 4H), words (B, V), and fused (B, H) for late fusion.
`step-FORM`: tokens (N,), owner (N,) (which picture each row belongs to), hidden (N, H), cell (N, H), and the pictures'
every, words and fused as `begin` gave them -> logits (N, V) of the next token, hidden, cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semreg.model.cnn_rnn import CnnRnn
from semreg.model.interfaces import Encoding, SemanticInterface
from semreg.model.prepared import PreparedDecoder

LOOK, NEIGHBOURS, BEGIN, STEP = "look", "neighbours", "begin", "step"
CONCEPTS, FEATURES = "concepts", "features"


@dataclass(frozen=True)
class Graph:
    """One graph, ready to be converted.

    Attributes:
        name: "look", "begin-tags", ...
        module: computes it.
        example: inputs.
        inputs: their names.
        outputs: names.
        rows: for each input, what its first dimension counts: "pictures" or "rows".
    """

    name: str
    module: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rows: tuple[str, ...]


class Look(nn.Module):
    """Pictures to features and concept logits."""

    def __init__(self, model: CnnRnn, mirror: bool) -> None:
        super().__init__()
        self.model, self.mirror = model, mirror

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (B, 3, S, S) to (B, D) and (B, K)."""
        features = self.model.look(pictures, self.mirror)
        return features, self.model.semantic(features)


class Begin(nn.Module):
    """What a picture brings to a decoder."""

    def __init__(self, decoder: PreparedDecoder) -> None:
        super().__init__()
        self.decoder, self.interface = decoder, decoder.interface  # the second so that its weights are found

    def forward(self, seen: Tensor) -> tuple[Tensor, ...]:
        """(B, K) or (B, D) to hidden, cell, every, words and, for late fusion, fused."""
        state = self.decoder.begin(Encoding(seen, seen, seen))  # an interface looks at one of them
        every = state.cell.repeat(1, 4) * 0 if state.every is None else state.every
        told = (state.hidden, state.cell + 0, every, state.logits + 0)
        return told if state.fused is None else (*told, state.fused)


class Step(nn.Module):
    """One step of a decoder."""

    def __init__(self, decoder: PreparedDecoder) -> None:
        super().__init__()
        self.table: nn.Parameter | None = None
        if decoder.table is not None:
            self.table = nn.Parameter(decoder.table, requires_grad=False)
        else:
            self.embedding = nn.Parameter(decoder.embedding, requires_grad=False)
            self.project = _linear(decoder.inputs, decoder.bias)
        self.recurrent, self.output = _linear(decoder.recurrent), _linear(decoder.output)
        self.interface = decoder.interface

    def forward(
        self,
        tokens: Tensor,
        owner: Tensor,
        hidden: Tensor,
        cell: Tensor,
        every: Tensor,
        words: Tensor,
        fused: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See the file's head."""
        if self.table is not None:
            gates = F.embedding(tokens, self.table)
        else:
            gates = self.project(F.embedding(tokens, self.embedding))
        gates = gates + every.index_select(0, owner) + self.recurrent(hidden)
        entry, forget, output, new = gates.sigmoid().chunk(4, 1)  # see PreparedDecoder for `new`
        cell = entry * (2 * new - 1) + forget * cell
        hidden = output * (2 * (2 * cell).sigmoid() - 1)
        told = hidden if fused is None else self.interface.fuse(hidden, fused.index_select(0, owner))
        return self.output(told) + words.index_select(0, owner), hidden, cell


def graphs_of(model: CnnRnn, *, mirror: bool, size: int) -> list[Graph]:
    """All graphs of a model in evaluation mode, single precision, on the CPU.

    Args:
        model: the model.
        mirror: average the features of a picture and its mirror image.
        size: side S of the pictures.
    """
    pictures = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    found = [Graph(LOOK, Look(model, mirror), (pictures,), ("pictures",), ("features", "logits"), ("pictures",))]
    if model.neighbours is not None:
        features = torch.rand(2, model.trunk.feature_size)
        model.neighbours(features)  # unpacks what it remembers, which no graph has to
        found.append(Graph(NEIGHBOURS, model.neighbours, (features,), ("features",), ("said",), ("pictures",)))
    for form in model.decoders:
        decoder = PreparedDecoder(model.decoder(form))
        begin, source = Begin(decoder).eval(), source_of(model, form)
        seen = torch.rand(2, model.semantic.out_features if source == CONCEPTS else model.trunk.feature_size)
        with torch.no_grad():
            told = begin(seen)
        names = ("hidden", "cell", "every", "words", "fused")[: len(told)]
        found.append(Graph(f"{BEGIN}-{form}", begin, (seen,), (source,), names, ("pictures",)))
        owner = torch.tensor([0, 0, 1, 1, 1])  # more rows than pictures: an exporter must not take them for one number
        # Clones: an exporter takes one tensor given twice for one input.
        example = (owner.clone(), owner, told[0][owner], told[1][owner], *told[2:])
        rows = ("rows",) * 4 + ("pictures",) * (len(told) - 2)
        outputs = ("next", "hidden_after", "cell_after")
        found.append(Graph(f"{STEP}-{form}", Step(decoder).eval(), example, ("tokens", "owner", *names), outputs, rows))
    return found


def source_of(model: CnnRnn, form: str) -> str:
    """Which vector the decoder of `form` begins from: "concepts" or "features"."""
    return CONCEPTS if isinstance(model.decoder(form).interface, SemanticInterface) else FEATURES


def _linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias, requires_grad=False)
    return linear.eval()
