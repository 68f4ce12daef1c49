"""Which file beside or in the picture's own gets an annotation, and what that file is then to hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from semreg.annotation import Annotation
from semreg.data.raw import is_raw
from semreg.errors import SemregError
from semreg.folders.changes import Contents
from semreg.folders.journal import Journal
from semreg.folders.outputs import Content, text_of
from semreg.folders.place import content_hash
from semreg.folders.records import Form
from semreg.metadata import Entry, Existing, MetadataError, difference, embeds, new_sidecar, written

Naming = Literal["darktable", "lightroom"]


class KeptError(SemregError):
    """A file stays as it is because somebody else wrote it: no mistake, but worth a line."""


@dataclass(frozen=True)
class Subject:
    """A picture that something is to be written about.

    Attributes:
        picture: its path.
        number: in the journal; None where nothing is written in the end.
        seen: hash of the content that was annotated.
        told: its annotation.
        hierarchy: the full ways to tags that have parents.
        date: of the run, ISO 8601.
    """

    picture: Path
    number: int | None
    seen: bytes | None
    told: Annotation
    hierarchy: tuple[str, ...]
    date: str


class Target(ABC):
    """A way to write annotations into a folder of pictures."""

    form: Form

    @abstractmethod
    def contents(self, subject: Subject, journal: Journal | None) -> Contents:
        """What is to be written about a picture; the journal tells who wrote what is there.

        Raises:
            KeptError: a file is there that is not ours, or is about another picture.
            SemregError: the file cannot carry it.
            OSError: a file cannot be read.
        """


@dataclass(frozen=True)
class XmpTarget(Target):
    """XMP: in the picture where its format can carry it, else in a sidecar beside it.

    Attributes:
        existing: what happens to what is there already.
        naming: of sidecars: darktable's `x.nef.xmp`, or Lightroom's `x.xmp`.
        sidecar_only: pictures are never written to.
    """

    existing: Existing = "merge"
    naming: Naming = "darktable"
    sidecar_only: bool = False
    form: Form = "xmp"

    def contents(self, subject: Subject, journal: Journal | None) -> Contents:
        """See `Target.contents`."""
        picture, told = subject.picture, subject.told
        entry = Entry(
            tags=tuple(tag.label for tag in told.tags),
            hierarchy=subject.hierarchy,
            caption=told.caption.text if told.caption else None,
            model=told.model,
            date=subject.date,
        )
        if not self.sidecar_only and not is_raw(picture):
            data = picture.read_bytes()
            if embeds(data):
                data_hash = content_hash(data)  # a picture with two names may have been written by the other one
                if data_hash != subject.seen and not (journal and journal.wrote(data_hash)):
                    raise SemregError(f"{picture} was changed while it was annotated: run the same command again")
                return self._contents(picture.resolve(), data, entry)
        sidecar = self._sidecar(picture).resolve()
        _refuse_if_about_another(sidecar, subject, journal)
        return self._contents(sidecar, sidecar.read_bytes() if sidecar.exists() else None, entry)

    def _sidecar(self, picture: Path) -> Path:
        if self.naming == "lightroom":
            return picture.with_suffix(".xmp")
        return picture.with_name(f"{picture.name}.xmp")

    def _contents(self, target: Path, data: bytes | None, entry: Entry) -> Contents:
        try:
            new = written(data, entry, self.existing) if data is not None else new_sidecar(entry)
        except MetadataError as error:
            raise SemregError(f"{target}: {error}") from None
        if data is None:
            return Contents(target, None, new)
        return Contents(target, data, new, b"" if new == data else difference(new, data))


@dataclass(frozen=True)
class TextTarget(Target):
    """A `.txt` beside the picture: its tags joined by commas, or its caption; one that somebody else wrote is kept."""

    content: Content = "tags"
    form: Form = "txt"

    def contents(self, subject: Subject, journal: Journal | None) -> Contents:
        """See `Target.contents`."""
        target = subject.picture.with_suffix(".txt").resolve()
        new = text_of(subject.told, self.content).encode()
        if not target.exists():
            return Contents(target, None, new)
        _refuse_if_about_another(target, subject, journal)
        data = target.read_bytes()
        if not _is_ours(target, data, journal):
            raise KeptError(f"kept the text file that was there already: {target}")
        return Contents(target, data, new, b"" if new == data else difference(new, data))


def _is_ours(target: Path, data: bytes, journal: Journal | None) -> bool:
    """Whether a file is as we left it."""
    write = journal.last_write(target) if journal else None
    return write is not None and write.after == content_hash(data)


def _refuse_if_about_another(target: Path, subject: Subject, journal: Journal | None) -> None:
    write = journal.last_write(target) if journal and target.exists() else None
    if journal is None or write is None or write.picture == subject.number:
        return
    other = journal.path_of(write.picture)
    if other is not None and (journal.root / other).exists():
        raise KeptError(f"{target} is about {other.name} already and cannot be about {subject.picture.name} too")
