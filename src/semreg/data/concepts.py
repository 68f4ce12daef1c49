"""The concept vocabulary: what the semantic layer names. Labels, content words of captions, or the union of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from semreg.data.vocabulary import by_frequency, words_of
from semreg.errors import SemregError

IRREGULAR = {"men": "man", "women": "woman", "children": "child", "knives": "knife", "leaves": "leaf"}
IRREGULAR |= {"mice": "mouse", "geese": "goose", "loaves": "loaf", "shelves": "shelf", "wolves": "wolf"}


class Concepts:
    """K named concepts, and which words of a caption speak of which.

    Args:
        names: the concepts in the order of the semantic layer's outputs; a name may have several words.
        forms: other words for a concept ("dogs" for "dog", "rides" for "riding"), to its name.
    """

    def __init__(self, names: Sequence[str], forms: Mapping[str, str] | None = None) -> None:
        self.names = tuple(names)
        self.forms = dict(forms or {})
        self.index = {name: index for index, name in enumerate(self.names)}
        if len(self.index) != len(self.names):
            raise SemregError("a concept vocabulary must not hold a name twice: drop the repetition")
        self._phrases = phrases(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def find(self, tags: Iterable[str], captions: Iterable[str]) -> list[int]:
        """The concepts that tags and captions name: s_k = 1; ascending, without repetition."""
        found = {self.index[tag] for tag in tags if tag in self.index}
        for caption in captions:
            for word in merge_phrases(words_of(caption), self._phrases):
                name = self.forms.get(word, word)
                if name in self.index:
                    found.add(self.index[name])
        return sorted(found)

    def of_token(self, words: Sequence[str]) -> list[int]:
        """For each word the concept that it names, or -1."""
        return [self.index.get(self.forms.get(word, word), -1) for word in words]


def concept_vocabulary(
    tags: Iterable[Sequence[str]],
    captions: Iterable[Sequence[str]],
    *,
    source: str = "both",
    size: int = 1000,
    minimum: int = 5,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
) -> Concepts:
    """Choose the concepts from a training set.

    Args:
        tags: for each picture its labels.
        captions: for each picture its captions.
        source: "labels", "captions", or "both".
        size: at most so many words from the captions, the most frequent (the paper: 1000).
        minimum: pictures that must speak of a caption word; labels are taken however rare.
        include: caption words that are concepts though they are function words (how many, how large, how old).
        exclude: caption words that are not to be concepts.

    Raises:
        SemregError: nothing to name is left.
    """
    labels = Counter(tag for row in tags for tag in row) if source != "captions" else Counter()
    names = sorted(labels)
    forms: dict[str, str] = {}
    if source != "labels":
        known = phrases(names)
        seen: Counter[str] = Counter()
        rows = [{word for text in row for word in merge_phrases(words_of(text), known)} for row in captions]
        for row in rows:
            seen.update(row)
        forms = _word_forms(seen)
        merged = Counter(word for row in rows for word in {forms.get(word, word) for word in row})
        left_out, wanted = {*labels, *exclude}, set(include)
        content = [
            word
            for word, count in by_frequency(merged)
            if count >= minimum and word not in left_out and (word in wanted or _has_content(word))
        ]
        names += content[:size]
        forms = {form: name for form, name in forms.items() if name in set(names) and form not in labels}
    if not names:
        raise SemregError(f"no concept is left of source {source!r}: lower concepts.minimum or add tags or captions")
    return Concepts(names, forms)


def phrases(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The names of several words, as words, longest first: {"stop sign": ("stop", "sign")}."""
    known = {name: tuple(name.split()) for name in names if " " in name}
    return dict(sorted(known.items(), key=lambda item: -len(item[1])))


def merge_phrases(words: Sequence[str], known: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Join the words of known phrases, plurals too: ["two", "stop", "signs"] to ["two", "stop sign"]."""
    merged, position = [], 0
    while position < len(words):
        for name, parts in known.items():
            window = tuple(words[position : position + len(parts)])
            if window[:-1] == parts[:-1] and window[-1] in (parts[-1], parts[-1] + "s", parts[-1] + "es"):
                merged.append(name)
                position += len(parts)
                break
        else:
            merged.append(words[position])
            position += 1
    return merged


def word_forms(word: str, words: Iterable[str]) -> list[str]:
    """The word and its other forms among `words`, in their order: singular, plural, verb forms that share an -ing form.

    Function words are no verbs ("the" is no form of "thing").
    """
    own = _stems(word)
    return [each for each in words if each == word or own & _stems(each)]


def _stems(word: str) -> set[str]:
    """What a word may be a form of: itself, its singular, its -ing form."""
    stems = {word, *_singulars(word)}
    return stems if word in function_words() else stems.union(*map(_actions, stems))


def _word_forms(counts: Counter[str]) -> dict[str, str]:
    """Plurals to their singular, and verb forms to their -ing form, where the data has both and prefers the latter."""
    forms: dict[str, str] = {}
    for word, count in counts.items():
        singular = next((s for s in _singulars(word) if counts[s] >= min(2, count)), None)
        stem = singular or word
        action = next((a for a in _actions(stem) if counts[a] > counts[stem]), None)
        if action or singular:
            forms[word] = action or stem
    return forms


def _singulars(word: str) -> list[str]:
    if word in IRREGULAR:
        return [IRREGULAR[word]]
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return []
    stems = [word[:-1]]
    if word.endswith("ies"):
        stems.insert(0, word[:-3] + "y")
    elif word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        stems.append(word[:-2])
    return stems


def _actions(word: str) -> list[str]:
    """How the -ing form of a verb may be spelt."""
    if len(word) < 3 or word.endswith("ing"):
        return []
    if word.endswith("e"):
        return [word + "ing", word[:-1] + "ing"]
    return [word + "ing"] if word[-1] in "aiouwxy" else [word + "ing", word + word[-1] + "ing"]  # run, running


def _has_content(word: str) -> bool:
    return len(word) > 1 and not word[0].isdigit() and word not in function_words()


@lru_cache
def function_words() -> frozenset[str]:
    """The words that never become a concept."""
    lines = Path(__file__).with_name("function_words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
