"""Edits of a file's bytes: what lies between them stays as it is, and where it has moved to is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Blocks:
    """The blocks of metadata in a file: an XMP packet, and the IPTC-IIM datasets where the file has some."""

    xmp: bytes | None
    iptc: bytes | None = None


@dataclass(frozen=True)
class Edit:
    """Put `text` in the place of bytes `start` to `end` (excluded) of the old file."""

    start: int
    end: int
    text: bytes


def splice(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The data with all edits done; they may stand in any order but must not overlap."""
    parts: list[bytes | memoryview] = []
    view, position = memoryview(data), 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        assert edit.start >= position
        parts += [view[position : edit.start], edit.text]
        position = edit.end
    return b"".join([*parts, view[position:]])


def moved(position: int, edits: Sequence[Edit]) -> int:
    """Where a byte of the old file that no edit replaced lies in the new one."""
    return position + sum(len(edit.text) - (edit.end - edit.start) for edit in edits if edit.end <= position)
