"""What the concept layer does not bear out is said in general, or not at all: a person for man or woman."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from semreg.decoding.constraints import IMPOSSIBLE
from semreg.decoding.generator import Generator, S
from semreg.decoding.required import Phrase
from semreg.decoding.search import Hypotheses, reread
from semreg.model.interfaces import Encoding

EDGE = 1e-4  # probabilities are kept this far from 0 and 1 before their odds are taken
OMITTED = -1  # stands for a word that is left out


@dataclass(frozen=True)
class Kind:
    """One of several that exclude each other.

    Attributes:
        concepts: places of the concepts that speak for it.
        words: tokens that tell this kind from the others, to those that do not, or to `OMITTED`.
    """

    concepts: tuple[int, ...]
    words: Mapping[int, int]


@dataclass(frozen=True)
class Group:
    """Kinds that exclude each other.

    Attributes:
        share: how probable a kind must be, given that it is just one of them, for its own words to stay.
        kinds: two or more.
    """

    share: float
    kinds: tuple[Kind, ...]

    def shares(self, probabilities: Tensor) -> Tensor:
        """How probable each kind is, given that it is one of them, (B, n); `probabilities` of the concepts are (B, K).

        Of independent events with the odds o_i, given that just one of them comes to pass, the i-th has the probability
        o_i / sum(o). What a person has set to 1 is certain.
        """
        odds = probabilities.clamp(EDGE, 1 - EDGE).logit().exp()
        each = torch.stack([odds[:, list(kind.concepts)].amax(1) for kind in self.kinds], 1)
        return each / each.sum(1, keepdim=True)

    @property
    def together(self) -> float:
        """How probable two kinds must be together for both to be told, "black and white": doubt is squared."""
        return 1 - (1 - self.share) ** 2


@dataclass(frozen=True)
class GeneralWords:
    """What a caption says where it is not plain which of several kinds is seen.

    A decoder must say something, and says "a man" of a person whom it cannot make out, because most people whom it has
    learnt from are; and that he stands, because most do. A sentence with "a person", who neither stands nor sits, is as
    good and right.

    Attributes:
        groups: of kinds that exclude each other.
        fixed: tokens that no word is left out beside: "sitting down" has none to spare.
        both: tokens between two words of which either both are left out or none, "black and white".
        articles: which article goes before a token: "an" before "orange".
    """

    groups: tuple[Group, ...]
    fixed: frozenset[int] = frozenset()
    both: frozenset[int] = frozenset()
    articles: Mapping[int, int] = field(default_factory=dict)

    def shares(self, probabilities: Tensor) -> Tensor:
        """How probable the kinds are, each in its group, (B, n); `probabilities` of the concepts are (B, K)."""
        return torch.cat([group.shares(probabilities) for group in self.groups], 1)

    def instead(self, tokens: Sequence[int], shares: Sequence[float], keep: Collection[int] = ()) -> list[int]:
        """A sentence with general words for those of doubtful kinds, and without those that it can spare.

        Words are replaced only where that would not say the same word twice: "a man and a woman" are no person and a
        person. None is left out at the end of a sentence.

        Args:
            tokens: of the sentence.
            shares: of each kind.
            keep: tokens that stay whatever is seen.
        """
        words: dict[int, int] = {}
        spare: dict[int, tuple[Group, float]] = {}  # of each word that can be left out its group, and its kind's share
        each = iter(shares)
        for group in self.groups:
            for kind in group.kinds:
                share = next(each)
                for word, general in kind.words.items():
                    if word in keep:
                        continue
                    if general == OMITTED:
                        spare[word] = group, share
                    elif share < group.share:
                        words[word] = general
        plain = _replaced(tokens, words)
        gone = self._left_out(plain, spare)
        kept = [place for place in range(len(plain)) if place not in gone]
        told = [plain[place] for place in kept]
        for number, place in enumerate(kept[:-1]):  # an article that stands before another word now
            if tokens[place] in self._known_articles and told[number + 1] != tokens[place + 1]:
                told[number] = self.articles.get(told[number + 1], told[number])
        return told

    def _left_out(self, sentence: list[int], spare: Mapping[int, tuple[Group, float]]) -> set[int]:
        """The places of words that go: one by itself, or two and what is between them."""
        gone: set[int] = set()
        for place, token in enumerate(sentence):
            if token not in spare:
                continue
            group, share = spare[token]
            if share < group.share and self._can_go(sentence, place, place + 1):
                gone.add(place)
            pair = sentence[place + 1 : place + 3]
            if len(pair) == 2 and pair[0] in self.both and pair[1] in spare:
                group_of_other, more = spare[pair[1]]
                doubtful = group is group_of_other and share + more < group.together
                if doubtful and self._can_go(sentence, place, place + 3):
                    gone |= {place, place + 1, place + 2}
        return gone

    def _can_go(self, sentence: list[int], first: int, end: int) -> bool:
        """Whether the words from `first` to before `end` can: something follows, and nothing beside them needs them."""
        beside = {*sentence[max(0, first - 1) : first], *sentence[end : end + 1]}
        return end < len(sentence) and not (self.fixed | self.both) & beside

    @cached_property
    def _known_articles(self) -> frozenset[int]:
        return frozenset(self.articles.values())


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
    tokens, lengths, limit = found.tokens.tolist(), found.lengths.clone(), found.tokens.shape[2]
    changed: list[tuple[int, int]] = []
    told: list[list[int]] = []
    repeated = torch.zeros_like(found.ended)
    rows = zip(tokens, found.lengths.tolist(), words.shares(probabilities).tolist(), strict=True)
    for row, (sentences, before, shares) in enumerate(rows):
        for place, length in enumerate(before):
            said = sentences[place][:length]
            plain = words.instead(said, shares, keep)
            if plain != said and not any(_says(plain, phrase) for phrase in never):
                changed.append((row, place))
                told.append(plain)
                lengths[row, place] = len(plain)
                sentences[place] = plain + [padding] * (limit - len(plain))
            repeated[row, place] = sentences[place] in sentences[:place]
    if not changed:
        return found
    at = tuple(torch.tensor(changed, device=found.tokens.device).T)
    new, length, ended = found.tokens.new_tensor(tokens), lengths[at], found.ended[at]
    longest = max(len(sentence) for sentence in told)
    each, scores = reread(decoder, encoding, new[at][:, :longest], at[0], start=start)
    end = scores[..., stop].gather(1, length[:, None])[:, 0]
    unsaid = torch.arange(longest, device=new.device) >= length[:, None]
    paid = each.masked_fill(unsaid, 0).sum(1) + end * ended
    scores = found.scores.index_put(at, paid / (length + ended).clamp_min(1)).masked_fill(repeated, IMPOSSIBLE)
    order = (scores == IMPOSSIBLE).byte().sort(dim=1, stable=True).indices  # those that are left keep their order
    new = new.gather(1, order[..., None].expand_as(new))
    return Hypotheses(new, *(values.gather(1, order) for values in (lengths, scores, found.ended)))


def _says(sentence: Sequence[int], phrase: Phrase) -> bool:
    return any(tuple(sentence[place : place + len(phrase)]) == phrase for place in range(len(sentence)))


def _replaced(tokens: Sequence[int], words: Mapping[int, int]) -> list[int]:
    """With general words, or as it is where two different words would become the same."""
    plain = [words.get(token, token) for token in tokens]
    before: dict[int, set[int]] = {}
    for token, general in zip(tokens, plain, strict=True):
        before.setdefault(general, set()).add(token)
    return list(tokens) if any(len(same) > 1 for same in before.values()) else plain
