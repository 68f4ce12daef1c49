"""Which concepts carried a tag or a word: each is left out in turn, and what was told is scored anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semreg.model.decoder import Decoder, path_probabilities
from semreg.model.interfaces import Encoding

ROWS = 256  # pictures that go through a decoder together


def without_each(concepts: Tensor, decoder: Decoder) -> Encoding:
    """K + 1 pictures of one, (K,): as it is, then with one concept after the other at its training mean."""
    mean = decoder.interface.standardise.mean  # (K,)
    table = concepts.repeat(len(concepts) + 1, 1)
    table[1:].diagonal().copy_(mean)
    margin = torch.finfo(table.dtype).eps
    return Encoding(table.new_zeros(len(table), 0), table.clamp(margin, 1 - margin).logit(), table)


@torch.inference_mode()
def word_log_probabilities(decoder: Decoder, encoding: Encoding, tokens: Sequence[int]) -> Tensor:
    """Teacher forcing: log-probability of each of `tokens` after those before it, (N, T).

    Args:
        decoder: in evaluation mode.
        encoding: of N pictures.
        tokens: the start token, then T more.
    """
    parts = []
    path = torch.tensor(tokens, device=encoding.concepts.device)
    for first in range(0, len(encoding.concepts), ROWS):
        part = _rows(encoding, first)
        logits = decoder(part, path[:-1].expand(len(part.concepts), -1)).float()  # (n, T, V)
        wanted = path[1:].expand(len(logits), -1)[..., None]
        parts.append(logits.gather(2, wanted)[..., 0] - logits.logsumexp(2))
    return torch.cat(parts)


@torch.inference_mode()
def path_evidence(decoder: Decoder, encoding: Encoding, paths: Sequence[Sequence[int]], weights: Tensor) -> Tensor:
    """How probable each token is at its best step along given paths, their weighted mean, (N, V).

    Args:
        decoder: in evaluation mode.
        encoding: of N pictures.
        paths: each from the start token, without the stop token.
        weights: of the paths, (P,), which sum to 1.
    """
    parts = []
    for first in range(0, len(encoding.concepts), ROWS):
        part = _rows(encoding, first)
        rows = len(part.concepts)
        best = torch.zeros(())
        for path, weight in zip(paths, weights.tolist(), strict=True):
            tokens = torch.tensor(path, device=part.concepts.device).expand(rows, -1)
            lengths = torch.full((rows,), len(path), device=tokens.device)
            best = best.to(tokens.device) + weight * path_probabilities(decoder, part, tokens, lengths)
        parts.append(best)
    return torch.cat(parts)


@dataclass(frozen=True)
class Effect:
    """A concept's place, and what its value changed against its mean."""

    place: int
    size: float


def strongest(effects: Tensor, count: int, floor: float, *, sign: int = 0, beside: int = -1) -> list[Effect]:
    """The largest of K effects, largest first.

    Args:
        effects: (K,).
        count: at most so many.
        floor: smaller ones are no reason.
        sign: 1 or -1 for those of that sign alone; 0 for both.
        beside: a concept that is left aside.
    """
    size = effects.abs() if sign == 0 else effects * sign
    order = [k for k in size.argsort(descending=True).tolist() if k != beside and float(size[k]) >= floor]
    return [Effect(k, float(effects[k])) for k in order[:count]]


def _rows(encoding: Encoding, first: int) -> Encoding:
    end = first + ROWS
    return Encoding(encoding.features[first:end], encoding.logits[first:end], encoding.concepts[first:end])
