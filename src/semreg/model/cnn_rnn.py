"""The paper's model. Start here: picture -> trunk -> semantic layer -> interface -> LSTM -> tags, or a caption.

Liu, Xiang, Hospedales, Yang and Sun: Semantic Regularisation for Recurrent Image Annotation, CVPR 2017,
arXiv:1611.05490. The CNN predicts s_hat, one probability for each named concept, and is taught to by a loss of its
own (L_u). That vector is all that the semantic interface passes on: the LSTM starts from it and learns how concepts
go together (L_r). So each part can be trained alone, or both jointly on L = L_u + lambda L_r.

Letters, the same everywhere: B pictures, D features, K concepts, V words or labels (with the special tokens), H hidden
units, E embedding, T steps, M beams, S picture side in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from semreg.model.decoder import Decoder
from semreg.model.interfaces import Encoding

if TYPE_CHECKING:
    from semreg.model.consensus import Consensus
    from semreg.model.efficientnet_lite import EfficientNetLite
    from semreg.model.neighbours import Neighbours
    from semreg.model.orders import Arrange
    from semreg.model.trunks import SideBySide, TimmTrunk

PRIOR = 0.01  # what the concept layer says of every concept before it has learnt anything


@dataclass(frozen=True)
class Halfway:
    """B pictures on their way through the built-in trunk, where its first parts are fixed and need not be run again.

    Attributes:
        grid: (B, C, h, w) what the first `parts` parts made of them.
        parts: how many are behind them.
    """

    grid: Tensor
    parts: int

    def to(self, device: torch.device) -> Halfway:
        """The same on a device, in single precision."""
        return Halfway(self.grid.to(device, torch.float32), self.parts)


class Taught(NamedTuple):
    """What a batch gave.

    Attributes:
        encoding: what the CNN saw, for L_u.
        logits: for each form (B, T, V), of the tokens after the start token, for L_r.
        paths: for each form the path that was taught, (B, T + 1), which the logits belong to.
    """

    encoding: Encoding
    logits: dict[str, Tensor]
    paths: dict[str, Tensor]


class CnnRnn(nn.Module):
    """One trunk and one concept layer, and on them a decoder for each form of annotation.

    Args:
        trunk: pictures (B, 3, S, S), 0..255, to features phi(I) (B, D).
        concepts: K.
        decoders: by the form that they write: "tags", "caption", or both.
        dropout: on phi(I) before the concept layer, while training.
        neighbours: the concept layer's second witness, or none.
        consensus: what chooses among several captions of a picture, or none.
    """

    def __init__(
        self,
        trunk: EfficientNetLite | TimmTrunk | SideBySide,
        concepts: int,
        decoders: Mapping[str, Decoder],
        dropout: float = 0.2,
        neighbours: Neighbours | None = None,
        consensus: Consensus | None = None,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        self.semantic = nn.Linear(trunk.feature_size, concepts)  # W_s, b_s
        self.neighbours, self.consensus = neighbours, consensus
        self.decoders = nn.ModuleDict(decoders)
        nn.init.normal_(self.semantic.weight, std=0.01)
        nn.init.constant_(self.semantic.bias, -torch.log(torch.tensor(1 / PRIOR - 1)).item())

    def encode(self, pictures: Tensor | Halfway, mirror: bool = False) -> Encoding:
        """See: pictures (B, 3, S, S), 0..255 in RGB, to features, concept logits and s_hat.

        With `mirror` the features are the mean of a picture's and its mirror image's.
        """
        if isinstance(pictures, Halfway):
            return self.recognise(self.trunk.upper(pictures.grid, pictures.parts))
        return self.recognise(self.look(pictures, mirror))

    def look(self, pictures: Tensor, mirror: bool = False) -> Tensor:
        """Pictures (B, 3, S, S), 0..255 in RGB, to features phi(I) (B, D); with `mirror`, as `encode` says."""
        features: Tensor = self.trunk(pictures)
        return (features + self.trunk(pictures.flip(3))) / 2 if mirror else features

    def recognise(self, features: Tensor, own: Tensor | None = None) -> Encoding:
        """The semantic layer: phi(I) (B, D) to s_hat = sigmoid(W_s phi(I) + b_s) (B, K).

        Where the model has neighbours, what they say is added before the sigmoid; `own` is for the pictures that it
        remembers, see `Neighbours`.
        """
        logits = self.semantic(self.dropout(features))
        if self.neighbours is not None:
            logits = logits + self.neighbours(features, own)
        return Encoding(features, logits, logits.sigmoid())

    def decoder(self, form: str) -> Decoder:
        """The decoder that writes `form`: "tags" or "caption"."""
        decoder = self.decoders[form]
        assert isinstance(decoder, Decoder)
        return decoder

    def forward(
        self,
        source: Tensor | Halfway | Encoding,
        paths: Mapping[str, Tensor],
        stop_gradient: bool = False,
        arrange: Mapping[str, Arrange] | None = None,
    ) -> Taught:
        """See and tell, under teacher forcing.

        Args:
            source: pictures (B, 3, S, S), 0..255 in RGB; or what was seen in them, where the CNN is fixed.
            paths: for each form the true tokens (B, T + 1), from the start token to the stop token.
            stop_gradient: keep the relational loss from reaching the CNN (complete decoupling).
            arrange: for forms whose order is the model's own to choose, how it chooses.
        """
        encoding = source if isinstance(source, Encoding) else self.encode(source)
        told = encoding.detach() if stop_gradient else encoding
        taught, logits = dict(paths), {}
        for form in paths:
            decoder = self.decoder(form)
            if arrange and form in arrange:
                taught[form] = arrange[form](decoder, told.detach(), paths[form])
            logits[form] = decoder(told, taught[form][:, :-1])
        return Taught(encoding, logits, taught)
