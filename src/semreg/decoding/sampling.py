"""Random sequences from a decoder: temperature and top-p (nucleus) sampling, constrained as the search is."""

from __future__ import annotations

import torch
from torch import Tensor

from semreg.decoding.constraints import Constraints
from semreg.decoding.generator import Generator, S
from semreg.decoding.search import Hypotheses
from semreg.errors import SemregError
from semreg.model.interfaces import Encoding


@torch.no_grad()
def sample(
    decoder: Generator[S],
    encoding: Encoding,
    constraints: Constraints,
    *,
    start: int,
    stop: int,
    padding: int,
    temperature: float = 1.0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> Hypotheses:
    """Draw one sequence for each of B pictures.

    Args:
        decoder: in evaluation mode.
        encoding: of B pictures.
        constraints: what a sequence may and must contain.
        start: the start token.
        stop: the stop token.
        padding: fills sequences behind their end.
        temperature: logits are divided by it; towards 0 it becomes greedy.
        top_p: draw only from the likeliest tokens that together reach this probability.
        generator: the source of chance; torch's own where none is given.

    Returns:
        One hypothesis a picture; scores are under the model itself (temperature 1, whole vocabulary).

    Raises:
        SemregError: temperature or top_p outside its range.
    """
    if not 0 < temperature < float("inf"):
        raise SemregError(f"temperature must be above 0 and finite, is {temperature}: 1 is the model's own")
    if not 0 < top_p <= 1:
        raise SemregError(f"top_p must lie in 0..1 and not be 0, is {top_p}: 1 draws from all tokens")
    rows, device = len(encoding.concepts), encoding.concepts.device
    state = decoder.begin(encoding)
    token = torch.full((rows,), start, device=device)
    tokens = torch.full((rows, constraints.max_length), padding, device=device)
    lengths = torch.zeros(rows, dtype=torch.long, device=device)
    sums = torch.zeros(rows, device=device)
    ended = torch.zeros(rows, dtype=torch.bool, device=device)
    for step in range(constraints.max_length):
        logits, state = decoder.step(token, state)  # (B, V)
        log_probability = logits.float().log_softmax(-1)
        allowed = constraints.apply(log_probability.clone(), tokens[:, :step], stop)
        allowed = (allowed - allowed.amax(-1, keepdim=True)) / temperature  # at most 0: none is too cold
        token = torch.multinomial(_nucleus(allowed.softmax(-1), top_p), 1, generator=generator)[:, 0]
        going = ~ended
        sums += torch.where(going, log_probability.gather(1, token[:, None])[:, 0], 0.0)
        ended |= token == stop
        going = ~ended
        tokens[:, step] = torch.where(going, token, padding)
        lengths += going
        if bool(ended.all()):
            break
    scores = sums / (lengths + ended).clamp_min(1)
    return Hypotheses(tokens[:, None], lengths[:, None], scores[:, None], ended[:, None])


def _nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Zero all but the likeliest tokens that reach top_p together; the likeliest one always stays. (N, V)."""
    if top_p >= 1:
        return probabilities
    ordered, index = probabilities.sort(dim=-1, descending=True)
    beyond = ordered.cumsum(-1) - ordered >= top_p
    return torch.zeros_like(probabilities).scatter(1, index, ordered.masked_fill(beyond, 0.0))
