"""The interface between CNN and RNN, the paper's figure 1: input (a), state (b), fusion (c), semantic (d).

All four keep one contract: an `Encoding` of the pictures in, a `Conditioning` of the decoder out, and `fuse` for
what happens between the LSTM's output and the softmax. Decoder, losses and search are the same for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

STANDARD_DEVIATION_FLOOR = 1e-3  # a concept that never varies must not blow up
PROBABILITY_FLOOR = 1e-4  # log s_hat stays above about -9


@dataclass(frozen=True)
class Encoding:
    """What the CNN saw in B pictures.

    Attributes:
        features: phi(I), (B, D).
        logits: the concept layer before the sigmoid, (B, K); what the unary loss wants.
        concepts: s_hat, (B, K), probabilities in 0..1; what people read and correct.
    """

    features: Tensor
    logits: Tensor
    concepts: Tensor

    @classmethod
    def join(cls, parts: Sequence[Encoding]) -> Encoding:
        """Several as one, in their order."""
        if len(parts) == 1:
            return parts[0]
        rows = zip(*((part.features, part.logits, part.concepts) for part in parts), strict=True)
        return cls(*map(torch.cat, rows))

    def detach(self) -> Encoding:
        """The same numbers with the gradient stopped: CNN and RNN completely decoupled."""
        return Encoding(self.features.detach(), self.logits.detach(), self.concepts.detach())


@dataclass(frozen=True)
class Conditioning:
    """How a picture enters the decoder; None where an interface leaves a way unused.

    Attributes:
        first: an input before the start token, (B, E).
        hidden: the first hidden state h_0, (B, H).
        every: added to the input at every step, (B, E).
        fused: added to the transformed LSTM output before the softmax, (B, H).
        logits: added to the output logits, (B, V).
    """

    first: Tensor | None = None
    hidden: Tensor | None = None
    every: Tensor | None = None
    fused: Tensor | None = None
    logits: Tensor | None = None

    def select(self, rows: Tensor) -> Conditioning:
        """The conditioning of the pictures `rows` (N,), in that order."""
        return Conditioning(*(None if value is None else value[rows] for value in vars(self).values()))


class Standardise(nn.Module):
    """(x - mean) / deviation with figures of the training set: the scale decides whether an interface works at all.

    Attributes:
        follow: share of its figures that each training batch replaces; above 0 where the CNN learns from scratch and
            figures that were taken beforehand would soon be of another CNN.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))
        self.follow = 0.0

    def fit(self, x: Tensor) -> None:
        """Take mean and deviation from the training set's embeddings x (N, size)."""
        self.mean.copy_(x.mean(0))
        self.deviation.copy_(x.std(0, correction=0).clamp_min(STANDARD_DEVIATION_FLOOR))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, size) to (B, size)."""
        if self.training and self.follow:
            self._follow(x.detach())
        return (x - self.mean) / self.deviation

    def _follow(self, x: Tensor) -> None:
        """Move mean and variance towards those of a batch."""
        variance = self.deviation.square().lerp((x - self.mean).square().mean(0), self.follow)
        self.mean.copy_(self.mean.lerp(x.mean(0), self.follow))
        self.deviation.copy_(variance.sqrt().clamp_min(STANDARD_DEVIATION_FLOOR))


class Interface(nn.Module):
    """What the four interfaces share: a standardised embedding of the picture, and the option to show it at every step.

    Args:
        size: length of the embedding: D, or K for the semantic interface.
        embedding: E, length of the decoder's word embeddings.
        hidden: H, size of the decoder's state.
        every_step: feed the embedding to every step as well.
    """

    def __init__(self, size: int, embedding: int, hidden: int, every_step: bool = False) -> None:
        super().__init__()
        self.standardise = Standardise(size)
        self.every = nn.Linear(size, embedding) if every_step else None

    def embedding(self, encoding: Encoding) -> Tensor:
        """The vector that stands for the picture: phi(I) (B, D) here, s_hat (B, K) for the semantic interface."""
        return encoding.features

    def forward(self, encoding: Encoding) -> Conditioning:
        """Turn what the CNN saw into the decoder's conditioning."""
        x = self.standardise(self.embedding(encoding))
        return self.condition(x, None if self.every is None else self.every(x))

    def condition(self, x: Tensor, every: Tensor | None) -> Conditioning:
        """The interface itself: from the standardised embedding x (B, size) to the conditioning."""
        raise TypeError(f"{type(self).__name__} is the base of the interfaces and conditions nothing itself")

    def fuse(self, hidden: Tensor, fused: Tensor | None) -> Tensor:
        """Combine LSTM outputs (B, ..., H) with the fused picture vector; only late fusion does anything here."""
        return hidden


class InputInterface(Interface):
    """(a) W phi(I) is the LSTM's first input, before the start token (Vinyals et al. 2015, Show and Tell)."""

    def __init__(self, size: int, embedding: int, hidden: int, every_step: bool = False) -> None:
        super().__init__(size, embedding, hidden, every_step)
        self.first = nn.Linear(size, embedding)

    def condition(self, x: Tensor, every: Tensor | None) -> Conditioning:
        """W x (B, E) goes in first."""
        return Conditioning(first=self.first(x), every=every)


class StateInterface(Interface):
    """(b) h_0 = tanh(W phi(I) + b), c_0 = 0 (Jin and Nakayama 2016, RIA)."""

    def __init__(self, size: int, embedding: int, hidden: int, every_step: bool = False) -> None:
        super().__init__(size, embedding, hidden, every_step)
        self.state = nn.Linear(size, hidden)

    def condition(self, x: Tensor, every: Tensor | None) -> Conditioning:
        """tanh(W x + b) (B, H) is the first state."""
        return Conditioning(hidden=torch.tanh(self.state(x)), every=every)


class FusionInterface(Interface):
    """(c) tanh(U h_t + W phi(I)) before every softmax (Mao et al. 2015, m-RNN; Wang et al. 2016, CNN-RNN)."""

    def __init__(self, size: int, embedding: int, hidden: int, every_step: bool = False) -> None:
        super().__init__(size, embedding, hidden, every_step)
        self.picture = nn.Linear(size, hidden)
        self.transform = nn.Linear(hidden, hidden)

    def condition(self, x: Tensor, every: Tensor | None) -> Conditioning:
        """W x (B, H) waits for the LSTM's outputs."""
        return Conditioning(fused=self.picture(x), every=every)

    def fuse(self, hidden: Tensor, fused: Tensor | None) -> Tensor:
        """tanh(U h_t + W x), (B, ..., H)."""
        assert fused is not None
        return torch.tanh(self.transform(hidden) + (fused if hidden.dim() == 2 else fused[:, None]))


class SemanticInterface(StateInterface):
    """(d) The paper's: h_0 = tanh(W_h s_hat + b_h), c_0 = 0, on named concept probabilities instead of phi(I).

    Args:
        size: K.
        embedding: E.
        hidden: H.
        every_step: s_hat is also an input of every step.
        concept_of_token: (V,) long, for each token its concept or -1. Where it is given, a multiple of log s_hat of
            a token's concept is added to that token's logit at every step; the multiple is learnt.
    """

    concept_of_token: Tensor | None

    def __init__(
        self,
        size: int,
        embedding: int,
        hidden: int,
        every_step: bool = False,
        concept_of_token: Tensor | None = None,
    ) -> None:
        super().__init__(size, embedding, hidden, every_step)
        # Which token is which concept follows from the vocabularies, so it is not saved with the weights.
        self.register_buffer("concept_of_token", concept_of_token, persistent=False)
        self.evidence = None if concept_of_token is None else nn.Parameter(torch.ones(()))

    def embedding(self, encoding: Encoding) -> Tensor:
        """s_hat, (B, K)."""
        return encoding.concepts

    def forward(self, encoding: Encoding) -> Conditioning:
        """Turn concept probabilities into the decoder's conditioning."""
        conditioning = super().forward(encoding)
        if self.concept_of_token is None or self.evidence is None:
            return conditioning
        log_probability = encoding.concepts.clamp_min(PROBABILITY_FLOOR).log()  # (B, K)
        named = self.concept_of_token >= 0
        logits = log_probability[:, self.concept_of_token.clamp_min(0)] * named  # (B, V)
        return Conditioning(**{**vars(conditioning), "logits": self.evidence * logits})


INTERFACES: dict[str, type[Interface]] = {
    "input": InputInterface,
    "state": StateInterface,
    "fusion": FusionInterface,
    "semantic": SemanticInterface,
}
