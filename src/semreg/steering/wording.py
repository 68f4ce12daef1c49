"""Words that must or must not be said, words not to guess, and what words name and imply, as tokens of decoders."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from semreg.data.concepts import Concepts, word_forms
from semreg.data.vocabulary import SPECIAL, Vocabulary, words_of
from semreg.decoding.general import OMITTED, GeneralWords, Group, Kind
from semreg.decoding.grounding import Grounding
from semreg.decoding.required import Alternatives, Phrase
from semreg.errors import SemregError
from semreg.model_config import Form, ModelConfig

FIXED, BOTH = ("or", "up", "down"), ("and",)  # no word is left out beside these, but both of "black and white"
ARTICLES = ("a", "an")
VOWELS, CONSONANTS = "aeiou", ("uni", "use", "eu", "one")  # "an umbrella", but "a unicorn"


@dataclass(frozen=True)
class Wording:
    """What one decoder must and must not say.

    Attributes:
        must: for each word that it knows, the phrases of which one suffices.
        never: phrases that never occur.
    """

    must: tuple[Alternatives, ...] = ()
    never: tuple[Phrase, ...] = ()

    @property
    def tokens(self) -> set[int]:
        """All tokens of what must be said."""
        return {token for phrases in self.must for phrase in phrases for token in phrase}


@dataclass(frozen=True)
class _Words:
    config: ModelConfig
    concepts: Concepts = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "concepts", self.config.concept_vocabulary())

    def phrases(self, word: str, form: Form) -> Alternatives:
        """All that one decoder may say for a word; nothing where it does not know it."""
        vocabulary = self.config.vocabulary(form)
        return self._labels(word, vocabulary) if form == "tags" else self._texts(word, vocabulary)

    def _labels(self, word: str, vocabulary: Vocabulary) -> Alternatives:
        name = self.concepts.forms.get(word, word)
        return tuple((vocabulary.token(label),) for label in vocabulary.words if label in (word, name))

    def _texts(self, word: str, vocabulary: Vocabulary) -> Alternatives:
        *first, last = words_of(word) or [word]
        name = self.concepts.forms.get(word, word)
        if not first and name in self.concepts.index:
            place = self.concepts.index[name]
            same = [
                w for w, c in zip(vocabulary.words, self.concepts.of_token(vocabulary.words), strict=True) if c == place
            ]
        else:
            same = word_forms(last, vocabulary.words)
        if not all(each in vocabulary for each in first):
            return ()
        start = tuple(vocabulary.token(each) for each in first)
        return tuple((*start, vocabulary.token(each)) for each in same)


def word_rules(must: Sequence[str], never: Sequence[str], config: ModelConfig) -> dict[Form, Wording]:
    """What each decoder must and must not say.

    A word that is a concept, or a form of one, stands for all forms of that concept ("horse", "horses"); another for
    its singular and plural, or its verb forms, as far as the vocabulary has them. Several words are a phrase.

    Raises:
        SemregError: a word that no decoder knows (the nearest is named), or one that must and must not be said.
    """
    if not must and not never:
        return {form: Wording() for form in config.decoders}
    words = _Words(config)
    rules: dict[Form, Wording] = {}
    known = {word: {form: words.phrases(_plain(word), form) for form in config.decoders} for word in (*must, *never)}
    for word, by_form in known.items():
        if not any(by_form.values()):
            every = [text for decoder in config.decoders.values() for text in decoder.words]
            near = difflib.get_close_matches(_plain(word), [*every, *config.concepts], 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else "leave it out"
            raise SemregError(f"{config.name} does not know the word {word!r}: {hint}")
    for form in config.decoders:
        banned = tuple(dict.fromkeys(phrase for word in never for phrase in known[word][form]))
        wanted = {word: known[word][form] for word in must if known[word][form]}
        for word, phrases in wanted.items():
            if all(any(_within(run, phrase) for run in banned) for phrase in phrases):
                raise SemregError(f"{word!r} must be said and must not, as {', '.join(map(repr, never))} forbid it")
        rules[form] = Wording(tuple(wanted.values()), banned)
    return rules


def general_words(config: ModelConfig) -> GeneralWords | None:
    """What captions say where it is not plain which of several kinds is seen; None where they may guess.

    So they may without a concept layer that was taught: its outputs would say nothing of man and woman.

    Raises:
        SemregError: a concept or a word that the model does not have.
    """
    if not config.general or not config.supervised or "caption" not in config.decoders:
        return None
    vocabulary, place = config.vocabulary("caption"), {name: k for k, name in enumerate(config.concepts)}
    groups = []
    for group in config.general:
        kinds = []
        for kind in group.all_kinds():
            unknown = [name for name in kind.concepts if name not in place]
            unknown += [word for pair in kind.words.items() for word in pair if word and word not in vocabulary]
            if unknown:
                raise SemregError(f"general names {unknown[0]!r}, which {config.name} does not have: take it out")
            words = {
                vocabulary.token(word): vocabulary.token(general) if general else OMITTED
                for word, general in kind.words.items()
            }
            kinds.append(Kind(tuple(place[name] for name in kind.concepts), words))
        groups.append(Group(group.share, tuple(kinds)))
    fixed, both = (frozenset(vocabulary.token(w) for w in words if w in vocabulary) for words in (FIXED, BOTH))
    return GeneralWords(tuple(groups), fixed, both, _articles(vocabulary))


def grounding_of(config: ModelConfig) -> Grounding | None:
    """What the concept layer says of captions; None where it is not asked, or nobody has taught it."""
    chosen = config.grounding
    if chosen is None or not config.supervised or "caption" not in config.decoders:
        return None
    if len(chosen.usual) != len(config.concepts):
        raise SemregError(
            f"grounding needs a share for each of {len(config.concepts)} concepts, has {len(chosen.usual)}"
        )
    concept, place = config.concept_of_token("caption"), {name: k for k, name in enumerate(config.concepts)}
    implied = torch.full((len(concept), max([1, *map(len, chosen.implied.values())])), -1)
    for token, word in enumerate(config.decoders["caption"].words, len(SPECIAL)):
        labels = [place[label] for label in chosen.implied.get(word, ()) if label in place]
        implied[token, : len(labels)] = torch.tensor(labels, dtype=torch.long)
    return Grounding(concept, implied, torch.tensor(chosen.usual), chosen.named, chosen.labels)


def _articles(vocabulary: Vocabulary) -> dict[int, int]:
    """Which article goes before each word, by its first letter, as far as that tells."""
    if not all(article in vocabulary for article in ARTICLES):
        return {}
    a, an = (vocabulary.token(article) for article in ARTICLES)
    return {
        vocabulary.token(word): an if word[0] in VOWELS and not word.startswith(CONSONANTS) else a
        for word in vocabulary.words
    }


def _within(run: Phrase, phrase: Phrase) -> bool:
    return any(phrase[i : i + len(run)] == run for i in range(len(phrase)))


def _plain(word: str) -> str:
    return " ".join(word.lower().split())
