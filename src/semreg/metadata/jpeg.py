"""JPEG: XMP in an APP1 segment, IPTC in APP13, and the index of further pictures (MPF) kept true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from semreg.metadata import photoshop
from semreg.metadata.entry import MetadataError
from semreg.metadata.mpf import index_edits
from semreg.metadata.previews import preview_behind
from semreg.metadata.splice import Blocks, Edit, moved, splice

_XMP, _EXTENDED = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP, _MPF = b"Photoshop 3.0\0", b"MPF\0"
_EXIF = b"Exif\0"
_BEFORE_EXIF = ((0xE0, b"JFIF\0"), (0xE0, b"JFXX\0"))
_FIRST = (*_BEFORE_EXIF, (0xE1, _EXIF))  # stand before XMP
_LARGEST = 65533  # bytes of a segment's payload
_OURS = re.compile(rb"[<\s][\w.-]+:(subject|hierarchicalSubject|description)[\s>=/]")


@dataclass(frozen=True)
class _Segment:
    """A marker segment: bytes `start` to `end` of the file, what it carries from `payload` on."""

    marker: int
    start: int
    payload: int
    end: int


@dataclass(frozen=True)
class _Preview:
    """Where the Exif block is, and where the picture behind the end that it leads to."""

    exif: int
    place: int


def find(data: bytes) -> Blocks:
    """The blocks of metadata in a JPEG.

    Raises:
        MetadataError: its header is broken, or it has two packets, or fields of ours are in an extended one.
    """
    segments = list(_segments(data))
    if any(_OURS.search(data, segment.payload, segment.end) for segment in _those(data, segments, 0xE1, _EXTENDED)):
        raise MetadataError("its tags or caption are in an Extended XMP packet, which is left alone: write a sidecar")
    packet = _packet(data, segments)
    resources = _resources(data, _those(data, segments, 0xED, _PHOTOSHOP))
    return Blocks(
        xmp=data[packet.payload + len(_XMP) : packet.end] if packet else None,
        iptc=photoshop.iptc(resources) if resources else None,
    )


def put(data: bytes, old: Blocks, new: Blocks) -> bytes:
    """Put `new` in the place of `old`, as `find` gave it; every other segment and all that follows stay as they are.

    Only the index of a file with several pictures (MPF) is told of their new places and of the new size. A camera's
    preview behind the end stays as far from the Exif block as it was, so that the maker note leads to it: the
    packet then goes before that block.

    Raises:
        MetadataError: the packet is larger than a JPEG segment can be, or a preview would be lost.
    """
    segments = list(_segments(data))
    preview = _preview(data, segments)
    edits = []
    if new.xmp != old.xmp:
        packet = _packet(data, segments)
        place = _place(data, segments, _FIRST if preview is None else _BEFORE_EXIF)
        start, end = (packet.start, packet.end) if packet else (place, place)
        edits.append(Edit(start, end, b"" if new.xmp is None else _segment(0xE1, _XMP + new.xmp)))
    if old.iptc is not None and new.iptc is not None and new.iptc != old.iptc:
        edits += _photoshop_edits(data, _those(data, segments, 0xED, _PHOTOSHOP), new.iptc)
    if preview and moved(preview.place, edits) - moved(preview.exif, edits) != preview.place - preview.exif:
        raise MetadataError("its camera's preview, behind the picture, would be found no more: write a sidecar")
    for index in _those(data, segments, 0xE2, _MPF):
        edits += index_edits(data, index.payload + len(_MPF), index.end, edits)
    return splice(data, edits)


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments between the start of the image and its first scan."""
    position = 2
    while True:
        start = position
        if data[position : position + 1] != b"\xff":
            raise MetadataError(f"its JPEG header is broken at byte {start}: save the picture anew, or write a sidecar")
        while data[position : position + 1] == b"\xff":
            position += 1
        marker = int.from_bytes(data[position : position + 1], "big")
        size = int.from_bytes(data[position + 1 : position + 3], "big")
        end = position + 1 + size
        if marker == 0 or size < 2 or end > len(data):
            raise MetadataError(f"its JPEG header is broken at byte {start}: save the picture anew, or write a sidecar")
        if marker == 0xDA:
            return
        yield _Segment(marker, start, position + 3, end)
        position = end


def _those(data: bytes, segments: list[_Segment], marker: int, name: bytes) -> list[_Segment]:
    return [item for item in segments if item.marker == marker and data.startswith(name, item.payload, item.end)]


def _packet(data: bytes, segments: list[_Segment]) -> _Segment | None:
    found = _those(data, segments, 0xE1, _XMP)
    if len(found) > 1:
        raise MetadataError(f"it has {len(found)} XMP packets where one is allowed: mend it with exiftool")
    return found[0] if found else None


def _preview(data: bytes, segments: list[_Segment]) -> _Preview | None:
    for item in _those(data, segments, 0xE1, _EXIF)[:1]:
        exif = item.payload + len(_EXIF) + 1
        place = preview_behind(data, exif, item.end, segments[-1].end)
        return None if place is None else _Preview(exif, place)
    return None


def _place(data: bytes, segments: list[_Segment], after: tuple[tuple[int, bytes], ...]) -> int:
    """Where a new packet goes: after JFIF and mostly Exif, and so before an index of further pictures."""
    place = 2
    for item in segments:
        if not any(item.marker == marker and data.startswith(name, item.payload) for marker, name in after):
            break
        place = item.end
    return place


def _segment(marker: int, payload: bytes) -> bytes:
    if len(payload) > _LARGEST:
        raise MetadataError(
            f"its XMP packet would be {len(payload)} bytes and a JPEG segment holds {_LARGEST}: write a sidecar"
        )
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def _resources(data: bytes, segments: list[_Segment]) -> bytes:
    """Photoshop's resources; a file with many has them in several segments, cut anywhere."""
    return b"".join(data[item.payload + len(_PHOTOSHOP) : item.end] for item in segments)


def _photoshop_edits(data: bytes, segments: list[_Segment], iptc: bytes) -> list[Edit]:
    resources = photoshop.with_iptc(_resources(data, segments), iptc)
    step = _LARGEST - len(_PHOTOSHOP)
    pieces = [_PHOTOSHOP + resources[at : at + step] for at in range(0, len(resources), step)]
    first, *others = segments
    text = b"".join(_segment(0xED, piece) for piece in pieces)
    return [Edit(first.start, first.end, text), *(Edit(item.start, item.end, b"") for item in others)]
