"""PNG and APNG: XMP in an iTXt chunk with the keyword XML:com.adobe.xmp."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from semreg.metadata.entry import MetadataError
from semreg.metadata.splice import Blocks, Edit, splice

_KEYWORD = b"XML:com.adobe.xmp\0"
_LARGEST = 1 << 26  # bytes that a compressed packet may come to
_REMEDY = "save the picture anew, or write a sidecar"


@dataclass(frozen=True)
class _Chunk:
    """A chunk: bytes `start` to `end` of the file, four bytes of length, four of kind, the body, four of checksum."""

    kind: bytes
    start: int
    end: int


def find(data: bytes) -> Blocks:
    """The packet in a PNG.

    Raises:
        MetadataError: a chunk is broken, or there are two packets.
    """
    chunk = _packet(data)
    if chunk is None:
        return Blocks(None)
    body = data[chunk.start + 8 : chunk.end - 4]
    if zlib.crc32(b"iTXt" + body) != int.from_bytes(data[chunk.end - 4 : chunk.end], "big"):
        raise MetadataError("the checksum of its XMP chunk is wrong: mend it with exiftool, or write a sidecar")
    flag, text = _text(body)
    return Blocks(_inflated(text) if flag else text)


def put(data: bytes, old: Blocks, new: Blocks) -> bytes:
    """Put `new` in the place of `old`, or after the header where there was none; all other chunks stay."""
    if new.xmp == old.xmp:
        return data
    chunk = _packet(data)
    if chunk is None:
        header = next(item for item in _chunks(data) if item.kind == b"IHDR")
        chunk, head, flag = _Chunk(b"iTXt", header.end, header.end), _KEYWORD + b"\0\0\0\0", 0
    else:
        body = data[chunk.start + 8 : chunk.end - 4]
        flag, text = _text(body)
        head = body[: len(body) - len(text)]
    if new.xmp is None:
        return splice(data, [Edit(chunk.start, chunk.end, b"")])
    body = b"iTXt" + head + (zlib.compress(new.xmp) if flag else new.xmp)
    made = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return splice(data, [Edit(chunk.start, chunk.end, made)])


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """The chunks up to the end of the image; what follows is no part of it."""
    position, kind = 8, b""
    while kind != b"IEND":
        size, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 12 + size
        if end > len(data):
            raise MetadataError(f"it ends in the middle of a PNG chunk that begins at byte {position}: {_REMEDY}")
        yield _Chunk(kind, position, end)
        position = end


def _packet(data: bytes) -> _Chunk | None:
    chunks = list(_chunks(data))
    if not any(item.kind == b"IHDR" for item in chunks):
        raise MetadataError(f"it is a PNG without a header (IHDR): {_REMEDY}")
    found = [item for item in chunks if item.kind == b"iTXt" and data.startswith(_KEYWORD, item.start + 8)]
    if len(found) > 1:
        raise MetadataError(f"it has {len(found)} XMP packets where one is allowed: mend it with exiftool")
    return found[0] if found else None


def _text(body: bytes) -> tuple[int, bytes]:
    """Whether the text is compressed, and the text, of an iTXt body: keyword, flag, method, language, keyword again."""
    parts = body[len(_KEYWORD) + 2 :].split(b"\0", 2)
    if len(parts) != 3 or body[len(_KEYWORD)] > 1:
        raise MetadataError("its XMP chunk is broken: mend it with exiftool, or write a sidecar")
    return body[len(_KEYWORD)], parts[2]


def _inflated(text: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        packet = inflater.decompress(text, _LARGEST)
    except zlib.error as error:
        raise MetadataError(f"its compressed XMP chunk is broken ({error}): mend it with exiftool") from error
    if not inflater.eof:
        raise MetadataError(f"its compressed XMP chunk is cut off or comes to over {_LARGEST} bytes: write a sidecar")
    return packet
