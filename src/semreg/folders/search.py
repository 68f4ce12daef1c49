"""Words as people type them, looked up in a journal's tags, captions and file names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from semreg.annotation import Annotation
from semreg.errors import SemregError
from semreg.folders.journal import Journal

_PARTS = re.compile(r'(-?)"([^"]*)"?|(\S+)')


@dataclass(frozen=True)
class Hit:
    """A picture that was found: its annotation, with its path as the name, and how well it fits (higher is better)."""

    annotation: Annotation
    relevance: float


def search(journal: Journal, folder: Path, words: str, limit: int) -> Iterator[Hit]:
    """Pictures in the folder that have all the words in their tags, caption or name, best first.

    A word finds its other forms (dog, dogs), whatever case and accents. `"dog on grass"` in quotes must stand
    together, `beach*` is how a word begins, `-cat` must not occur, `dog OR cat` takes either.

    Raises:
        SemregError: there is no word to look for.
    """
    place = folder.resolve()
    under = place.relative_to(journal.root) if place.is_relative_to(journal.root) else Path()
    for number, path, relevance in journal.search(_query(words), under, limit):
        below = path.relative_to(under) if path.is_relative_to(under) else journal.root / path
        yield Hit(replace(journal.told(number), file_name=(folder / below).as_posix()), relevance)


def _query(words: str) -> str:
    """The words in the language of SQLite's FTS5."""
    wanted: list[str] = []
    unwanted: list[str] = []
    either = False
    known = words.replace("\0", " ").encode("utf-8", "replace").decode()  # SQLite takes no other characters
    for minus, phrase, word in _PARTS.findall(known):
        if word == "OR" and wanted:
            either = True
            continue
        if word == "AND" and wanted:  # as it is anyway
            continue
        unwanted_word = minus or (word.startswith("-") and len(word) > 1)
        text = phrase or word.removeprefix("-" if unwanted_word else "")
        if not any(letter.isalnum() for letter in text):
            continue
        term = _term(text)
        if unwanted_word:
            unwanted.append(term)
        elif either:
            wanted[-1] = f"({wanted[-1]} OR {term})"
        else:
            wanted.append(term)
        either = False
    if not wanted:
        raise SemregError(f"there is no word to look for in {words!r}: semreg search FOLDER 'dog beach'")
    found = " AND ".join(wanted)
    return f"({found}) NOT ({' OR '.join(unwanted)})" if unwanted else found


def _term(text: str) -> str:
    beginning = text.endswith("*")
    quoted = text.rstrip("*").replace('"', "")
    return f'"{quoted}"*' if beginning else f'"{quoted}"'
