"""Cameras' raw files, seen by the JPEG that lies beside them or, as the camera made it, inside them."""

from __future__ import annotations

from pathlib import Path

from semreg.errors import PictureError

RAW_SUFFIXES = (
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef"),
    *(".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"),
)
_BESIDE = (".jpg", ".JPG", ".jpeg", ".JPEG")


def is_raw(path: Path) -> bool:
    """Whether the name is that of a camera's raw file."""
    return path.suffix.lower() in RAW_SUFFIXES


def raw_preview(path: Path) -> bytes:
    """A JPEG of what a raw file shows: the file of the same name beside it, else the preview inside.

    Raises:
        PictureError: there is none, the file is damaged, or the package that reads it is missing.
    """
    for suffix in _BESIDE:
        if (beside := path.with_suffix(suffix)).is_file():
            try:
                return beside.read_bytes()
            except OSError as error:
                raise PictureError(f"{beside} cannot be read: {error.strerror or error}") from None
    try:
        import rawpy
    except ImportError:
        raise PictureError(f"{path} is a camera's raw file: pip install rawpy, or put its JPEG beside it") from None
    try:
        with rawpy.imread(str(path)) as raw:
            preview = raw.extract_thumb()
    except (rawpy.LibRawError, OSError) as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else error
        raise PictureError(f"{path} has no preview that can be read ({reason}): put its JPEG beside it") from None
    if preview.format != rawpy.ThumbFormat.JPEG:
        raise PictureError(f"{path} has no JPEG preview inside: put its JPEG beside it")
    return bytes(preview.data)
