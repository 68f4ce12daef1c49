"""Several decoders of one vocabulary as one that writes what they would write together: the mean of their logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from semreg.model.decoder import Decoder
from semreg.model.interfaces import SemanticInterface

FROM_HIDDEN = "transform"  # the one layer of an interface that reads the decoder's state, not the picture


@torch.no_grad()
def join(members: Sequence[Decoder], joined: Decoder) -> None:
    """Give a decoder the weights with which its logits are the mean of M others'.

    The members' states stand side by side and never meet: the LSTM's matrices are block-diagonal, embeddings and
    interfaces are side by side, the output layer has the mean. So the M decoders are one of M times their size, and
    nothing that generates, exports or explains has to know of it.

    Args:
        members: of one interface, one size and one vocabulary, whose interfaces have the same scale.
        joined: of M times their embedding and hidden sizes; changed in place.

    Raises:
        ValueError: sizes that do not fit, or embeddings of the picture in different scales.
    """
    count, first = len(members), members[0]
    if (joined.lstm.hidden_size, joined.lstm.input_size) != (
        count * first.lstm.hidden_size,
        count * first.lstm.input_size,
    ):
        raise ValueError(f"{count} decoders of {first.lstm.hidden_size} are no decoder of {joined.lstm.hidden_size}")
    joined.embed.weight.copy_(torch.cat([member.embed.weight for member in members], 1))
    for name, weight in joined.lstm.named_parameters():
        of_gates = [getattr(member.lstm, name).chunk(4) for member in members]  # input, forget, cell, output
        side_by_side: Callable[..., Tensor] = torch.block_diag if weight.dim() == 2 else lambda *parts: torch.cat(parts)
        weight.copy_(torch.cat([side_by_side(*gate) for gate in zip(*of_gates, strict=True)]))
    joined.output.weight.copy_(torch.cat([member.output.weight for member in members], 1) / count)
    joined.output.bias.copy_(torch.stack([member.output.bias for member in members]).mean(0))
    for name, layer in joined.interface.named_children():
        theirs = [getattr(member.interface, name) for member in members]
        if not isinstance(layer, nn.Linear):
            continue
        beside = torch.block_diag if name == FROM_HIDDEN else lambda *parts: torch.cat(parts)
        layer.weight.copy_(beside(*(each.weight for each in theirs)))
        layer.bias.copy_(torch.cat([each.bias for each in theirs]))
    for name, figure in joined.interface.standardise.named_buffers():
        scales = [getattr(member.interface.standardise, name) for member in members]
        if not all(torch.allclose(scale, scales[0], rtol=1e-4, atol=1e-6) for scale in scales):
            raise ValueError(f"the decoders' interfaces differ in {name}: they were taught on different pictures")
        figure.copy_(scales[0])
    if isinstance(joined.interface, SemanticInterface) and joined.interface.evidence is not None:
        interfaces = [m.interface for m in members if isinstance(m.interface, SemanticInterface)]
        shares: list[Tensor] = [each.evidence for each in interfaces if each.evidence is not None]
        joined.interface.evidence.copy_(torch.stack(shares).mean())
