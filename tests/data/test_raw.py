"""Cameras' raw files: seen by the JPEG beside them, or by the preview inside."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semreg.data.images import read_picture
from semreg.data.raw import raw_preview
from semreg.errors import PictureError

SHORT, LONG, BYTE, ASCII, RATIONAL, SRATIONAL = 3, 4, 1, 2, 5, 10
FORMS = {SHORT: "H", LONG: "I", BYTE: "B", RATIONAL: "II", SRATIONAL: "ii"}
Entries = list[tuple[int, int, list[int] | bytes]]


def directory(entries: Entries, start: int) -> bytes:
    """A TIFF directory at this place in the file, its longer values behind it."""
    head, tail = struct.pack("<H", len(entries)), b""
    behind = start + 2 + 12 * len(entries) + 4
    for tag, kind, values in sorted(entries, key=lambda entry: entry[0]):
        per = 2 if kind in (RATIONAL, SRATIONAL) else 1
        data = values if isinstance(values, bytes) else struct.pack("<" + FORMS[kind][0] * len(values), *values)
        count = len(values) // per
        if len(data) > 4:
            place = struct.pack("<I", behind + len(tail))
            tail += data + b"\0" * (len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        head += struct.pack("<HHI", tag, kind, count) + place
    return head + struct.pack("<I", 0) + tail


def make_dng(path: Path, preview: bytes, width: int, height: int) -> None:
    """The least that a DNG file needs: a JPEG as its first picture, and a sensor's values."""
    sensor = bytes(2 * 64 * 64)
    preview_at = 8
    sensor_at = preview_at + len(preview) + len(preview) % 2
    raw_at = sensor_at + len(sensor)
    identity = [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]
    raw = directory(
        [
            (254, LONG, [0]),
            *((256, LONG, [64]), (257, LONG, [64]), (258, SHORT, [16]), (259, SHORT, [1]), (262, SHORT, [32803])),
            *((273, LONG, [sensor_at]), (277, SHORT, [1]), (278, LONG, [64]), (279, LONG, [len(sensor)])),
            *((33421, SHORT, [2, 2]), (33422, BYTE, [0, 1, 1, 2])),
        ],
        raw_at,
    )
    first_at = raw_at + len(raw) + len(raw) % 2
    first = directory(
        [
            (254, LONG, [1]),
            *((256, LONG, [width]), (257, LONG, [height]), (258, SHORT, [8, 8, 8]), (259, SHORT, [7])),
            *((262, SHORT, [6]), (271, ASCII, b"Maker\0"), (272, ASCII, b"Camera\0"), (273, LONG, [preview_at])),
            *((274, SHORT, [1]), (277, SHORT, [3]), (278, LONG, [height]), (279, LONG, [len(preview)])),
            *((330, LONG, [raw_at]), (50706, BYTE, [1, 4, 0, 0]), (50708, ASCII, b"Maker Camera\0")),
            (50721, SRATIONAL, identity),
        ],
        first_at,
    )
    body = preview + b"\0" * (len(preview) % 2) + sensor + raw + b"\0" * (len(raw) % 2) + first
    path.write_bytes(b"II*\0" + struct.pack("<I", first_at) + body)


def jpeg(colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (120, 80), colour).save(stream, "JPEG")
    return stream.getvalue()


def test_the_preview_inside_is_what_is_seen(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "x.dng"
    make_dng(path, jpeg("red"), 120, 80)
    seen = read_picture(path)
    assert seen.shape == (80, 120, 3) and np.abs(seen[40, 60].astype(int) - (254, 0, 0)).max() < 4


def test_the_jpeg_beside_it_is_preferred(tmp_path: Path) -> None:
    path = tmp_path / "x.NEF"
    path.write_bytes(b"MM\0*no real raw file")
    (tmp_path / "x.JPG").write_bytes(jpeg("blue"))
    assert raw_preview(path) == (tmp_path / "x.JPG").read_bytes()
    assert read_picture(path)[0, 0, 2] > 250


def test_what_has_no_preview_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.cr2"
    path.write_bytes(b"II*\0 no real raw file")
    with pytest.raises(PictureError, match=r"x\.cr2 (has no preview that can be read|is a camera's raw file)"):
        read_picture(path)
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    with pytest.raises(PictureError, match="pip install rawpy, or put its JPEG beside it"):
        read_picture(path)
    with pytest.raises(PictureError, match="does not exist"):
        read_picture(tmp_path / "gone.nef")
