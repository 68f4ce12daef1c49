"""JPEG: every other segment, all pictures of a file, what follows it, and IPTC."""

from __future__ import annotations

import hashlib
import io
import struct

import pytest
from metadata_samples import (
    ENTRY,
    XMP_HEAD,
    canon_exif,
    dataset,
    description,
    iptc_resources,
    jpeg_segments,
    jpeg_with,
    jpeg_with_iptc,
    packet,
    resource,
    saved,
    segment,
    srgb,
    subject,
)
from PIL import Image

from semreg.metadata import Entry, MetadataError, read, restored, withdrawn, written
from semreg.metadata.difference import difference
from semreg.metadata.iptc import caption, keywords
from semreg.metadata.photoshop import iptc

UTF8 = dataset(1, 90, b"\x1b%G")
VERSION = dataset(2, 0, b"\0\4")
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + struct.pack(">II", 100, 0)


def photoshop_of(data: bytes) -> bytes:
    return b"".join(text[14:] for marker, text in jpeg_segments(data) if marker == 0xED)


def block_of(data: bytes) -> bytes:
    block = iptc(photoshop_of(data))
    assert block is not None
    return block


def without_xmp(data: bytes) -> list[tuple[int, bytes]]:
    return [(marker, text) for marker, text in jpeg_segments(data) if not text.startswith(XMP_HEAD)]


def test_every_other_segment_stays_in_its_order() -> None:
    old = jpeg_with(
        segment(0xE1, b"Exif\0\0" + canon_exif()),
        segment(0xE2, b"ICC_PROFILE\0\1\1" + srgb()),
        segment(0xE1, EXTENDED + b"<odd:depth>" + b"x" * 60000),
        segment(0xEB, b"JP\0 something of JPEG's"),
        segment(0xFE, b"a comment"),
    )
    old = old[:20] + b"\xff\xff\xff" + old[20:]  # fill bytes before a marker are allowed
    new = written(old, ENTRY)
    assert read(new).machine == ENTRY
    at = new.index(segment(0xE1, XMP_HEAD)[4:]) - 4
    size = 2 + int.from_bytes(new[at + 2 : at + 4], "big")
    assert new[:at] + new[at + size :] == old
    assert old[:at].endswith(canon_exif())  # right after Exif


def test_a_packet_that_is_there_is_replaced_where_it_is() -> None:
    old = jpeg_with(
        segment(0xFE, b"before"), segment(0xE1, XMP_HEAD + packet(subject("Anna"))), segment(0xFE, b"after")
    )
    new = written(old, ENTRY)
    assert [marker for marker, _ in jpeg_segments(new)] == [marker for marker, _ in jpeg_segments(old)]
    assert without_xmp(new) == without_xmp(old)
    assert read(new).tags == ("Anna", *ENTRY.tags)
    assert withdrawn(new) == old


def test_what_follows_the_picture_stays() -> None:
    trailer = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 20  # a motion photo counts from the end of the file
    new = written(saved("jpeg") + trailer, ENTRY)
    assert new.endswith(saved("jpeg")[-200:] + trailer)


def test_a_packet_that_is_too_large_is_refused() -> None:
    old = jpeg_with(segment(0xE1, XMP_HEAD + packet(f"<odd:x>{'x' * 64_500}</odd:x>")))
    with pytest.raises(MetadataError, match=r"would be \d+ bytes and a JPEG segment holds 65533: write a sidecar"):
        written(old, Entry(tuple(f"a tag with the number {index}" for index in range(30))))
    many = Entry(tuple(f"tag {index}" for index in range(3000)))
    with pytest.raises(MetadataError, match="write a sidecar"):
        written(saved("jpeg"), many)


def test_padding_gives_way_to_the_limit() -> None:
    old = jpeg_with(segment(0xE1, XMP_HEAD + packet(f"<odd:x>{'x' * 61_000}</odd:x>", padding=3000)))
    assert read(written(old, ENTRY)).machine == ENTRY
    assert len(written(old, ENTRY)) == len(old)
    old = jpeg_with(segment(0xE1, XMP_HEAD + packet(f"<odd:x>{'x' * 64_000}</odd:x>", padding=900)))
    assert len(jpeg_segments(old)[1][1]) + len(jpeg_segments(written(saved("jpeg"), ENTRY))[1][1]) > 65_533
    assert read(written(old, ENTRY)).machine == ENTRY


def test_fields_in_an_extended_packet_are_left_to_a_sidecar() -> None:
    old = jpeg_with(segment(0xE1, EXTENDED + subject("Anna").encode()))
    with pytest.raises(MetadataError, match="Extended XMP packet, which is left alone: write a sidecar"):
        written(old, ENTRY)


def test_two_packets_are_refused() -> None:
    twice = jpeg_with(*[segment(0xE1, XMP_HEAD + packet(""))] * 2)
    with pytest.raises(MetadataError, match="it has 2 XMP packets where one is allowed"):
        read(twice)


@pytest.mark.parametrize("xmp_after", [False, True])
@pytest.mark.parametrize("iptc_after", [False, True])
def test_all_pictures_of_a_file_are_found_again(xmp_after: bool, iptc_after: bool) -> None:
    stream = io.BytesIO()
    first, *others = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    first.save(stream, "MPO", save_all=True, append_images=others)
    old = stream.getvalue()
    at = old.index(b"\xff\xe2")
    end = at + 2 + int.from_bytes(old[at + 2 : at + 4], "big")
    xmp = segment(0xE1, XMP_HEAD + packet(subject("Anna")))
    photoshop = segment(0xED, b"Photoshop 3.0\0" + iptc_resources(VERSION + dataset(2, 25, b"Anna")))
    # moved by hand, with the index told so: offsets count from the index, the first size is of all
    before = (b"" if xmp_after else xmp) + (b"" if iptc_after else photoshop)
    after = (xmp if xmp_after else b"") + (photoshop if iptc_after else b"")
    index = bytearray(old[at:end])
    order = "<" if index[8:10] == b"II" else ">"
    entries = index.rindex(struct.pack(order + "I", 0x030000))  # the attributes of the first picture
    for entry in range(3):
        size, offset = struct.unpack_from(order + "II", index, entries + 16 * entry + 4)
        size, offset = (size + len(before + after), 0) if entry == 0 else (size, offset + len(after))
        struct.pack_into(order + "II", index, entries + 16 * entry + 4, size, offset)
    old = old[:at] + before + bytes(index) + after + old[end:]
    assert mpo_frames(old) == [first.size] * 3
    new = written(old, ENTRY)
    assert mpo_frames(new) == [first.size] * 3
    for number, colour in enumerate([(254, 0, 0), (0, 128, 1), (0, 0, 254)]):
        with Image.open(io.BytesIO(new)) as picture:
            picture.seek(number)
            assert picture.convert("RGB").getpixel((5, 5)) == pytest.approx(colour, abs=2)
    assert first_size(new) - first_size(old) == len(new) - len(old)
    assert restored(new, difference(new, old)) == old
    assert len(difference(new, old)) < 900


def first_size(data: bytes) -> int:
    with Image.open(io.BytesIO(data)) as picture:
        return int(picture.mpinfo[0xB002][0]["Size"])


def mpo_frames(data: bytes) -> list[tuple[int, int]]:
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.format == "MPO"
        sizes = []
        for number in range(picture.n_frames):
            picture.seek(number)
            picture.load()
            sizes.append(picture.size)
        return sizes


def test_a_broken_index_of_pictures_is_refused() -> None:
    old = jpeg_with(segment(0xE2, b"MPF\0II*\0\xff\xff\0\0"), segment(0xE1, XMP_HEAD + packet("<odd:x/>")))
    with pytest.raises(MetadataError, match="index of several pictures"):
        written(old, ENTRY)


def test_iptc_gets_the_tags_and_the_caption_too() -> None:
    old = jpeg_with_iptc(UTF8, VERSION, dataset(2, 25, "Größe".encode()), dataset(2, 80, b"Anna"))
    assert read(old).tags == ("Größe",)
    new = written(old, ENTRY)
    block = block_of(new)
    assert keywords(block) == ("Größe", "dog", "café")
    assert caption(block) == ENTRY.caption
    assert dataset(2, 25, "café".encode()) + dataset(2, 80, b"Anna") in block
    assert read(new).tags == ("Größe", "dog", "café")
    assert b"Gr\xc3\xb6\xc3\x9fe" in new.split(XMP_HEAD)[1][:900]  # programs that find XMP look no further
    back = withdrawn(new)
    assert photoshop_of(back) == photoshop_of(old)
    assert read(back).tags == ("Größe",)
    assert read(back).caption is None


def test_a_humans_iptc_stays_and_counts() -> None:
    old = jpeg_with_iptc(VERSION, dataset(2, 25, b"DOG"), dataset(2, 120, b"Anna"))
    assert (read(old).tags, read(old).caption) == (("DOG",), "Anna")
    new = written(old, ENTRY)
    assert keywords(block_of(new)) == ("DOG", "café")
    assert (read(new).tags, read(new).caption) == (("DOG", "café"), "Anna")
    assert block_of(withdrawn(new)) == block_of(old)
    assert written(old, ENTRY, "keep") is old


@pytest.mark.parametrize(
    ("charset", "value", "tag", "expected"),
    [
        (b"", b"Gr\xf6\xdfe", "Größe", b"caf\xe9"),  # Latin-1
        (b"", "Größe".encode(), "Größe", "café".encode()),  # plainly UTF-8, undeclared
        (dataset(1, 90, b"\x1b.A"), b"Gr\xf6\xdfe", "Größe", b"caf\xe9"),
        (UTF8, "Größe".encode(), "Größe", "café".encode()),
    ],
)
def test_the_character_set_of_iptc(charset: bytes, value: bytes, tag: str, expected: bytes) -> None:
    old = jpeg_with_iptc(charset, VERSION, dataset(2, 25, value))
    assert read(old).tags == (tag,)
    new = written(old, Entry(("café", "犬", "a" * 65)))
    assert dataset(2, 25, expected) in block_of(new)
    declared_utf8 = expected == "café".encode()
    assert (dataset(2, 25, "犬".encode()) in block_of(new)) == declared_utf8
    assert "a" * 65 not in keywords(block_of(new))
    assert read(new).tags == (tag, "café", "犬", "a" * 65)
    assert photoshop_of(withdrawn(new)) == photoshop_of(old)


def test_other_resources_stay_and_the_digest_follows() -> None:
    old = jpeg_with_iptc(VERSION, dataset(2, 25, b"Anna"))
    new = written(old, ENTRY)
    block = block_of(new)
    start = photoshop_of(old).index(resource(0x0404, block_of(old)))
    assert photoshop_of(new) == photoshop_of(old)[:start] + resource(0x0404, block) + resource(
        0x0425, hashlib.md5(block).digest()
    )


def test_a_digest_that_says_iptc_is_newer_goes_on_saying_so() -> None:
    stale = resource(0x0425, bytes(16))
    resources = iptc_resources(VERSION + dataset(2, 25, b"Anna"), digest=False) + stale
    old = jpeg_with(segment(0xED, b"Photoshop 3.0\0" + resources))
    assert photoshop_of(written(old, ENTRY)).endswith(stale)


def test_the_digest_inside_xmp_follows_too() -> None:
    block = VERSION + dataset(2, 25, b"Anna")
    digest = hashlib.md5(block).hexdigest().upper()
    attribute = f' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:LegacyIPTCDigest="{digest}"'
    old = jpeg_with_iptc(block, xmp=packet(subject("Anna"), attributes=attribute))
    new = written(old, ENTRY)
    assert hashlib.md5(block_of(new)).hexdigest().upper().encode() in new
    assert digest.encode() in withdrawn(new)


def test_resources_in_several_segments_cut_anywhere() -> None:
    resources = resource(0x03F0, bytes(70_000)) + iptc_resources(VERSION + dataset(2, 25, b"Anna"))
    pieces = [resources[:65_000], resources[65_000:70_100], resources[70_100:]]
    old = jpeg_with(*(segment(0xED, b"Photoshop 3.0\0" + piece) for piece in pieces), segment(0xFE, b"after"))
    new = written(old, ENTRY)
    assert keywords(block_of(new)) == ("Anna", "dog", "café")
    assert photoshop_of(new).startswith(resource(0x03F0, bytes(70_000)))
    after = len(jpeg_segments(saved("jpeg")))
    assert jpeg_segments(new)[-after:] == jpeg_segments(old)[-after:]


def test_a_keyword_that_a_human_has_removed_from_xmp_goes_from_iptc_too() -> None:
    once = written(jpeg_with_iptc(VERSION, dataset(2, 25, b"Anna")), ENTRY)
    ours = once.index(b"<semreg:")
    gone = once[:ours].replace(b"<rdf:li>dog</rdf:li>", b" " * len(b"<rdf:li>dog</rdf:li>")) + once[ours:]
    assert read(gone).tags == ("Anna", "café")
    again = written(gone, Entry(("dog", "café", "table"), model="model@2"))
    assert keywords(block_of(again)) == ("Anna", "café", "table")
    assert keywords(block_of(withdrawn(gone))) == ("Anna",)


def test_an_empty_iptc_block_is_left_alone() -> None:
    old = jpeg_with_iptc(b"")
    assert photoshop_of(written(old, ENTRY)) == photoshop_of(old)


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        (
            iptc_resources(VERSION + dataset(2, 25, b"Anna")[:-1], digest=False),
            "IPTC dataset 2:25 reaches 1 bytes beyond",
        ),
        (iptc_resources(VERSION)[:20], "Photoshop resource 0x03ed reaches beyond"),
    ],
)
def test_broken_iptc_is_named(resources: bytes, sentence: str) -> None:
    with pytest.raises(MetadataError, match=sentence):
        written(jpeg_with(segment(0xED, b"Photoshop 3.0\0" + resources)), ENTRY)


def test_captions_in_xmp_and_iptc_go_together() -> None:
    captioned = jpeg_with_iptc(VERSION, xmp=packet(description(x_default="Anna")))
    assert caption(block_of(written(captioned, ENTRY))) is None
    long = Entry((), caption="a" * 2001)
    new = written(jpeg_with_iptc(VERSION), long)
    assert (read(new).caption, caption(block_of(new))) == (long.caption, None)
