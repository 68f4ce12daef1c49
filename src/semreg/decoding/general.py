"""General words in place of particular ones that the concept layer does not bear out: a person for man or woman."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semreg.decoding.constraints import IMPOSSIBLE
from semreg.decoding.generator import Generator, S
from semreg.decoding.required import Phrase
from semreg.decoding.search import Hypotheses, reread
from semreg.model.interfaces import Encoding

EDGE = 1e-4  # probabilities are kept this far from 0 and 1 before their odds are taken


@dataclass(frozen=True)
class Kind:
    """One of several that exclude each other.

    Attributes:
        concepts: places of the concepts that speak for it.
        words: tokens that tell this kind from the others, to those that do not.
    """

    concepts: tuple[int, ...]
    words: Mapping[int, int]


@dataclass(frozen=True)
class GeneralWords:
    """What a caption says where it is not plain which of several kinds is seen.

    A decoder must say something, and says "a man" of a person whom it cannot make out, because most people whom it has
    learnt from are. A sentence with "a person" is as good and right.

    Attributes:
        share: how probable a kind must be, given that it is just one of them, for its own words to stay.
        kinds: two or more.
    """

    share: float
    kinds: tuple[Kind, ...]

    def doubtful(self, probabilities: Tensor) -> Tensor:
        """Which kinds are not probable enough, (B, n); `probabilities` of the concepts are (B, K).

        Of independent events with the odds o_i, given that just one of them comes to pass, the i-th has the probability
        o_i / sum(o). What a person has set to 1 is certain.
        """
        odds = probabilities.clamp(EDGE, 1 - EDGE).logit().exp()
        each = torch.stack([odds[:, list(kind.concepts)].amax(1) for kind in self.kinds], 1)
        return each / each.sum(1, keepdim=True) < self.share

    def instead(self, tokens: Sequence[int], doubtful: Sequence[bool], keep: Collection[int] = ()) -> list[int]:
        """A sentence with general words for those of doubtful kinds.

        It stays as it is where that would say the same word twice: "a man and a woman" are no person and a person.

        Args:
            tokens: of the sentence.
            doubtful: for each kind.
            keep: tokens that stay whatever is seen.
        """
        words = {
            particular: general
            for kind, unsure in zip(self.kinds, doubtful, strict=True)
            if unsure
            for particular, general in kind.words.items()
            if particular not in keep
        }
        plain = [words.get(token, token) for token in tokens]
        before: dict[int, set[int]] = {}
        for token, general in zip(tokens, plain, strict=True):
            before.setdefault(general, set()).add(token)
        return list(tokens) if any(len(tokens) > 1 for tokens in before.values()) else plain


def generalise(
    found: Hypotheses,
    words: GeneralWords,
    probabilities: Tensor,
    decoder: Generator[S],
    encoding: Encoding,
    keep: Collection[int] = (),
    never: Sequence[Phrase] = (),
    *,
    start: int,
    stop: int,
    padding: int,
) -> Hypotheses:
    """Sentences of B pictures with general words where the particular ones are doubtful.

    They keep their order. A score becomes that of what is said now; of two sentences that become the same the first
    stays.

    Args:
        found: the sentences.
        words: the general words.
        probabilities: of the concepts, (B, K).
        decoder: that wrote them.
        encoding: that it read.
        keep: tokens that stay whatever is seen.
        never: phrases that are not said: a sentence that would come to say one stays as it is.
        start: the start token.
        stop: the stop token.
        padding: fills sequences behind their end.
    """
    tokens, limit = found.tokens.tolist(), found.tokens.shape[2]
    changed: list[tuple[int, int]] = []
    repeated = torch.zeros_like(found.ended)
    rows = zip(tokens, found.lengths.tolist(), words.doubtful(probabilities).tolist(), strict=True)
    for row, (sentences, lengths, doubtful) in enumerate(rows):
        for place, length in enumerate(lengths):
            said = sentences[place][:length]
            plain = words.instead(said, doubtful, keep)
            if plain != said and not any(_says(plain, phrase) for phrase in never):
                changed.append((row, place))
                sentences[place] = plain + [padding] * (limit - length)
            repeated[row, place] = sentences[place] in sentences[:place]
    if not changed:
        return found
    at = tuple(torch.tensor(changed, device=found.tokens.device).T)
    new, length, ended = found.tokens.new_tensor(tokens), found.lengths[at], found.ended[at]
    each, scores = reread(decoder, encoding, new[at], at[0], start=start)
    end = scores[..., stop].gather(1, length[:, None])[:, 0]
    unsaid = torch.arange(limit, device=new.device) >= length[:, None]
    paid = each.masked_fill(unsaid, 0).sum(1) + end * ended
    scores = found.scores.index_put(at, paid / (length + ended).clamp_min(1)).masked_fill(repeated, IMPOSSIBLE)
    order = (scores == IMPOSSIBLE).byte().sort(dim=1, stable=True).indices  # those that are left keep their order
    new = new.gather(1, order[..., None].expand_as(new))
    return Hypotheses(new, *(values.gather(1, order) for values in (found.lengths, scores, found.ended)))


def _says(sentence: Sequence[int], phrase: Phrase) -> bool:
    return any(tuple(sentence[place : place + len(phrase)]) == phrase for place in range(len(sentence)))
