"""Previews that cameras keep behind a JPEG's end, where an offset in the Exif block or its maker note leads."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from itertools import islice

from semreg.metadata import tiff

_MOST = 16  # pictures behind the end that are looked at, and ends of each
_OWN_HEADERS = (0, 8, 10, 12)  # bytes into a maker note from which cameras count: its start, or a header of its own


def preview_behind(data: bytes, exif: int, exif_end: int, scan: int) -> int | None:
    """Where the picture lies that is behind a JPEG's own and that the maker note leads to, or None.

    The maker notes themselves, of which there are too many kinds, are not understood for that: a picture counts as
    led to if its offset and its length are both in the Exif block, in the same byte order.

    Args:
        data: the file.
        exif: where the Exif block starts (II or MM).
        exif_end: where it ends.
        scan: where the picture's first scan starts; from there on FF D8 FF is never part of the picture.
    """
    block = data[exif:exif_end]
    note = tiff.maker_note(block)
    if note is None:
        return None
    bases = [exif, *(exif + note + own for own in _OWN_HEADERS)]
    for place in _found(rb"\xff\xd8\xff", data, scan):
        lengths = [end + 2 - place for end in _found(rb"\xff\xd9", data, place)]
        lengths.append(len(data) - place)
        for order in ("<I", ">I"):
            if _holds(block, order, [place - base for base in bases]) and _holds(block, order, lengths):
                return place
    return None


def _found(pattern: bytes, data: bytes, start: int) -> Iterator[int]:
    return (found.start() for found in islice(re.compile(pattern).finditer(data, start), _MOST))


def _holds(block: bytes, order: str, numbers: list[int]) -> bool:
    return any(struct.pack(order, number) in block for number in numbers if number < 1 << 32)
