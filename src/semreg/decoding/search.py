"""Beam search over any decoder, batched over pictures and beams; one beam is greedy search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from semreg.decoding.constraints import IMPOSSIBLE, Constraints
from semreg.decoding.generator import Generator, S
from semreg.errors import SemregError
from semreg.model.interfaces import Encoding


@dataclass(frozen=True)
class Search:
    """How to search.

    Attributes:
        beams: M, hypotheses kept for each picture; 1 is greedy.
        n_best: how many sequences to return for each picture, at most `beams`.
        length_penalty: a sequence of L tokens (stop included) is ranked by log p / L ** length_penalty; 0 ranks by
            plain probability and prefers short sequences, 1 by the mean log-probability.
        constraints: what a sequence may and must contain.
        whole: where none of a picture's sequences has ended at the length limit, end each where the stop token was
            likeliest, instead of returning it as it stands: a sentence must not break off.

    Raises:
        SemregError: a value outside its range.
    """

    beams: int = 3
    n_best: int = 1
    length_penalty: float = 1.0
    constraints: Constraints = field(default_factory=Constraints)
    whole: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.beams <= 100:
            raise SemregError(f"beams must lie in 1..100, is {self.beams}: 3 is usual")
        if not 1 <= self.n_best <= self.beams:
            raise SemregError(f"n_best must lie in 1..{self.beams} (beams), is {self.n_best}: raise beams")
        if not 0 <= self.length_penalty <= 5:
            raise SemregError(f"length_penalty must lie in 0..5, is {self.length_penalty}: 1 is the mean")


@dataclass(frozen=True)
class Hypotheses:
    """The sequences found for B pictures, best first, n for each.

    Attributes:
        tokens: (B, n, T) without start and stop, padded with `padding` behind the end.
        lengths: (B, n) tokens in each, without the stop token.
        scores: (B, n) mean log-probability of the tokens, the stop token included; -inf where fewer were found.
        ended: (B, n) False where the sequence reached the length limit without a stop token.
        evidence: (B, n, V) how probable each token was at its best step along the sequence, also of tokens not in it;
            None where it was not asked for.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor
    ended: Tensor
    evidence: Tensor | None = None

    def ranked(self, bonus: Tensor, n: int) -> Hypotheses:
        """The n of each picture with the largest score and `bonus` (B, n) together; never one that did not end before
        one that did."""
        rank = self.scores + bonus - (~self.ended).to(bonus.dtype) * 1e6
        order = rank.sort(dim=1, descending=True, stable=True).indices[:, :n]
        tokens = self.tokens.gather(1, order[..., None].expand(-1, -1, self.tokens.shape[-1]))
        rest = (values.gather(1, order) for values in (self.lengths, self.scores, self.ended))
        return Hypotheses(tokens, *rest)

    def first(self, n: int) -> Hypotheses:
        """The first n of each picture."""
        return Hypotheses(self.tokens[:, :n], self.lengths[:, :n], self.scores[:, :n], self.ended[:, :n])

    def lists(self) -> list[list[list[int]]]:
        """Plain lists of tokens, a picture, a hypothesis; those never found are left out."""
        return [
            [row[:length] for row, length, score in zip(rows, lengths, scores, strict=True) if score > IMPOSSIBLE]
            for rows, lengths, scores in zip(
                self.tokens.tolist(), self.lengths.tolist(), self.scores.tolist(), strict=True
            )
        ]


class _Pool:
    """Finished sequences of all pictures: at most `slots` each, written in the order in which they end."""

    def __init__(self, pictures: int, slots: int, length: int, padding: int, device: torch.device) -> None:
        # One slot more than needed takes what is not to be added: no mask has to be counted out, which would wait for
        # the device.
        self.tokens = torch.full((pictures, slots + 1, length), padding, device=device)
        self.lengths = torch.zeros(pictures, slots + 1, dtype=torch.long, device=device)
        self.sums = torch.full((pictures, slots + 1), IMPOSSIBLE, device=device)
        self.ended = torch.zeros(pictures, slots + 1, dtype=torch.bool, device=device)
        self.counts = torch.zeros(pictures, dtype=torch.long, device=device)
        self.peaks: Tensor | None = None  # (B, slots + 1, V), once there are some

    def add(
        self, pictures: Tensor, new: Tensor, sums: Tensor, history: Tensor, peaks: Tensor | None, *, ended: bool
    ) -> None:
        """Add the hypotheses marked in `new` (A, C), of `pictures` (A,).

        With them come `sums` (A, C), `history` (A, C, t), and where evidence is asked for `peaks` (A, C, V).
        """
        slot = self.counts[pictures][:, None] + new.cumsum(1) - 1  # (A, C)
        slot = slot.masked_fill(~new, self.sums.shape[1] - 1)
        rows, length = pictures[:, None], history.shape[-1]
        self.tokens[rows, slot, :length] = history
        self.lengths[rows, slot] = length
        self.sums[rows, slot] = sums
        self.ended[rows, slot] = ended
        if peaks is not None:
            if self.peaks is None:
                self.peaks = peaks.new_full((*self.sums.shape, peaks.shape[2]), IMPOSSIBLE)
            self.peaks[rows, slot] = peaks
        self.counts.index_add_(0, pictures, new.sum(1))

    def best(self, n: int, penalty: float) -> Hypotheses:
        """The n best of each picture; sequences that never stopped come after all that did."""
        steps = (self.lengths + self.ended).clamp_min(1)[:, :-1]  # the stop token was paid for too
        sums, ended = self.sums[:, :-1], self.ended[:, :-1]
        rank = sums / steps**penalty - (~ended).to(sums.dtype) * 1e6
        order = rank.sort(dim=1, descending=True, stable=True).indices[:, :n]
        scores = (sums / steps).gather(1, order)
        tokens = self.tokens.gather(1, order[..., None].expand(-1, -1, self.tokens.shape[-1]))
        lengths, peaks = self.lengths.gather(1, order), self.peaks
        if peaks is not None:
            peaks = peaks.gather(1, order[..., None].expand(-1, -1, peaks.shape[2])).exp()
        return Hypotheses(tokens, lengths, scores, self.ended.gather(1, order), peaks)


@torch.no_grad()
def beam_search(
    decoder: Generator[S],
    encoding: Encoding,
    search: Search,
    *,
    start: int,
    stop: int,
    padding: int,
    evidence: bool = False,
    known: Sequence[int] = (),
) -> Hypotheses:
    """Find the likeliest sequences for B pictures at once.

    A picture is done when `beams` of its hypotheses have ended among its best `beams` candidates, and then leaves the
    batch; what has not ended at the length limit is returned as it stands (see `Search.whole`), so there is always an
    answer.

    Where something is required, hypotheses that have said as much of it compete only with each other: `beams` are kept
    for each number of tokens that remain to be said, and all go on to the length limit, for a sentence that comes to
    the required word late may be the better one (grid beam search: Hokamp and Liu 2017, arXiv:1704.07138; by tokens
    that are met: Post and Vilar 2018, arXiv:1804.06609).

    Args:
        decoder: in evaluation mode; taught by any interface.
        encoding: of B pictures; encoded once, whatever the beams.
        search: the settings.
        start: the start token.
        stop: the stop token.
        padding: fills sequences behind their end.
        evidence: note along each sequence how probable every token was at its best step.
        known: tokens that certainly occur. Until a sequence has said them they hold the others back, though whether
            they come is no question any more: in the evidence others count half as they are, half without these.

    Returns:
        `search.n_best` hypotheses a picture.
    """
    pictures, device = len(encoding.concepts), encoding.concepts.device
    constraints, beams = search.constraints, search.beams
    to_say = constraints.to_say if constraints.required else None
    banks = 1 if to_say is None else to_say.total + 1  # by the tokens that remain to be said; 0 comes first
    # A picture holds fewer than M ended ones before a step, gains at most M in it, and the limit adds as many.
    slots = 3 * beams if to_say is None else (constraints.max_length + 1) * beams
    pool = _Pool(pictures, slots, constraints.max_length, padding, device)
    alive = torch.arange(pictures, device=device)  # (A,) the pictures still at work
    state = decoder.begin(encoding)
    token = torch.full((pictures,), start, device=device)
    history = token.new_empty(pictures, 1, 0)  # (A, m, t); m is 1 before the first step, M for each bank after
    sums = torch.zeros(pictures, 1, device=device)  # (A, m)
    peaks: Tensor | None = None

    for step in range(constraints.max_length):
        width = sums.shape[1]
        logits, state = decoder.step(token, state)  # (A * m, V)
        scores = logits.float().log_softmax(-1)
        if evidence:
            likely = _beside(scores, known) if known else scores
            peaks = likely.clone() if peaks is None else torch.maximum(peaks, likely)  # (A * m, V)
        scores = constraints.apply(scores, history.flatten(0, 1), stop)
        # Per-beam top-k first: of one beam never more than 2M candidates can be among the joint 2M of a bank.
        best, tokens = scores.topk(min(2 * beams, scores.shape[1]), dim=1)  # (A * m, k)
        if to_say is not None:
            best, tokens = _with(scores, best, tokens, to_say.tokens)
        joint = (sums.view(-1, 1) + best).view(len(alive), -1)  # (A, m * k)
        tokens = tokens.view(len(alive), -1)
        if to_say is None:
            joint, index = joint.topk(min(2 * beams, joint.shape[1]), dim=1)  # (A, C)
        else:
            longer = torch.cat([history.repeat_interleave(best.shape[1], 1), tokens[..., None]], 2)
            remaining = to_say.remaining(longer.flatten(0, 1)).view_as(joint)
            joint, index = _best_of_banks(joint, remaining, banks, 2 * beams)
        parent = index // best.shape[1]  # (A, C) beam
        tokens = tokens.gather(1, index)  # (A, C)
        past = history.gather(1, parent[..., None].expand(-1, -1, step))  # (A, C, t)
        ends = (tokens == stop) & (joint > IMPOSSIBLE)
        # An end counts only among the best M candidates, of those that have said all.
        before = torch.arange(len(alive), device=device)[:, None] * width + parent  # (A, C) the row it came from
        ends = ends[:, :beams]

        # The best M candidates that go on, of each bank.
        going = joint.masked_fill(tokens == stop, IMPOSSIBLE).view(len(alive), banks, -1)
        sums, chosen = going.topk(min(beams, going.shape[2]), dim=2)
        chosen = (chosen + torch.arange(banks, device=device)[:, None] * going.shape[2]).flatten(1)  # (A, m)
        sums = sums.flatten(1)
        chosen_tokens = tokens.gather(1, chosen)  # (A, m)
        history = torch.cat([past.gather(1, chosen[..., None].expand(-1, -1, step)), chosen_tokens[..., None]], 2)
        rows = before.gather(1, chosen)  # (A, m)
        unfinished = sums.amax(1) > IMPOSSIBLE  # (A,)
        if to_say is None:
            unfinished &= pool.counts[alive] + ends.sum(1) < beams
        ending, staying = torch.stack([ends.any(), unfinished.all()]).tolist()  # the one wait for the device
        if ending:
            paths = None if peaks is None else peaks[before[:, :beams]]
            pool.add(alive, ends, joint[:, :beams], past[:, :beams], paths, ended=True)
        if not staying:
            alive, sums, history, rows = (x[unfinished] for x in (alive, sums, history, rows))
        moved = not staying or rows.shape[1] > 1  # else every row is where it was
        if peaks is not None and moved:
            peaks = peaks[rows.flatten()]
        if not len(alive):
            break
        if moved:
            state = state.select(rows) if not staying or rows.shape[1] != width else state.reorder(rows)
        token = history[:, :, -1].flatten()
    complete = sums[:, : sums.shape[1] // banks] > IMPOSSIBLE  # the first bank
    count = complete.shape[1]
    paths = None if peaks is None else peaks.view(*sums.shape, peaks.shape[1])[:, :count]
    pool.add(alive, complete, sums[:, :count], history[:, :count], paths, ended=False)
    found = pool.best(search.n_best, search.length_penalty)
    broken = ~found.ended.any(1)  # (B,)
    if not search.whole or not bool(broken.any()):
        return found
    return _ended(decoder, encoding, found, broken.nonzero()[:, 0], search, start, stop, padding)


def _ended(
    decoder: Generator[S],
    encoding: Encoding,
    found: Hypotheses,
    broken: Tensor,
    search: Search,
    start: int,
    stop: int,
    padding: int,
) -> Hypotheses:
    """The hypotheses with those of the pictures `broken` (R,) cut back to where the stop token was likeliest.

    Read once more as a whole, a sequence tells how likely it was behind each of its tokens. Of two that become the
    same one stays.
    """
    count, limit = found.tokens.shape[1:]
    tokens, rows = found.tokens[broken].flatten(0, 1), broken.repeat_interleave(count)  # (R n, T), (R n,)
    each, scores = reread(decoder, encoding, tokens, rows, start=start)
    before = F.pad(each.cumsum(1), (1, 0))  # (R n, T + 1) log p of the first t tokens
    ends = [search.constraints.apply(scores[:, t].clone(), tokens[:, :t], stop)[:, stop] for t in range(limit + 1)]
    end = torch.stack(ends, 1)
    end[:, 0] = IMPOSSIBLE  # something is said
    length = end.argmax(1)  # (R n,)
    mean = (before + end).gather(1, length[:, None])[:, 0] / (length + 1)
    tokens = tokens.masked_fill(torch.arange(limit, device=tokens.device) >= length[:, None], padding)
    possible = (mean > IMPOSSIBLE) & (found.scores[broken].flatten() > IMPOSSIBLE)
    tokens, mean, length, possible = (x.view(-1, count, *x.shape[1:]) for x in (tokens, mean, length, possible))
    alike = (tokens[:, :, None] == tokens[:, None]).all(3).tril(-1).any(2)  # (R, n) as one before it
    usable = possible.any(1)  # what may end nowhere stays as it stands
    mean = mean.masked_fill(alike | ~possible, IMPOSSIBLE)
    order = mean.sort(dim=1, descending=True, stable=True).indices
    mean, length = mean.gather(1, order), length.gather(1, order)
    tokens = tokens.gather(1, order[..., None].expand_as(tokens))
    which = broken[usable]
    return Hypotheses(
        found.tokens.index_copy(0, which, tokens[usable]),
        found.lengths.index_copy(0, which, length[usable]),
        found.scores.index_copy(0, which, mean[usable]),
        found.ended.index_fill(0, which, True),
        found.evidence,
    )


def reread(
    decoder: Generator[S], encoding: Encoding, tokens: Tensor, rows: Tensor, *, start: int
) -> tuple[Tensor, Tensor]:
    """How likely whole sequences are, read once more.

    Args:
        decoder: in evaluation mode.
        encoding: of B pictures.
        tokens: (N, T) without the start token.
        rows: (N,) the picture of each.
        start: the start token.

    Returns:
        The log-probability of each token, (N, T), and of every token behind each of them, (N, T + 1, V).
    """
    told = Encoding(encoding.features[rows], encoding.logits[rows], encoding.concepts[rows])
    scores = decoder(told, F.pad(tokens, (1, 0), value=start)).float().log_softmax(-1)
    return scores[:, :-1].gather(2, tokens[..., None])[..., 0], scores


def _beside(scores: Tensor, known: Sequence[int]) -> Tensor:
    """Log-probabilities (N, V): the mean of the probabilities as they are and with the tokens `known` ruled out."""
    others = scores.index_fill(1, torch.tensor(known, device=scores.device), IMPOSSIBLE).log_softmax(1)
    return torch.logaddexp(scores, others) - math.log(2)


def _with(scores: Tensor, best: Tensor, tokens: Tensor, wanted: list[int]) -> tuple[Tensor, Tensor]:
    """Candidates (N, k) and, however unlikely, the tokens that bring a hypothesis forward: (N, k + U), none twice."""
    added = torch.tensor(wanted, device=tokens.device)
    best = best.masked_fill(torch.isin(tokens, added), IMPOSSIBLE)
    return torch.cat([best, scores[:, added]], 1), torch.cat([tokens, added.expand(len(tokens), -1)], 1)


def _best_of_banks(joint: Tensor, bank: Tensor, banks: int, count: int) -> tuple[Tensor, Tensor]:
    """The best `count` candidates of each bank: values and indices, (A, banks * count) each, bank after bank."""
    spread = torch.arange(banks, device=joint.device)[:, None] != bank[:, None]  # (A, banks, X)
    found = joint[:, None].expand_as(spread).masked_fill(spread, IMPOSSIBLE).topk(min(count, joint.shape[1]), dim=2)
    return found.values.flatten(1), found.indices.flatten(1)
