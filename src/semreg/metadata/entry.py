"""What a picture file says of itself, and what the machine wants to say: plain records."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from semreg.errors import SemregError

Existing = Literal["keep", "merge", "replace-machine"]

# What XML 1.0 cannot hold, half surrogate pairs of undecodable file names among it.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class MetadataError(SemregError):
    """The metadata of one file cannot be read or written; the sentence says why and what to do, not which file."""


@dataclass(frozen=True)
class Entry:
    """What the machine wants to say of a picture, or has said.

    `tags` go into dc:subject, `hierarchy` ("animal|dog") into lr:hierarchicalSubject, `caption` into the
    x-default of dc:description. `model` is NAME@HASH, `date` ISO 8601.
    """

    tags: tuple[str, ...]
    hierarchy: tuple[str, ...] = ()
    caption: str | None = None
    model: str = ""
    date: str = ""


@dataclass(frozen=True)
class Known:
    """What a file says: all of it, a human's and the machine's; `machine` is the part that semreg wrote.

    `machine` goes by semreg's own record in the file, less what a human has removed or changed since; None
    where there is no record.
    """

    tags: tuple[str, ...] = ()
    hierarchy: tuple[str, ...] = ()
    caption: str | None = None
    machine: Entry | None = None


@dataclass(frozen=True)
class Record:
    """semreg's own record in a file: what it wrote, and which texts of its own a human has removed since."""

    entry: Entry
    removed: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.entry.tags or self.entry.hierarchy or self.entry.caption or self.removed)


NO_RECORD = Record(Entry(()))


def key(text: str) -> str:
    """The form in which two tags are compared: without case, composed (NFC), without spaces around."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).strip()


def distinct(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts without empty ones and later repetitions, compared by `key`, in their order."""
    found: dict[str, str] = {}
    for text in texts:
        if key(text):
            found.setdefault(key(text), text)
    return tuple(found.values())


def checked(entry: Entry) -> Entry:
    """Return the entry as it is written: composed (NFC), white space collapsed, each tag once.

    Raises:
        MetadataError: a text has a character that XML cannot hold.
    """
    return Entry(
        tags=distinct(map(_text, entry.tags)),
        hierarchy=distinct(map(_text, entry.hierarchy)),
        caption=_text(entry.caption or "") or None,
        model=_text(entry.model),
        date=_text(entry.date),
    )


def holds_in_xml(text: str) -> bool:
    """Whether XML can hold every character of the text."""
    return _NOT_XML.search(text) is None


def _text(text: str) -> str:
    found = _NOT_XML.search(text)
    if found:
        raise MetadataError(f"a text to be written has the character {found[0]!r}, which XML cannot hold: rename it")
    return " ".join(unicodedata.normalize("NFC", text).split())
