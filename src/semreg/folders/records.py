"""What a journal holds: pictures, runs, and what was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Form = Literal["xmp", "txt"]


@dataclass(frozen=True)
class Picture:
    """What the journal knows of a picture.

    Attributes:
        id: its number in the journal.
        path: where it was, relative to the folder.
        size: of the file, in bytes; `mtime`: its modification time in nanoseconds; `hash`: of its content.
        settings: what its annotation was computed with; None when it could not be read.
        error: why it could not be read, or None.
        written: the settings of the latest write of the form asked for that still holds, or None.
    """

    id: int
    path: Path
    size: int
    mtime: int
    hash: bytes
    settings: str | None
    error: str | None
    written: str | None


@dataclass(frozen=True)
class Write:
    """A file that was written, or is about to be; see the tables for the attributes."""

    id: int
    run: str
    picture: int
    form: Form
    target: Path
    before: bytes | None
    after: bytes | None
    size: int
    mtime: int
    difference: bytes
    undoes: int | None = None


@dataclass(frozen=True)
class Run:
    """A run as the journal lists it: `writes` still stand, `undone` were taken back."""

    id: str
    command: str
    model: str
    date: str
    ended: str | None
    writes: int
    undone: int
