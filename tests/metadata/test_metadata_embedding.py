"""What is written into a file is read back, taken out again, and undone byte for byte; the picture stays."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_samples import ENTRY, FILES, description, image, kind_of, packet, saved, subject, tiff
from PIL import Image, ImageSequence

from semreg.metadata import (
    Entry,
    MetadataError,
    difference,
    embeds,
    new_sidecar,
    read,
    restored,
    withdrawn,
    written,
)

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)
ENTRIES = st.builds(
    Entry,
    st.lists(TEXTS, max_size=5).map(tuple),
    st.lists(TEXTS, max_size=3).map(tuple),
    st.none() | TEXTS,
    TEXTS,
    st.just("2026-01-02"),
)
SMALL = {kind: saved(kind) for kind in ("jpeg", "png", "webp")} | {"tiff": tiff(">")}


def frames(data: bytes) -> list[bytes]:
    if data[:4] == b"MM\0+":  # Pillow reads no big-endian BigTIFF: what is before the first directory
        return [data[16 : data.index(struct.pack(">QHH", 9, 256, 4))]]
    with Image.open(io.BytesIO(data)) as picture:
        return [frame.tobytes() for frame in ImageSequence.Iterator(picture)]


@pytest.mark.parametrize("name", FILES)
def test_what_is_written_is_read_and_undone(name: str) -> None:
    old = FILES[name]()
    assert embeds(old) == kind_of(name)
    new = written(old, ENTRY)
    known = read(new)
    assert (known.tags, known.hierarchy, known.caption) == (ENTRY.tags, ENTRY.hierarchy, ENTRY.caption)
    assert known.machine == ENTRY
    assert frames(new) == frames(old)
    assert written(new, ENTRY) is new
    assert read(withdrawn(new)) == read(old)
    assert frames(withdrawn(new)) == frames(old)
    back = difference(new, old)
    assert restored(new, back) == old
    assert len(back) < 400


@pytest.mark.parametrize("name", FILES)
def test_a_run_replaces_what_an_earlier_one_wrote(name: str) -> None:
    data = FILES[name]()
    for size in (1, 50, 3, 200, 2):  # packets that grow and shrink
        entry = Entry(tuple(f"tag {index}" for index in range(size)), (), f"{size} tags", f"model@{size}", "2026")
        data = written(data, entry)
        assert read(data).machine == entry
        assert read(data).tags == entry.tags
    assert frames(data) == frames(FILES[name]())
    assert len(data) < len(FILES[name]()) + 40_000


@pytest.mark.parametrize("name", [name for name in FILES if kind_of(name) in ("jpeg", "png")])
def test_withdrawn_is_the_very_file_where_nobody_else_wrote(name: str) -> None:
    old = FILES[name]()
    assert withdrawn(written(old, ENTRY)) == old


@pytest.mark.parametrize("kind", SMALL)
@settings(max_examples=60, deadline=None)
@given(first=ENTRIES, second=ENTRIES, existing=st.sampled_from(["keep", "merge", "replace-machine"]))
def test_any_entry_comes_back_and_goes_again(kind: str, first: Entry, second: Entry, existing: str) -> None:
    old = SMALL[kind]
    once = written(old, first, existing)
    twice = written(once, second, existing)
    alone = read(written(old, second, existing))
    for_both = read(twice)
    assert (for_both.tags, for_both.hierarchy, for_both.caption) == (alone.tags, alone.hierarchy, alone.caption)
    assert written(twice, second, existing) is twice
    assert read(withdrawn(twice)) == read(old)
    assert restored(twice, difference(twice, old)) == old
    assert all(tag == " ".join(tag.split()) for tag in for_both.tags)


def test_a_fresh_sidecar_says_the_entry_and_withdrawn_is_nothing() -> None:
    sidecar = new_sidecar(ENTRY)
    assert embeds(sidecar) == "xmp"
    assert read(sidecar).machine == ENTRY
    assert withdrawn(sidecar) == b""
    assert written(sidecar, ENTRY) is sidecar


def test_a_sidecar_of_another_program_is_kept_when_ours_goes() -> None:
    other = packet(subject("Anna"), attributes=' xmp:Rating="5"')
    assert embeds(other) == "xmp"
    new = written(other, ENTRY)
    assert read(new).tags == ("Anna", "dog", "café")
    assert withdrawn(new) == other


def test_an_empty_entry_and_one_that_is_there_already_change_nothing() -> None:
    old = written(saved("jpeg"), Entry((), (), None, "model@1", "2026"))
    assert old == saved("jpeg")
    sidecar = packet(subject("DOG", "cafe\u0301") + description(x_default="Anna's dog"))
    assert written(sidecar, Entry(("dog", "Café"), (), "a dog")) is sidecar


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", None),
        (b"hello", None),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF89a", None),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><metadata><rdf:RDF/></metadata></svg>', None),
        (b"II*\0\x10\0\0\0CR\x02\0", None),
        (b"IIU\0\x18\0\0\0", None),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a comment -->\n<x:xmpmeta/>", "xmp"),
        ("\ufeff<x:xmpmeta/>".encode("utf-16-le"), "xmp"),
    ],
)
def test_the_kind_goes_by_content(data: bytes, kind: str | None) -> None:
    assert embeds(data) == kind


def test_what_is_no_picture_of_these_kinds_is_named() -> None:
    stream = io.BytesIO()
    image("P").save(stream, "GIF")
    for act in (read, withdrawn, lambda data: written(data, ENTRY)):
        with pytest.raises(MetadataError, match="JPEG, PNG, WebP and TIFF, and this is none: write a sidecar"):
            act(stream.getvalue())


def test_a_character_that_xml_cannot_hold_is_named() -> None:
    with pytest.raises(MetadataError, match=r"the character '\\x07', which XML cannot hold"):
        written(saved("jpeg"), Entry(("bell\x07",)))
    with pytest.raises(MetadataError, match="which XML cannot hold"):
        new_sidecar(Entry(("\udc80",)))
