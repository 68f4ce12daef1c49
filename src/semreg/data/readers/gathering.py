"""Gathering a data set's records: every picture once, inside the pictures' folder, with clean tags and captions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from semreg.data.records import Record
from semreg.errors import SemregError

_TRIED = 50  # pictures that are looked for to find out in which folder they lie


class Gathering:
    """The records of a set while it is read.

    Args:
        pictures: the folder that all file names are relative to.
    """

    def __init__(self, pictures: Path) -> None:
        self.pictures = pictures
        self.records: list[Record] = []
        self._seen: dict[str, str] = {}

    def add(self, name: str, split: str, where: str, *, tags: Iterable[str] = (), captions: Iterable[str] = ()) -> None:
        """Add a picture.

        Args:
            name: its path in the pictures' folder, with forward slashes.
            split: the part of the set it belongs to.
            where: the place that names it, for messages.
            tags: its labels; repeated and blank ones are dropped.
            captions: its sentences; line breaks become spaces, blank ones are dropped.

        Raises:
            SemregError: the picture was named before, or lies outside the folder.
        """
        check_name(name, where)
        if name in self._seen:
            raise SemregError(f"{where}: the picture {name!r} must be named once, stands at {self._seen[name]} too")
        self._seen[name] = where
        labels = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
        sentences = tuple(" ".join(caption.split()) for caption in captions if caption.strip())
        self.records.append(Record(self.pictures / name, name, split, labels, sentences))

    def done(self, source: object) -> list[Record]:
        """All records, in the order in which they came.

        Raises:
            SemregError: there is none; `source` is named.
        """
        if not self.records:
            raise SemregError(f"{source} must name at least one picture, names none: check folder, files and options")
        return self.records


def check_name(name: str, where: str) -> None:
    """Refuse a picture's name that leads out of the pictures' folder.

    Raises:
        SemregError: the name is empty, absolute, or has ".." in it.
    """
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise SemregError(f"{where}: a picture must lie within the pictures' folder, is {name!r}: give a path in it")


def base_of(pictures: Path, names: Sequence[str], folders: Sequence[str]) -> str:
    """In which of several usual folders the pictures lie, as a prefix of their names.

    Args:
        pictures: the folder that file names are relative to.
        names: pictures' names; the first ones are looked for.
        folders: the usual folders in it; "" is the folder itself.

    Returns:
        The first of `folders` with one of the pictures in it; where there is none, the first that exists; else "".
        With a slash at its end, unless it is "".
    """
    exist = [folder for folder in folders if (pictures / folder).is_dir()]
    full = (folder for folder in exist if any((pictures / folder / name).exists() for name in names[:_TRIED]))
    chosen = next(full, exist[0] if exist else "")
    return f"{chosen}/" if chosen else ""
