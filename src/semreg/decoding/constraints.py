"""What a sequence may and must contain, as a mask over the next token's scores; no loop over pictures or beams."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from semreg.decoding.required import NOTHING, Alternatives, Phrase, Required
from semreg.errors import SemregError

IMPOSSIBLE = float("-inf")


@dataclass(frozen=True)
class Constraints:
    """Rules for every sequence of a search. Lengths count the words or labels, not the start and stop tokens.

    Attributes:
        min_length: no stop before this many tokens.
        max_length: no more than this many tokens.
        forbidden: tokens that never occur (padding, start and `<unk>` belong here).
        forbidden_phrases: runs of two tokens or more that never occur.
        prefix: tokens that every sequence begins with.
        required: what every sequence contains, wherever it fits best, at the latest at its end: for each thing the
            phrases of which one suffices.
        no_repeat: never the same token twice (tags).
        once: tokens that occur at most once (captions: words that name a concept).
        no_repeat_ngram: never the same n tokens in a row twice (captions: 3); 0 switches it off.

    Raises:
        SemregError: settings that no sequence can meet.
    """

    min_length: int = 0
    max_length: int = 20
    forbidden: tuple[int, ...] = ()
    forbidden_phrases: tuple[Phrase, ...] = ()
    prefix: tuple[int, ...] = ()
    required: tuple[Alternatives, ...] = ()
    no_repeat: bool = False
    once: tuple[int, ...] = ()
    no_repeat_ngram: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "required", tuple(dict.fromkeys(self.required)))  # asked for twice is asked for once
        if self.max_length < 1:
            raise SemregError(f"max_length must be at least 1, is {self.max_length}: allow a token or more")
        if not 0 <= self.min_length <= self.max_length:
            raise SemregError(
                f"min_length must lie in 0..{self.max_length} (max_length), is {self.min_length}: lower it"
            )
        wanted = len(self.prefix)
        if self.required:
            wanted += int(self.to_say.remaining(torch.tensor([self.prefix], dtype=torch.long)))
        if wanted > self.max_length:
            raise SemregError(
                f"prefix and required tokens must fit in max_length ({self.max_length}), are {wanted}: raise it"
            )
        blocked = [phrases for phrases in self.required if not any(map(self.allows, phrases))]
        both = {*self.prefix, *(token for phrases in blocked for phrase in phrases for token in phrase)}
        if both := both & set(self.forbidden):
            raise SemregError(f"a token cannot be both forbidden and required, but {sorted(both)} are: drop one")
        if blocked:
            raise SemregError(f"a phrase cannot be both forbidden and required, but {blocked[0]} is: drop one")

    def allows(self, phrase: Phrase) -> bool:
        """Whether a phrase holds nothing that is forbidden."""
        runs = [phrase[i : i + len(never)] for never in self.forbidden_phrases for i in range(len(phrase))]
        return not set(phrase) & set(self.forbidden) and not set(runs) & set(self.forbidden_phrases)

    @cached_property
    def to_say(self) -> Required:
        """What is required, without the phrases that are forbidden."""
        return Required(tuple(tuple(p for p in phrases if self.allows(p)) or phrases for phrases in self.required))

    def apply(self, scores: Tensor, history: Tensor, stop: int) -> Tensor:
        """Mask the scores of the next token, in place.

        Args:
            scores: (N, V) log-probabilities or logits, a row a hypothesis.
            history: (N, t) the tokens so far, without the start token.
            stop: the stop token, always the last way out: where nothing else is allowed, it is.

        Returns:
            `scores`, with `IMPOSSIBLE` for what may not come next.
        """
        length = history.shape[1]
        end = scores[:, stop].clone()  # (N,)
        if length < len(self.prefix):
            return _only(scores, torch.tensor(self.prefix[length : length + 1], device=scores.device))
        if self.forbidden:
            scores.masked_fill_(_marked(self.forbidden, scores.shape[1], scores.device), IMPOSSIBLE)
        for phrase in self.forbidden_phrases:
            if length >= len(phrase) - 1:
                begun = (history[:, length - len(phrase) + 1 :] == history.new_tensor(phrase[:-1])).all(1)  # (N,)
                scores[:, phrase[-1]].masked_fill_(begun, IMPOSSIBLE)
        if self.no_repeat and length:
            scores.scatter_(1, history, IMPOSSIBLE)
        if self.once and length:
            _ban_again(scores, history, self.once)
        if self.no_repeat_ngram and length >= self.no_repeat_ngram:
            _ban_ngrams(scores, history, self.no_repeat_ngram)
        if length < self.min_length:
            scores[:, stop] = IMPOSSIBLE
        if self.required:
            self._require(scores, history, stop)
        stuck = scores.amax(1) == IMPOSSIBLE
        scores[:, stop] = torch.where(stuck, end.clamp_min(-1e4), scores[:, stop])
        return scores

    def _require(self, scores: Tensor, history: Tensor, stop: int) -> None:
        """No stop before all is said, and no token that leaves too little room for what must be said."""
        to_say, rows, room = self.to_say, len(history), self.max_length - history.shape[1] - 1
        scores[:, stop].masked_fill_(to_say.remaining(history) > 0, IMPOSSIBLE)
        if to_say.total <= room:
            return
        tokens = torch.tensor(to_say.tokens, device=scores.device)  # (U,)
        next_ = torch.cat([tokens, tokens.new_tensor([NOTHING])])  # the last stands for every other token
        longer = torch.cat([history.repeat_interleave(len(next_), 0), next_.repeat(rows)[:, None]], 1)
        fits = to_say.remaining(longer).view(rows, -1) <= room  # (N, U + 1)
        only = torch.full_like(scores, IMPOSSIBLE)
        only[:, tokens] = scores[:, tokens].clamp_min(-1e4).masked_fill(~fits[:, :-1], IMPOSSIBLE)
        scores[:] = torch.where(fits[:, -1:], scores, only)


def _only(scores: Tensor, allowed: Tensor) -> Tensor:
    keep = scores[:, allowed].clamp_min(-1e4)
    scores.fill_(IMPOSSIBLE)
    scores[:, allowed] = keep
    return scores


def _ban_again(scores: Tensor, history: Tensor, once: tuple[int, ...]) -> None:
    """Forbid those of `once` that the history (N, t) already has."""
    limited = _marked(once, scores.shape[1], scores.device)[history]  # (N, t)
    scores.scatter_add_(1, history, _penalty(limited, scores))


def _ban_ngrams(scores: Tensor, history: Tensor, n: int) -> None:
    """Forbid every token that would complete an n-gram that the history (N, t) already has."""
    windows = history.unfold(1, n, 1)  # (N, t - n + 1, n)
    if n == 1:
        scores.scatter_(1, history, IMPOSSIBLE)
        return
    tail = history[:, None, -(n - 1) :]  # (N, 1, n - 1)
    again = (windows[..., :-1] == tail).all(-1)  # (N, t - n + 1)
    scores.scatter_add_(1, windows[..., -1], _penalty(again, scores))


def _penalty(banned: Tensor, scores: Tensor) -> Tensor:
    """What to add to a score: `IMPOSSIBLE` where `banned`, else nothing."""
    return torch.zeros_like(banned, dtype=scores.dtype).masked_fill_(banned, IMPOSSIBLE)


@lru_cache(maxsize=16)
def _marked(tokens: tuple[int, ...], vocabulary: int, device: torch.device) -> Tensor:
    """(V,) True for `tokens`."""
    marked = torch.zeros(vocabulary, dtype=torch.bool, device=device)
    marked[list(tokens)] = True
    return marked
