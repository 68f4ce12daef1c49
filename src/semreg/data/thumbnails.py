"""A small picture inside a page: upright JPEG as a data URI, so that the page can be sent by itself."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from semreg.errors import PictureError


@dataclass(frozen=True)
class Thumbnail:
    """A small picture: a JPEG file's bytes, and its size in pixels."""

    data: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The picture as a `data:` URI."""
        return "data:image/jpeg;base64," + base64.b64encode(self.data).decode()


def thumbnail(path: Path, width: int, quality: int = 82) -> Thumbnail | None:
    """Return the picture at `width` pixels and at most twice that height, or None when it cannot be read."""
    from PIL import Image

    from semreg.data.images import read_picture

    try:
        image = Image.fromarray(read_picture(path, at_least=width))
    except PictureError:  # gone since it was annotated; the page does without it
        return None
    image.thumbnail((width, 2 * width), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality, optimize=True)
    return Thumbnail(data.getvalue(), *image.size)
