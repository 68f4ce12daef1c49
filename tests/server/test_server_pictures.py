"""What is no picture, or would cost too much, is found out from its bytes; what is one passes whatever its name."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

import pytest
from PIL import Image

from semreg.server.pictures import FORMATS, check
from semreg.server.problems import Problem

from .conftest import PICTURES


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "teal").save(buffer, kind)
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.jpg", picture("JPEG"))
    return buffer.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header promises that many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    ends = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + ends


def status(data: bytes) -> int:
    with pytest.raises(Problem) as told:
        check(data, 32 << 20, 64_000_000)
    assert told.value.sentence and "\n" not in told.value.sentence
    return told.value.status


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_pictures_pass_by_their_bytes(kind: str) -> None:
    assert check(picture(kind), 1 << 20, 10_000) in FORMATS


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.jpg")), ids=lambda path: path.name)
def test_photographs_pass(path: object) -> None:
    from pathlib import Path

    assert isinstance(path, Path) and check(path.read_bytes(), 1 << 20, 1_000_000) == "JPEG"


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<?xml version='1.0'?><svg/>",
        b"\xef\xbb\xbf  <!DOCTYPE html><html><body>cat.jpg</body></html>",
        b"<html><img src=x>",
        archive(),
        b"%PDF-1.7\n1 0 obj",
        b"just words",
        b"MZ" + bytes(200),
        b"\x7fELF" + bytes(200),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        bytes(1000),
        random.Random(0).randbytes(5000),
    ],
)
def test_other_files_are_415(data: bytes) -> None:
    assert status(data) == 415


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
@pytest.mark.parametrize(
    "tail", [archive(), b"<script>alert(1)</script>", b"<?php system($_GET[0]); ?>", b"<HTML><body>", b"<svg onload=x>"]
)
def test_polyglots_are_415(kind: str, tail: bytes) -> None:
    assert status(picture(kind) + tail) == 415


def test_a_page_hidden_in_a_comment_is_415() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "GIF", comment=b"*/=1;</x><script>alert(1)</script>")
    assert status(buffer.getvalue()) == 415


@pytest.mark.parametrize("size", [(10_000, 10_000), (65_500, 65_500), (2**31 - 1, 1)])
def test_bombs_are_413_by_their_header(size: tuple[int, int]) -> None:
    assert status(png_claiming(*size)) == 413


def test_a_jpeg_of_a_thousand_scans_is_413() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    start = data.index(b"\xff\xda")
    end = data.index(b"\xff\xda", start + 2)
    assert check(data, 1 << 20, 10_000) == "JPEG"
    assert status(data[:end] + data[start:end] * 1000 + data[end:]) == 413


def test_damaged_and_empty_ones_are_422() -> None:
    assert status(b"") == 422
    assert status(b"\xff\xd8\xff\xe0") == 422
    assert status(picture("PNG")[:20]) == 422


def test_other_picture_formats_are_415_and_named() -> None:
    assert status(picture("PPM")) == 415 and status(picture("ICO")) == 415


def test_looking_costs_little() -> None:
    import time

    data = picture("JPEG") + random.Random(1).randbytes(20 << 20)
    began = time.process_time()
    check(data, 32 << 20, 64_000_000)
    assert time.process_time() - began < 1.0
