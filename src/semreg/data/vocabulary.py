"""Words and labels to token numbers and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from semreg.errors import SemregError

PADDING, START, STOP, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<start>", "<stop>", "<unk>")
NEVER_PRODUCED = (PADDING, START, UNKNOWN)

_WORD = re.compile(r"\w+(?:['’\-]\w+)*")


def words_of(caption: str) -> list[str]:
    """A caption's words in lower case, without punctuation; "it's" and "stop-sign" are one word each."""
    return _WORD.findall(caption.lower().replace("’", "'"))


class Vocabulary:
    """The tokens of one decoder: four special ones, then words or labels.

    Args:
        words: without repetition, in the order of their tokens.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._tokens = {word: len(SPECIAL) + index for index, word in enumerate(self.words)}
        if len(self._tokens) != len(self.words):
            raise SemregError("a vocabulary must not hold a word twice: drop the repetition")

    def __len__(self) -> int:
        """V: the words and the special tokens."""
        return len(SPECIAL) + len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._tokens

    def token(self, word: str) -> int:
        """The token of a word, or that of `<unk>`."""
        return self._tokens.get(word, UNKNOWN)

    def path(self, words: Iterable[str]) -> list[int]:
        """A whole path to teach: start, the words, stop."""
        return [START, *(self.token(word) for word in words), STOP]

    def text(self, tokens: Iterable[int]) -> list[str]:
        """The words of tokens; special tokens are left out."""
        return [self.words[token - len(SPECIAL)] for token in tokens if token >= len(SPECIAL)]


def word_vocabulary(captions: Iterable[str], minimum: int = 5) -> Vocabulary:
    """The words that occur at least `minimum` times, most frequent first (ties in alphabetical order).

    Raises:
        SemregError: no word occurs so often.
    """
    counts = Counter(word for caption in captions for word in words_of(caption))
    words = [word for word, count in by_frequency(counts) if count >= minimum]
    if not words:
        raise SemregError(f"no word of the captions occurs {minimum} times or more: lower words.minimum")
    return Vocabulary(words)


def by_frequency(counts: Counter[str]) -> list[tuple[str, int]]:
    """Most frequent first, ties in alphabetical order, so that the same data always gives the same vocabulary."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
