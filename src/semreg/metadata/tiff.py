"""TIFF and BigTIFF of either byte order: XMP in tag 700 of the first page, nothing else moved."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from semreg.metadata.entry import MetadataError
from semreg.metadata.splice import Blocks, Edit, splice

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_XMP, _SUB_DIRECTORIES, _PHOTOMETRIC, _DNG_VERSION = 700, 330, 262, 50706
_EXIF, _MAKER_NOTE = 0x8769, 0x927C
_SENSOR = (32803, 34892)  # colour filter array, linear raw
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 13: 4, 16: 8, 18: 8}  # bytes of a value by type, those used here
_UNSIGNED = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_REMEDY = "save the picture anew, or write a sidecar"


@dataclass(frozen=True)
class _Layout:
    """How numbers are written: byte order, and whether the file is a BigTIFF (64-bit offsets)."""

    order: str
    big: bool

    @property
    def count(self) -> str:
        """The number of entries of a directory, as `struct` reads it."""
        return self.order + ("Q" if self.big else "H")

    @property
    def offset(self) -> str:
        """An offset, or the number of an entry's values."""
        return self.order + ("Q" if self.big else "I")

    @property
    def entry_size(self) -> int:
        """Bytes of an entry: tag, type, number of values, and the values or where they are."""
        return 20 if self.big else 12


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    number: int
    value: int  # where the values' bytes are
    at: int  # where the entry is


def find(data: bytes) -> Blocks:
    """The packet in a TIFF.

    Raises:
        MetadataError: the first directory is broken, or the packet lies beyond the end.
    """
    layout = _layout(data)
    entry = _packet(_entries(data, layout, _first(data, layout)))
    if entry is None:
        return Blocks(None)
    end = entry.value + entry.number
    if end > len(data):
        raise MetadataError(f"its XMP packet reaches {end - len(data)} bytes beyond the end of the file: {_REMEDY}")
    return Blocks(data[entry.value : end])


def put(data: bytes, old: Blocks, new: Blocks) -> bytes:
    """Put `new` in the place of `old`; strips, tiles, other pages and directories stay where they are.

    A packet that fits where the old one was is written there; a larger one goes to the end of the file. For
    the first packet the directory is copied to the end too, with one entry more, and the header points there.
    """
    if new.xmp == old.xmp:
        return data
    layout = _layout(data)
    first = _first(data, layout)
    entries = _entries(data, layout, first)
    entry = _packet(entries)
    if new.xmp is None:
        return _without(data, layout, first, entries)
    if entry is None:
        return _with_new_directory(data, layout, first, entries, new.xmp)
    room = entry.number
    last = entry.value + room == len(data)
    if len(new.xmp) == room:
        return splice(data, [Edit(entry.value, entry.value + room, new.xmp)])
    if last or (len(new.xmp) < room and room > _inline(layout) < len(new.xmp)):
        edit, start = Edit(entry.value, entry.value + room, new.xmp), entry.value
        if not last:  # the rest of the room is unused from now on
            edit = Edit(entry.value, entry.value + len(new.xmp), new.xmp)
    else:
        start = len(data) + -len(data) % 8
        edit = Edit(len(data), len(data), b"\0" * (start - len(data)) + new.xmp)
    _check_size(layout, start + len(new.xmp))
    described = Edit(entry.at, entry.at + layout.entry_size, _described(layout, len(new.xmp), start))
    return splice(data, [edit, described])


def is_raw(data: bytes) -> bool:
    """Whether the file is a camera's raw file: a DNG, a CR2, or one with sensor values in a directory."""
    if data[8:10] == b"CR":
        return True
    try:
        layout = _layout(data)
        entries = _entries(data, layout, _first(data, layout))
        if any(entry.tag == _DNG_VERSION for entry in entries):
            return True
        subs = [place for entry in entries if entry.tag == _SUB_DIRECTORIES for place in _values(data, layout, entry)]
        directories = [entries, *(_entries(data, layout, place) for place in subs)]
        photometric = [entry for entries in directories for entry in entries if entry.tag == _PHOTOMETRIC]
        return any(value in _SENSOR for entry in photometric for value in _values(data, layout, entry))
    except MetadataError:
        return False


def maker_note(exif: bytes) -> int | None:
    """Where in an Exif block, which is built like a TIFF, the camera's maker note starts; None where there is none."""
    try:
        layout = _layout(exif)
        entries = _entries(exif, layout, _first(exif, layout))
        place = next((place for entry in entries if entry.tag == _EXIF for place in _values(exif, layout, entry)), None)
        found = _entries(exif, layout, place) if place else []
        return next((entry.value for entry in found if entry.tag == _MAKER_NOTE), None)
    except MetadataError:
        return None


def _layout(data: bytes) -> _Layout:
    return _Layout("<" if data[:2] == b"II" else ">", big=0x2B in data[2:4])


def _inline(layout: _Layout) -> int:
    """How many bytes of values an entry holds itself."""
    return 8 if layout.big else 4


def _first(data: bytes, layout: _Layout) -> int:
    return _number(data, layout.offset, 8 if layout.big else 4)


def _number(data: bytes, form: str, at: int) -> int:
    try:
        return int(struct.unpack_from(form, data, at)[0])
    except (struct.error, OverflowError) as error:
        raise MetadataError(f"it ends before byte {at}, where a TIFF directory should be: {_REMEDY}") from error


def _entries(data: bytes, layout: _Layout, directory: int) -> list[_Entry]:
    """The entries of a directory, as they stand."""
    head = struct.calcsize(layout.count)
    count = _number(data, layout.count, directory)
    _number(data, layout.offset, directory + head + count * layout.entry_size)
    found = []
    for index in range(count):
        at = directory + head + index * layout.entry_size
        tag, kind = struct.unpack_from(layout.order + "HH", data, at)
        number = _number(data, layout.offset, at + 4)
        inside = at + layout.entry_size - _inline(layout)
        fits = number * _SIZES.get(kind, 8) <= _inline(layout)
        found.append(_Entry(tag, kind, number, inside if fits else _number(data, layout.offset, inside), at))
    return found


def _packet(entries: list[_Entry]) -> _Entry | None:
    found = [entry for entry in entries if entry.tag == _XMP]
    if len(found) > 1 or any(entry.kind not in (1, 2, 7) for entry in found):
        raise MetadataError("the XMP entry of its first TIFF directory is broken: mend it with exiftool")
    return found[0] if found else None


def _values(data: bytes, layout: _Layout, entry: _Entry) -> list[int]:
    form = layout.order + _UNSIGNED.get(entry.kind, "B")
    size = struct.calcsize(form)
    return [_number(data, form, entry.value + size * index) for index in range(min(entry.number, 16))]


def _described(layout: _Layout, size: int, start: int) -> bytes:
    """The entry for a packet of `size` bytes at `start`, type BYTE."""
    number = struct.pack(layout.offset, size)
    return struct.pack(layout.order + "HH", _XMP, 1) + number + struct.pack(layout.offset, start)


def _check_size(layout: _Layout, size: int) -> None:
    if not layout.big and size >= 1 << 32:
        raise MetadataError(f"with XMP it would have {size} bytes and a TIFF can have 4 GiB: write a sidecar")


def _with_new_directory(data: bytes, layout: _Layout, first: int, entries: list[_Entry], packet: bytes) -> bytes:
    start = len(data) + -len(data) % 8
    head = struct.calcsize(layout.count)
    size = head + (len(entries) + 1) * layout.entry_size + _inline(layout)
    place = start + size + -size % 8
    _check_size(layout, place + len(packet))
    texts = [(entry.tag, data[entry.at : entry.at + layout.entry_size]) for entry in entries]
    texts.append((_XMP, _described(layout, len(packet), place)))
    texts.sort(key=lambda item: item[0])
    after = first + head + len(entries) * layout.entry_size
    directory = struct.pack(layout.count, len(texts)) + b"".join(text for _, text in texts)
    directory += data[after : after + _inline(layout)] + b"\0" * (-size % 8)
    at = 8 if layout.big else 4
    pointer = Edit(at, at + _inline(layout), struct.pack(layout.offset, start))
    return splice(data, [pointer, Edit(len(data), len(data), b"\0" * (start - len(data)) + directory + packet)])


def _without(data: bytes, layout: _Layout, first: int, entries: list[_Entry]) -> bytes:
    """Take the packet's entry out of the directory, in place; the packet goes too if it is the last of the file."""
    gone = next(entry for entry in entries if entry.tag == _XMP)
    head = struct.calcsize(layout.count)
    end = first + head + len(entries) * layout.entry_size + _inline(layout)
    after = gone.at + layout.entry_size
    edits = [
        Edit(first, first + head, struct.pack(layout.count, len(entries) - 1)),
        Edit(gone.at, end, data[after:end] + b"\0" * layout.entry_size),
    ]
    if gone.value + gone.number == len(data) and gone.value >= end:
        edits.append(Edit(gone.value, len(data), b""))
    return splice(data, edits)
