"""Which bytes are a picture that may be decoded: found out from the bytes alone, before anything is decoded."""

from __future__ import annotations

import re
from typing import Final

from semreg.data.images import picture_header
from semreg.errors import PictureError
from semreg.server.problems import Problem

FORMATS: Final = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "TIFF": ".tif",
    "AVIF": ".avif",
    "HEIF": ".heic",
}
KNOWN: Final = "send JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"

_SCANS = 100  # of a progressive JPEG; encoders write about ten, and each costs a pass over all pixels
_TAIL = 22 + 65_535  # an archive's directory ends that many bytes before the end at most
# Texts that a browser would run or a program unpack, long enough not to occur in pixels by chance. The first byte is
# fixed, so that the search is quick.
_FOREIGN = re.compile(rb"<(?:[sS][cC][rR][iI][pP][tT]|[hH][tT][mM][lL]|[sS][vV][gG]|\?[pP][hH][pP])[\s>/]")
_SCAN = re.compile(rb"\xff\xda\x00[\x08\x0a\x0c\x0e]")  # the head of a scan of one to four channels
_MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:\?xml|!doctype|!--|html|head|body|script|svg)", re.IGNORECASE)


def check(data: bytes, max_bytes: int, max_pixels: int) -> str:
    """Refuse what is no picture, or one that would cost too much.

    Args:
        data: a file's bytes.
        max_bytes: how many there may be.
        max_pixels: how many pixels the picture may have.

    Returns:
        The format by its bytes, a key of FORMATS; what the client called it does not count.

    Raises:
        Problem: 413 too large, 415 not a picture or something else as well, 422 damaged.
    """
    if len(data) > max_bytes:
        raise Problem(413, f"a picture may have {max_bytes} bytes, has {len(data)}: make it smaller")
    if not data:
        raise Problem(422, f"the picture is empty: {KNOWN}")
    _refuse_other_kinds(data)
    try:
        found, width, height = picture_header(data)
    except PictureError as error:
        raise refusal(error) from None
    if found not in FORMATS:
        raise Problem(415, f"{found} is not served here: {KNOWN}")
    if width * height > max_pixels:
        raise Problem(413, f"a picture may have {max_pixels} pixels, has {width}x{height}: make it smaller")
    if found in ("JPEG", "MPO") and sum(1 for _ in _SCAN.finditer(data)) > _SCANS:
        raise Problem(413, f"a JPEG may have {_SCANS} scans, this one has more: save it again")
    return found


def refusal(error: PictureError) -> Problem:
    """The answer for a picture that cannot be read: 415 where it is none, 413 where it is too large, else 422."""
    sentence = str(error)
    if "not a picture" in sentence:
        return Problem(415, f"the body is not a picture: {KNOWN}")
    return Problem(413 if "pixels" in sentence and "no pixels" not in sentence else 422, sentence)


def _refuse_other_kinds(data: bytes) -> None:
    if _MARKUP.match(data[:512]):
        raise Problem(415, f"the body is markup such as SVG or HTML, not a picture: {KNOWN}")
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        raise Problem(415, f"the body is a ZIP archive, not a picture: {KNOWN}")
    if b"%PDF-" in data[:1024]:
        raise Problem(415, f"the body is a PDF document, not a picture: {KNOWN}")
    if _FOREIGN.search(data) or _is_archive(data):
        raise Problem(415, "the picture is something else as well (a page, a script or an archive): save it again")


def _is_archive(data: bytes) -> bool:
    """Whether a ZIP directory, whose length reaches to the very end, closes the data."""
    place = data.rfind(b"PK\x05\x06", max(0, len(data) - _TAIL))
    if place < 0 or len(data) - place < 22:
        return False
    return place + 22 + int.from_bytes(data[place + 20 : place + 22], "little") == len(data)
