"""What captions imply: words that are said of a picture only where it has a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from semreg.data.vocabulary import words_of

MINIMUM = 20  # pictures that must speak of a word
SLACK = 0.2  # of the chance of a picture that it does not have a label, what may be left where the word is said


def implied_labels(labels: Sequence[Sequence[str]], captions: Sequence[Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """For words the labels that they imply: nearly all pictures have them of which the word is said.

    "A kitten" implies cat, "tennis" a person. What half of all pictures have, more of those must have of which a word
    is said, before the word implies it: with a share b of all pictures 1 - `SLACK` (1 - b).

    Args:
        labels: of each picture, all that it has.
        captions: of each picture.

    Returns:
        In the order of the words; those that imply nothing, or are said of fewer than `MINIMUM` pictures, are left out.
    """
    usual, said = Counter[str](), Counter[str]()
    together = Counter[tuple[str, str]]()
    for has, texts in zip(labels, captions, strict=True):
        words = {word for text in texts for word in words_of(text)}
        usual.update(set(has))
        said.update(words)
        together.update((word, label) for word in words for label in set(has))
    found: dict[str, list[str]] = {}
    for (word, label), count in together.items():
        share = usual[label] / len(labels)
        if said[word] >= MINIMUM and (count + share) / (said[word] + 1) >= 1 - SLACK * (1 - share):
            found.setdefault(word, []).append(label)
    return {word: tuple(sorted(found[word])) for word in sorted(found)}
