"""Read, write and take back what is said of a picture, in the bytes of its file or of its sidecar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from semreg.metadata import iptc, jpeg, packet, png, properties, sidecar, tiff, webp
from semreg.metadata.entry import NO_RECORD, Entry, Existing, Known, MetadataError, Record, checked, holds_in_xml, key
from semreg.metadata.merging import Fields, merged, standing
from semreg.metadata.splice import Blocks


class _Format(NamedTuple):
    find: Callable[[bytes], Blocks]
    put: Callable[[bytes, Blocks, Blocks], bytes]


_FORMATS = {
    "jpeg": _Format(jpeg.find, jpeg.put),
    "png": _Format(png.find, png.put),
    "webp": _Format(webp.find, webp.put),
    "tiff": _Format(tiff.find, tiff.put),
    "xmp": _Format(sidecar.find, sidecar.put),
}


@dataclass(frozen=True)
class _State:
    """A file as it stands: its blocks, what its fields say, and semreg's record in it."""

    format: _Format
    blocks: Blocks
    packet: packet.Packet | None
    fields: Fields
    record: Record | None


def embeds(data: bytes) -> str | None:
    """The kind of file, by content: "jpeg", "png", "webp", "tiff", "xmp" (a sidecar); None for any other.

    A camera's raw file that is built like a TIFF (DNG, NEF, CR2, ARW, ...) is None: it wants a sidecar.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:4] in tiff.SIGNATURES:
        return None if tiff.is_raw(data) else "tiff"
    return "xmp" if packet.is_sidecar(data) else None


def read(data: bytes) -> Known:
    """What the file says of itself.

    Raises:
        MetadataError: the file is none of the kinds that `embeds` names, or is broken.
    """
    state = _state(data)
    fields = state.fields
    machine = standing(fields, state.record) if state.record else None
    return Known(fields.tags, fields.hierarchy, fields.caption, machine)


def written(data: bytes, entry: Entry, existing: Existing = "merge") -> bytes:
    """The file with `entry` written into it by the rules of `existing`; `data` itself where nothing changes.

    Raises:
        MetadataError: the file is none of the kinds that `embeds` names, is broken, or cannot hold the entry.
    """
    state = _state(data)
    record = merged(state.fields, state.record or NO_RECORD, checked(entry), existing)
    if record == (state.record or NO_RECORD) or (record.empty and state.record is None):
        return data
    return _changed(data, state, record)


def withdrawn(data: bytes) -> bytes:
    """The file without what semreg wrote, by its own record; what a human wrote, before or since, stays.

    A packet that semreg made and that holds nothing else goes too, so a sidecar may become `b""`: remove it.
    `data` itself is returned where there is no record.

    Raises:
        MetadataError: the file is none of the kinds that `embeds` names, or is broken.
    """
    state = _state(data)
    return data if state.record is None else _changed(data, state, NO_RECORD)


def new_sidecar(entry: Entry) -> bytes:
    """A fresh sidecar that says `entry`.

    Raises:
        MetadataError: a text has a character that XML cannot hold.
    """
    return written(packet.FRESH_SIDECAR, entry)


def _state(data: bytes) -> _State:
    kind = embeds(data)
    if kind is None:
        raise MetadataError("tags can be written into JPEG, PNG, WebP and TIFF, and this is none: write a sidecar")
    blocks = _FORMATS[kind].find(data)
    parsed = packet.parse(blocks.xmp) if blocks.xmp is not None else None
    fields = properties.fields(parsed.rdf) if parsed else Fields()
    record = properties.record(parsed.rdf) if parsed else None
    if blocks.iptc is not None:
        fields = _with_iptc(fields, record or NO_RECORD, blocks.iptc)
    return _State(_FORMATS[kind], blocks, parsed, fields, record)


def _with_iptc(fields: Fields, record: Record, block: bytes) -> Fields:
    """The fields joined with IPTC's; what the machine wrote stands or falls with XMP."""
    there = {key(tag) for tag in fields.tags}
    tags = [tag for tag in iptc.keywords(block) if key(tag) not in there and tag not in record.entry.tags]
    caption = iptc.caption(block)
    captions = (caption,) if caption and caption != record.entry.caption else ()
    return Fields(
        tags=(*fields.tags, *tags),
        hierarchy=fields.hierarchy,
        caption=fields.caption or next(iter(captions), None),
        captions=(*fields.captions, *captions),
    )


def _changed(data: bytes, state: _State, record: Record) -> bytes:
    """Put the packet and the IPTC block that hold `record` in the place of those that are there."""
    parsed = state.packet or packet.fresh()
    old = standing(state.fields, state.record or NO_RECORD)
    claimed = state.record.entry if state.record else old
    if record.entry.tags:
        _carry_tags(parsed, state.fields)
    properties.apply(parsed.rdf, old, record)
    gone = record == NO_RECORD and packet.is_ours(parsed) and properties.says_nothing(parsed.rdf)
    block = state.blocks.iptc
    if block is not None:
        block = iptc.changed(block, claimed, record.entry)
        properties.renew_digest(parsed.rdf, state.blocks.iptc or b"", block)
    return state.format.put(data, state.blocks, Blocks(None if gone else parsed.encoded(), block))


def _carry_tags(parsed: packet.Packet, fields: Fields) -> None:
    """Bring a human's IPTC keywords into dc:subject: programs that find tags there look no further."""
    there = {key(tag) for tag in properties.texts(parsed.rdf, properties.SUBJECT)}
    carried = [tag for tag in fields.tags if key(tag) not in there and holds_in_xml(tag)]
    if carried:
        properties.add_texts(parsed.rdf, properties.SUBJECT, carried)
