"""A decoder small enough to list all that it can say, with weights large enough to have opinions; and plain oracles."""

from __future__ import annotations

from itertools import product

import torch

from semreg.model.decoder import Decoder
from semreg.model.interfaces import INTERFACES, Encoding

PADDING, START, STOP, UNKNOWN, FIRST = range(5)
NEVER = (PADDING, START, UNKNOWN)
TOKENS = {"start": START, "stop": STOP, "padding": PADDING}
D, K = 5, 4


def tiny_decoder(kind: str = "semantic", words: int = 4, seed: int = 0) -> Decoder:
    """A decoder of `words` words, numbered from FIRST."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        decoder = Decoder(INTERFACES[kind](K if kind == "semantic" else D, 6, 8), FIRST + words, 6, 8)
        with torch.no_grad():
            decoder.embed.weight.normal_()
            decoder.output.weight.normal_()
            for weight in (*decoder.lstm.parameters(), *decoder.interface.parameters()):
                weight.mul_(3)
    return decoder.eval()


def seen(pictures: int, seed: int = 0) -> Encoding:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(pictures, K, generator=generator)
    return Encoding(2 * torch.randn(pictures, D, generator=generator), logits, logits.sigmoid())


def pick(encoding: Encoding, *pictures: int) -> Encoding:
    return Encoding(*(value[list(pictures)] for value in vars(encoding).values()))


@torch.no_grad()
def log_probabilities(decoder: Decoder, picture: Encoding, tokens: list[int]) -> torch.Tensor:
    """(T + 1, V): teacher-forced log-probabilities after the start token and after each of `tokens`."""
    return decoder(picture, torch.tensor([[START, *tokens]]))[0].log_softmax(-1)


def mean_log_probability(decoder: Decoder, picture: Encoding, tokens: list[int], ended: bool) -> float:
    """What a sequence scores: over its tokens and, where it ended, its stop token."""
    paid = [*tokens, *([STOP] if ended else [])]
    each = log_probabilities(decoder, picture, tokens)
    return sum(each[step, token].item() for step, token in enumerate(paid)) / max(len(paid), 1)


def greedy(decoder: Decoder, picture: Encoding, max_length: int, never: tuple[int, ...] = NEVER) -> list[int]:
    """The likeliest token, again and again, reading the whole sequence anew each time."""
    tokens: list[int] = []
    while len(tokens) < max_length:
        last = log_probabilities(decoder, picture, tokens)[-1]
        last[list(never)] = -torch.inf
        if (token := int(last.argmax())) == STOP:
            break
        tokens.append(token)
    return tokens


def everything(decoder: Decoder, picture: Encoding, words: int, max_length: int, penalty: float) -> list[list[int]]:
    """All sequences there are, best first: those that end before the limit, then those that reach it."""
    ranked = []
    for length in range(max_length + 1):
        for tokens in product(range(FIRST, FIRST + words), repeat=length):
            ended = length < max_length
            steps = length + ended
            total = mean_log_probability(decoder, picture, list(tokens), ended) * steps
            ranked.append((not ended, -total / steps**penalty, list(tokens)))
    return [tokens for _, _, tokens in sorted(ranked)]


def plain_beams(decoder: Decoder, picture: Encoding, beams: int, max_length: int) -> list[list[int]]:
    """Beam search over lists: the best `beams` candidates may end, the best `beams` that do not end go on."""
    going, ended = [(0.0, [])], []
    for _ in range(max_length):
        candidates = [
            (total + value, tokens, token)
            for total, tokens in going
            for token, value in enumerate(log_probabilities(decoder, picture, tokens)[-1].tolist())
            if token not in NEVER
        ]
        candidates.sort(key=lambda candidate: -candidate[0])
        ended += [(total / (len(tokens) + 1), tokens) for total, tokens, token in candidates[:beams] if token == STOP]
        going = [(total, [*tokens, token]) for total, tokens, token in candidates if token != STOP][:beams]
        if len(ended) >= beams:
            going = []
            break
    ended.sort(key=lambda sequence: -sequence[0])
    return [tokens for _, tokens in ended + going][:beams]
