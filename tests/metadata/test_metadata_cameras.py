"""Files of real cameras: the maker note keeps its bytes and its meaning, and every further picture is found again."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest
from metadata_samples import ENTRY, XMP_HEAD, jpeg_segments, packet, saved, segment, subject
from PIL import Image
from test_metadata_exiftool import others, tags_of, warnings_of

from semreg.metadata import Entry, MetadataError, difference, read, restored, withdrawn, written

CAMERAS = sorted((Path(__file__).parent / "cameras").glob("*.jpg"))
MAKERS = {"Canon", "Casio", "Olympus", "Panasonic", "Ricoh", "Sigma", "Sony"}
LONGER = Entry(
    tuple(f"a tag with the number {number}" for number in range(60)), caption=" ".join(["a dog"] * 40), model="model@2"
)

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")


def exif_of(data: bytes) -> bytes:
    return next(text for marker, text in jpeg_segments(data) if marker == 0xE1 and text.startswith(b"Exif\0\0"))


def extracted(data: bytes, tag: str) -> bytes:
    """What exiftool takes out of a file where it finds it by an offset."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(data)
        file.flush()
        return subprocess.run(["exiftool", "-b", f"-{tag}", file.name], capture_output=True, check=False).stdout


@pytest.mark.parametrize("path", CAMERAS, ids=lambda path: path.stem)
def test_the_maker_note_keeps_every_byte_and_the_file_comes_back(path: Path) -> None:
    old = path.read_bytes()
    new = written(old, ENTRY)
    assert read(new).machine == ENTRY
    assert jpeg_segments(new)[0][1].startswith(b"Exif\0\0")  # Exif stays the first segment
    longer = written(new, LONGER)
    assert exif_of(old) == exif_of(new) == exif_of(longer)
    assert withdrawn(new) == withdrawn(longer) == old
    assert restored(longer, difference(longer, old)) == old


@needs_exiftool
def test_exiftool_reads_the_maker_notes_as_before(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    for path in CAMERAS:
        (before / path.name).write_bytes(path.read_bytes())
        (after / path.name).write_bytes(written(written(path.read_bytes(), ENTRY), LONGER))
    old, new = tags_of(before), tags_of(after)
    makers = {key.split(":")[0] for entry in old.values() for key in entry}
    assert makers >= MAKERS and sum(key.startswith(tuple(MAKERS)) for entry in old.values() for key in entry) > 300
    for name, entry in old.items():
        assert others(entry) == {key: value for key, value in others(new[name]).items() if key != "XMP-x:XMPToolkit"}
        assert new[name]["XMP-dc:Subject"] == list(LONGER.tags)
    assert warnings_of(after) == warnings_of(before)


def olympus_with_preview(extra: bytes = b"") -> tuple[bytes, bytes]:
    """A real maker note that says where the preview behind the end is, and that preview; `extra` goes behind Exif."""
    data = next(path for path in CAMERAS if path.stem == "olympus").read_bytes()
    exif = 4 + 2 + int.from_bytes(data[4:6], "big") - 2
    data = data[:exif] + extra + data[exif:]
    preview = saved("jpeg", quality=60)
    note = data.index(b"OLYMPUS\0II")
    offset, size = struct.pack("<I", 8411600), struct.pack("<I", 578467)  # what the camera wrote
    assert data.count(offset) == 1
    at = data.index(size, data.index(offset))
    data = data[:at] + struct.pack("<I", len(preview)) + data[at + 4 :]
    data = data.replace(offset, struct.pack("<I", len(data) - note))
    return data + preview, preview


@needs_exiftool
def test_a_preview_behind_the_end_is_found_again() -> None:
    old, preview = olympus_with_preview()
    assert extracted(old, "PreviewImage") == preview
    new = written(old, ENTRY)
    longer = written(new, LONGER)
    assert len(longer) > len(new) > len(old) and read(longer).machine == LONGER
    for data in (new, longer, withdrawn(longer)):
        assert extracted(data, "PreviewImage") == preview
        assert exif_of(data) == exif_of(old)
    assert withdrawn(longer) == old


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_preview_from_the_exif_blocks_own_start_is_found_again(order: str) -> None:
    preview = saved("jpeg", quality=60)
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8769)[0x927C] = b"OWN\0" + struct.pack(f"{order}II", 0x12345678, len(preview)) + bytes(40)
    old = saved("jpeg", exif=exif)
    start = old.index(b"Exif\0\0") + 6
    offset = len(old) - start
    old = old.replace(struct.pack(f"{order}I", 0x12345678), struct.pack(f"{order}I", offset)) + preview
    new = written(old, ENTRY)
    at = new.index(b"Exif\0\0") + 6
    assert at > start and new[at + offset :] == preview
    assert withdrawn(new) == old


def test_what_merely_follows_moves_no_packet_before_exif() -> None:
    for path in CAMERAS:
        new = written(path.read_bytes() + saved("jpeg"), ENTRY)
        assert jpeg_segments(new)[0][1].startswith(b"Exif\0\0")


def test_a_packet_behind_exif_may_fill_its_padding_but_not_push_a_preview_away() -> None:
    roomy, _ = olympus_with_preview(segment(0xE1, XMP_HEAD + packet(subject("Anna"), padding=3000)))
    assert len(written(roomy, ENTRY)) == len(roomy) and read(written(roomy, ENTRY)).machine == ENTRY
    tight, _ = olympus_with_preview(segment(0xE1, XMP_HEAD + packet(subject("Anna"))))
    with pytest.raises(MetadataError, match="preview, behind the picture, would be found no more: write a sidecar"):
        written(tight, ENTRY)


@needs_exiftool
def test_exiftool_takes_the_same_pictures_out_of_a_phones_file() -> None:
    stream = io.BytesIO()
    first, more = (Image.new("RGB", (40, 30), colour) for colour in ("red", "green"))
    first.save(stream, "MPO", save_all=True, append_images=[more], exif=exif_of(CAMERAS[0].read_bytes()))
    old = stream.getvalue()
    second = extracted(old, "MPImage2")
    assert old.endswith(second) and second.startswith(b"\xff\xd8") and len(second) < len(old) / 2
    new = written(old, ENTRY)
    longer = written(new, LONGER)
    assert len(longer) > len(new) > len(old)
    for data in (new, longer, withdrawn(longer)):
        assert extracted(data, "MPImage2") == second
        assert exif_of(data) == exif_of(old)
    assert withdrawn(longer) == old
