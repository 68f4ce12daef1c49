"""PNG, WebP and TIFF: every other chunk and directory entry stays as it is; what is broken is named."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_samples import ENTRY, FILES, canon_exif, kind_of, packet, saved, subject, tiff

from semreg.metadata import Entry, MetadataError, embeds, read, withdrawn, written

KEYWORD = b"XML:com.adobe.xmp\0"
PNGS = [name for name in FILES if kind_of(name) == "png"]
WEBPS = [name for name in FILES if kind_of(name) == "webp"]
TIFFS = [name for name in FILES if kind_of(name) == "tiff"]
LARGER = Entry(tuple(f"tag {index}" for index in range(90)), model="model@2")


def png_chunks(data: bytes) -> list[bytes]:
    chunks, position = [], 8
    while position < len(data):
        size = 12 + int.from_bytes(data[position : position + 4], "big")
        chunks.append(data[position : position + size])
        position += size
    return chunks


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes) -> bytes:
    data = saved("png")
    return data[:33] + b"".join(chunks) + data[33:]


def webp_chunks(data: bytes) -> list[bytes]:
    assert int.from_bytes(data[4:8], "little") + 8 == len(data)
    chunks, position = [], 12
    while position < len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        chunks.append(data[position : position + 8 + size + size % 2])
        position += 8 + size + size % 2
    return chunks


@pytest.mark.parametrize("name", PNGS)
def test_png_chunks(name: str) -> None:
    old = FILES[name]()
    new = written(old, ENTRY)
    ours = [index for index, text in enumerate(png_chunks(new)) if text[8:].startswith(KEYWORD)]
    assert ours == [1]
    made = png_chunks(new)[1]
    assert made == chunk(b"iTXt", made[8:-4])
    assert png_chunks(new)[:1] + png_chunks(new)[2:] == png_chunks(old)


@pytest.mark.parametrize("compressed", [False, True])
def test_png_packet_that_is_there(compressed: bool) -> None:
    text = packet(subject("Anna"))
    body = (
        KEYWORD
        + (b"\1\0" if compressed else b"\0\0")
        + b"en\0keyword\0"
        + (zlib.compress(text) if compressed else text)
    )
    other = chunk(b"iTXt", b"Title\0\0\0\0\0Anna"), chunk(b"tEXt", b"Comment\0here")
    old = png_with(other[0], chunk(b"iTXt", body), other[1])
    new = written(old, ENTRY)
    assert read(new).tags == ("Anna", *ENTRY.tags)
    assert png_chunks(new)[2][8:].startswith(body[: body.index(b"keyword\0") + 8])
    assert png_chunks(new)[:2] + png_chunks(new)[3:] == png_chunks(old)[:2] + png_chunks(old)[3:]
    assert withdrawn(new) == old


def test_png_after_its_end() -> None:
    assert written(saved("png") + b"a trailer", ENTRY).endswith(saved("png")[-12:] + b"a trailer")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (png_with(*[chunk(b"iTXt", KEYWORD + b"\0\0\0\0" + packet(""))] * 2), "has 2 XMP packets"),
        (png_with(chunk(b"iTXt", KEYWORD + b"\0\0\0\0" + packet(""))[:-1] + b"\0"), "checksum of its XMP chunk"),
        (png_with(chunk(b"iTXt", KEYWORD + b"\0\0")), "XMP chunk is broken"),
        (png_with(chunk(b"iTXt", KEYWORD + b"\1\0\0\0" + b"no zlib")), "compressed XMP chunk is broken"),
        (png_with(chunk(b"iTXt", KEYWORD + b"\1\0\0\0" + zlib.compress(packet(""))[:-9])), "is cut off"),
        (png_with(chunk(b"iTXt", KEYWORD + b"\1\0\0\0" + zlib.compress(bytes(70 << 20)))), "comes to over"),
        (saved("png")[:-1], "ends in the middle of a PNG chunk"),
        (saved("png")[:20], "ends in the middle of a PNG chunk"),
        (saved("png")[:8] + chunk(b"IEND", b""), "without a header"),
    ],
)
def test_a_broken_png_is_named(data: bytes, sentence: str) -> None:
    with pytest.raises(MetadataError, match=sentence):
        written(data, ENTRY)


@pytest.mark.parametrize("name", WEBPS)
def test_webp_chunks(name: str) -> None:
    old = FILES[name]()
    new = written(old, ENTRY)
    head, *others = webp_chunks(new)
    assert others[-1][:4] == b"XMP "
    assert head[:4] == b"VP8X"
    assert head[8] & 0x04
    if webp_chunks(old)[0][:4] == b"VP8X":
        assert (head[:8], head[9:]) == (webp_chunks(old)[0][:8], webp_chunks(old)[0][9:])
        assert head[8] == webp_chunks(old)[0][8] | 0x04
        assert others[:-1] == webp_chunks(old)[1:]
        assert withdrawn(new) == old
    else:
        assert head[12:] == struct.pack("<HBHB", 64, 0, 46, 0)  # width - 1, height - 1
        assert others[:-1] == webp_chunks(old)
        assert withdrawn(new)[30:] == old[12:]


def test_webp_transparency_of_a_simple_lossless_file_is_announced() -> None:
    lossless = next(text for text in webp_chunks(FILES["webp, lossless, transparent"]()) if text[:4] == b"VP8L")
    simple = b"RIFF" + struct.pack("<I", 4 + len(lossless)) + b"WEBP" + lossless
    assert webp_chunks(written(simple, ENTRY))[0][8] == 0x14
    assert webp_chunks(written(FILES["webp, lossless"](), ENTRY))[0][8] == 0x04


def test_webp_packet_that_is_there_and_what_follows() -> None:
    old = saved("webp", xmp=packet(subject("Anna")), exif=canon_exif())
    new = written(old + b"a trailer", ENTRY)
    assert new.endswith(b"a trailer")
    assert read(new).tags == ("Anna", *ENTRY.tags)
    assert [text for text in webp_chunks(new[:-9]) if text[:4] != b"XMP "] == [
        text for text in webp_chunks(old) if text[:4] != b"XMP "
    ]
    assert withdrawn(new) == old + b"a trailer"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (saved("webp")[:-5], r"says it is \d+ bytes long and is \d+"),
        (b"RIFF\x04\0\0\0WEBP", "says it is 12 bytes long"),
        (b"RIFF\x14\0\0\0WEBPVP8 \xff\0\0\0        ", "in the middle of a WebP chunk"),
        (b"RIFF\x14\0\0\0WEBPVP8 \x08\0\0\0        ", "and no picture"),
        (b"RIFF\x14\0\0\0WEBPODD \x08\0\0\0        ", "and no picture"),
    ],
)
def test_a_broken_webp_is_named(data: bytes, sentence: str) -> None:
    with pytest.raises(MetadataError, match=sentence):
        written(data, ENTRY)


def tiff_entries(data: bytes) -> Iterator[dict[int, tuple[int, int, bytes]]]:
    """Each page's entries: type, number and value or offset by tag."""
    order, big = ("<" if data[:2] == b"II" else ">"), data[2:4] in (b"+\0", b"\0+")
    count, offset, width, size = ("Q", "Q", 8, 20) if big else ("H", "I", 4, 12)
    (place,) = struct.unpack_from(order + offset, data, 8 if big else 4)
    while place:
        (number,) = struct.unpack_from(order + count, data, place)
        start = place + struct.calcsize(count)
        page = {}
        for at in range(start, start + number * size, size):
            tag, kind = struct.unpack_from(order + "HH", data, at)
            (values,) = struct.unpack_from(order + offset, data, at + 4)
            page[tag] = (kind, values, data[at + 4 + width : at + size])
        assert list(page) == sorted(page)
        yield page
        (place,) = struct.unpack_from(order + offset, data, start + number * size)


@pytest.mark.parametrize("name", TIFFS)
def test_tiff_entries_and_all_other_bytes(name: str) -> None:
    old = FILES[name]()
    new = written(old, ENTRY)
    width = 8 if new[2:4] in (b"+\0", b"\0+") else 4
    assert new[:width] == old[:width]
    assert new[2 * width : len(old)] == old[2 * width :]  # all but where the first directory is
    first, *others = tiff_entries(new)
    kind, size, _ = first.pop(700)
    assert kind == 1
    assert [first, *others] == list(tiff_entries(old))
    assert size > 500
    larger = written(new, LARGER)
    assert read(larger).machine == LARGER
    assert len(larger) - len(new) == len(read_packet(larger)) - len(read_packet(new))  # it grew where it was
    assert larger[2 * width : len(old)] == old[2 * width :]
    assert list(tiff_entries(withdrawn(larger))) == list(tiff_entries(old))
    assert withdrawn(larger)[2 * width : len(old)] == old[2 * width :]


def read_packet(data: bytes) -> bytes:
    start = data.rindex(b"<?xpacket begin")
    return data[start : data.rindex(b'<?xpacket end="w"?>') + 19]


@pytest.mark.parametrize("padding", [0, 4000])
@pytest.mark.parametrize("compressed", ["raw", "tiff_lzw"])
def test_tiff_packet_in_the_middle_of_the_file(padding: int, compressed: str) -> None:
    old = saved("tiff", tiffinfo={700: packet(subject("Anna"), padding=padding)}, compression=compressed)
    old += b"something that stands at the end"
    new = written(old, ENTRY)
    assert read(new).tags == ("Anna", *ENTRY.tags)
    changed = [at for at in range(len(old)) if new[at] != old[at]]
    if padding:
        assert len(new) == len(old)
        start = old.index(b"<?xpacket begin")
        assert all(start <= at < start + len(packet(subject("Anna"), padding=padding)) for at in changed)
    else:
        assert new.startswith(old[:4])
        assert len(changed) <= 8  # where the packet is and how large, in its entry
    again = written(new, LARGER)
    assert read(again).tags == ("Anna", *LARGER.tags)
    assert [{**page, 700: 0} for page in tiff_entries(again)] == [{**page, 700: 0} for page in tiff_entries(old)]
    assert read(withdrawn(again)).tags == ("Anna",)


def test_tiff_raw_files_want_a_sidecar() -> None:
    def with_entry(tag: int, value: int) -> bytes:
        """A TIFF whose entry for rows per strip becomes another one; the order of tags does not matter here."""
        old, new = struct.pack("<HHII", 278, 4, 1, 47), struct.pack("<HHII", tag, 4, 1, value)
        return tiff().replace(old, new)

    assert embeds(tiff()) == "tiff"
    assert embeds(with_entry(50706, 1)) is None  # DNG
    assert embeds(tiff().replace(struct.pack("<HHII", 262, 4, 1, 1), struct.pack("<HHII", 262, 4, 1, 32803))) is None
    below = tiff(pages=2)
    second = below.rindex(struct.pack("<HHHII", 9, 256, 4, 1, 65))
    below = below.replace(struct.pack("<HHII", 278, 4, 1, 47), struct.pack("<HHII", 330, 4, 1, second), 1)
    assert embeds(below) == "tiff"
    place = below.rindex(struct.pack("<HHII", 262, 4, 1, 1))
    assert embeds(below[: place + 8] + struct.pack("<I", 32803) + below[place + 12 :]) is None  # NEF, ARW


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (tiff()[:6], "where a TIFF directory should be"),
        (tiff()[:-20], "where a TIFF directory should be"),
        (b"II*\0\xff\xff\xff\xff", "where a TIFF directory should be"),
        (b"MM\0+\0\x08\0\0" + b"\xff" * 8, "where a TIFF directory should be"),
        (tiff().replace(struct.pack("<HHI", 278, 4, 1), struct.pack("<HHI", 700, 4, 1)), "is broken"),
        (tiff().replace(struct.pack("<HHI", 278, 4, 1), struct.pack("<HHI", 700, 1, 9999)), "beyond the end"),
    ],
)
def test_a_broken_tiff_is_named(data: bytes, sentence: str) -> None:
    with pytest.raises(MetadataError, match=sentence):
        written(data, ENTRY)


SMALL = {
    **{name: FILES[name]() for name in ("jpeg", "png, palette", "webp", "tiff, big-endian, several pages", "BigTIFF")},
    "sidecar": packet(subject("Anna")),
    **{f"{kind} with ours": written(saved(kind), ENTRY) for kind in ("jpeg", "png", "webp", "tiff")},
}


@pytest.mark.parametrize("name", SMALL)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_broken_there_is_one_sentence_or_a_file_that_says_what_was_written(
    name: str, data: st.DataObject
) -> None:
    broken = bytearray(SMALL[name])
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, min(len(broken), 1500) - 1) | st.integers(0, len(broken) - 1))
        broken[at] = data.draw(st.integers(0, 255))
    broken = broken[: data.draw(st.integers(0, len(broken)) | st.just(len(broken)))]
    try:
        before = read(bytes(broken))
        new = written(bytes(broken), ENTRY)
        after = read(new)
        back = withdrawn(new)
    except MetadataError as error:
        assert "\n" not in str(error)
        return
    assert set(before.tags) - set(before.machine.tags if before.machine else ()) <= set(after.tags)
    if back:
        read(back)
