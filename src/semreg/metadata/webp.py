"""WebP, simple, extended and animated: XMP in a chunk of its own, announced by a flag in VP8X."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from semreg.metadata.entry import MetadataError
from semreg.metadata.splice import Blocks, Edit, splice

_XMP_FLAG, _ALPHA_FLAG = 0x04, 0x10
_REMEDY = "save the picture anew, or write a sidecar"


@dataclass(frozen=True)
class _Chunk:
    """A chunk: bytes `start` to `end` of the file with its head of 8 bytes and its padding; `size` is the body's."""

    kind: bytes
    start: int
    size: int
    end: int


def find(data: bytes) -> Blocks:
    """The packet in a WebP.

    Raises:
        MetadataError: a chunk is broken, or there are two packets.
    """
    chunk = _packet(list(_chunks(data)))
    return Blocks(data[chunk.start + 8 : chunk.start + 8 + chunk.size] if chunk else None)


def put(data: bytes, old: Blocks, new: Blocks) -> bytes:
    """Put `new` in the place of `old`, or at the end where there was none; all other chunks stay.

    A simple file becomes an extended one: it gets the chunk VP8X with the size of the picture.
    """
    if new.xmp == old.xmp:
        return data
    chunks = list(_chunks(data))
    packet = _packet(chunks)
    end = chunks[-1].end
    made = b"" if new.xmp is None else b"XMP " + struct.pack("<I", len(new.xmp)) + new.xmp + b"\0" * (len(new.xmp) % 2)
    edits = [Edit(packet.start, packet.end, made) if packet else Edit(end, end, made)]
    if chunks[0].kind == b"VP8X":
        at = chunks[0].start + 8
        flags = data[at] & ~_XMP_FLAG if new.xmp is None else data[at] | _XMP_FLAG
        edits.append(Edit(at, at + 1, bytes((flags,))))
    else:
        edits.append(Edit(12, 12, _extended_header(data, chunks[0])))
    size = end - 8 + sum(len(edit.text) - (edit.end - edit.start) for edit in edits)
    return splice(data, [Edit(4, 8, struct.pack("<I", size)), *edits])


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks of the file; what follows it is no part of it."""
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data) or end < 20:
        raise MetadataError(f"it says it is {end} bytes long and is {len(data)}: {_REMEDY}")
    position = 12
    while position + 8 <= end:
        kind, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        padded = position + 8 + size + size % 2
        if position + 8 + size > end or padded > len(data):
            raise MetadataError(f"it ends in the middle of a WebP chunk that begins at byte {position}: {_REMEDY}")
        yield _Chunk(kind, position, size, padded)
        position = padded


def _packet(chunks: list[_Chunk]) -> _Chunk | None:
    found = [item for item in chunks if item.kind == b"XMP "]
    if len(found) > 1:
        raise MetadataError(f"it has {len(found)} XMP packets where one is allowed: mend it with exiftool")
    return found[0] if found else None


def _extended_header(data: bytes, image: _Chunk) -> bytes:
    """The chunk VP8X for a simple file: flags, and width - 1 and height - 1 in 24 bits each."""
    body, flags = data[image.start + 8 : image.end], _XMP_FLAG
    if image.kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    elif image.kind == b"VP8L" and body[:1] == b"\x2f":
        (bits,) = struct.unpack_from("<I", body, 1)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags |= _ALPHA_FLAG if bits >> 28 & 1 else 0
    else:
        raise MetadataError(f"its first WebP chunk is {image.kind!r} and no picture: {_REMEDY}")
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X" + struct.pack("<IBxxx", 10, flags) + bytes(sides)
