"""The index of a file with several pictures (CIPA DC-007, MPF): offsets and sizes that follow an edit."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from semreg.metadata.entry import MetadataError
from semreg.metadata.splice import Edit, moved

_ENTRIES = 0xB002
_ENTRY_SIZE = 16  # attributes, size, offset (4 bytes each), two dependents (2 bytes each)


def index_edits(data: bytes, base: int, end: int, edits: Sequence[Edit]) -> list[Edit]:
    """The edits that keep the index true when `edits` are done.

    `base` is where the index's own header (II or MM) lies: offsets count from there, but for the first
    picture's, which is 0. `end` is the end of its segment.

    Raises:
        MetadataError: the index cannot be read, and so would become wrong unseen.
    """
    grown = sum(len(edit.text) - (edit.end - edit.start) for edit in edits)
    try:
        order, entries = _entries(data, base, end)
    except (struct.error, KeyError, ValueError) as error:
        raise MetadataError("its index of several pictures (MPF) is broken: write a sidecar") from error
    more = []
    for entry in entries:
        size, offset = struct.unpack_from(order + "II", data, entry + 4)
        if offset == 0:
            size += grown if size else 0
        else:
            offset = moved(base + offset, edits) - moved(base, edits)
        text = struct.pack(order + "II", size, offset)
        if text != data[entry + 4 : entry + 12]:
            more.append(Edit(entry + 4, entry + 12, text))
    return more


def _entries(data: bytes, base: int, end: int) -> tuple[str, list[int]]:
    """The byte order, and where each entry lies in the file."""
    order = {b"II*\0": "<", b"MM\0*": ">"}[data[base : base + 4]]
    (directory,) = struct.unpack_from(order + "I", data, base + 4)
    (count,) = struct.unpack_from(order + "H", data, base + directory)
    for index in range(count):
        tag, _, size, value = struct.unpack_from(order + "HHII", data, base + directory + 2 + 12 * index)
        if tag == _ENTRIES:
            if base + value + size > end:
                raise ValueError("entries beyond the segment")
            return order, list(range(base + value, base + value + size // _ENTRY_SIZE * _ENTRY_SIZE, _ENTRY_SIZE))
    return order, []
