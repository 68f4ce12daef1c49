"""The one way to read a picture: a file, bytes, a Pillow picture or an array to RGB pixels, then a tensor.

Ordinary JPEGs go through simplejpeg (two to three times as fast as Pillow, the same pixels within a grey
level); everything else, and every JPEG that simplejpeg refuses, goes through Pillow. Letters: H, W height and
width of a picture in pixels, S the side of the model's square input.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import stat
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

import numpy as np
import simplejpeg
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin
from torch import Tensor
from torch.nn import functional

from semreg.data.raw import is_raw, raw_preview
from semreg.errors import PictureError, SemregError

Pixels: TypeAlias = NDArray[Any]
Source: TypeAlias = str | Path | bytes | Image.Image | Pixels

# Most pixels (H times W, as written in the file) that are read: 200-megapixel pictures of telephones pass. At
# the limit the RGB pixels take 0.75 GB, and decoding up to four times that for a moment.
MAX_PIXELS = 250_000_000
GREY = 127  # value of borders and erased patches: mean grey, which the trunk's normalisation sends to 0

_PILLOW_LIMIT = Image.MAX_IMAGE_PIXELS or MAX_PIXELS
_limit_lock = threading.Lock()
_REFUSED_FORMATS = {"EPS"}  # Pillow hands these to Ghostscript: a program, not a picture
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_CUT_OFF = re.compile("premature end|truncated|end of file|not enough image data", re.IGNORECASE)
_JPEG_BEYOND_REPAIR = re.compile("premature end|bad huffman|instead of rst", re.IGNORECASE)


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes the model's input; saved with the weights and applied wherever they are used.

    Attributes:
        size: side S of the square input, pixels.
        resize: "squash" takes the whole picture and ignores its aspect; "crop" takes the centre square whose
            side is the picture's shorter side; "pad" takes the whole picture with its aspect kept, its longer
            side filling S, the rest mean grey (127).
    """

    size: int = 224
    resize: Literal["squash", "crop", "pad"] = "squash"

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 1:
            raise SemregError(f"size must be a whole number from 1 up, is {self.size!r}: set it to 224")
        if self.resize not in ("squash", "crop", "pad"):
            raise SemregError(f"resize must be squash, crop or pad, is {self.resize!r}: set it to squash")


def read_picture(source: Source, *, at_least: int | None = None) -> Pixels:
    """Read a picture as it is meant to be seen: upright by its EXIF orientation, RGB, transparency on white.

    Of an animation or a document of several pages the first picture is read. Pictures with more than 8 bits a
    channel are scaled to 8 bits, not clipped.

    Args:
        source: path, bytes of a file, Pillow picture, or uint8 array (H, W) or (H, W, 1 | 3 | 4).
        at_least: pixels that the shorter side must keep. JPEGs at least twice as large are then decoded at a
            reduced scale, in less time; other pictures come at their full size. Twice the model's S is a good
            value: the prepared picture then stays within a grey level on average of that from the full size.

    Returns:
        uint8 array (H, W, 3), values 0..255.

    Raises:
        PictureError: no such file, not a picture, cut off, damaged, or of more than MAX_PIXELS pixels.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _from_pillow(source, "the picture")
    if isinstance(source, bytes):
        return _from_stream(io.BytesIO(source), "the picture", at_least)
    with _open_file(Path(source)) as stream:
        if is_raw(Path(source)):
            return _from_stream(io.BytesIO(raw_preview(Path(source))), str(source), at_least)
        return _from_stream(stream, str(source), at_least)


def picture_header(data: bytes) -> tuple[str, int, int]:
    """Format (JPEG, PNG, ...), width and height of a picture, from its header: nothing is decoded.

    Raises:
        PictureError: empty, not a picture, or damaged in its header.
    """
    head = data[:16]
    if not head:
        raise PictureError("the picture is empty")
    picture = (
        _open_jpeg(data, "the picture")
        if head.startswith(b"\xff\xd8\xff")
        else _open_picture(io.BytesIO(data), head, "the picture")
    )
    return picture.format or "", *picture.size


def prepare(picture: Pixels, preprocessing: Preprocessing) -> Tensor:
    """Bring a picture to the model's input size.

    Args:
        picture: uint8 (H, W, 3), as `read_picture` gives it.
        preprocessing: the size S and the way to get there.

    Returns:
        uint8 tensor (3, S, S), contiguous, values 0..255: within two grey levels of Pillow's bilinear resize.
    """
    size = preprocessing.size
    height, width = picture.shape[:2]
    if preprocessing.resize == "crop":  # cropped before it is resized: long thin pictures stay cheap
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return resize(picture[top : top + side, left : left + side], size, size)
    if preprocessing.resize == "pad":
        scale = size / max(height, width)
        inner = resize(picture, max(1, round(height * scale)), max(1, round(width * scale)))
        top, left = (size - inner.shape[1]) // 2, (size - inner.shape[2]) // 2
        padded = torch.full((3, size, size), GREY, dtype=torch.uint8)
        padded[:, top : top + inner.shape[1], left : left + inner.shape[2]] = inner
        return padded
    return resize(picture, size, size)


def resize(picture: Pixels, height: int, width: int) -> Tensor:
    """Resize uint8 (H, W, 3) with antialiased bilinear weights to contiguous uint8 (3, height, width)."""
    pixels = torch.from_numpy(np.require(picture, requirements=["C", "W"]))  # (H, W, 3)
    batch = pixels.permute(2, 0, 1)[None]  # (1, 3, H, W), a view: torch is fast on channels that lie last
    resized = functional.interpolate(batch, (height, width), mode="bilinear", antialias=True)
    return resized[0].contiguous()  # (3, height, width)


def _open_file(path: Path) -> BinaryIO:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # a pipe would block for ever
            kind = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"
            raise PictureError(f"{path} is {kind}, not a picture")
        return path.open("rb")
    except FileNotFoundError:
        raise PictureError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:  # no permission, a name too long, a null byte, a failing disk
        raise PictureError(f"{path} cannot be opened: {getattr(error, 'strerror', error)}") from error


def _from_stream(stream: BinaryIO, name: str, at_least: int | None) -> Pixels:
    try:
        head = stream.read(16)
        stream.seek(0)
        if not head:
            raise PictureError(f"{name} is empty")
        if head.startswith(b"\xff\xd8\xff"):
            return _from_jpeg(stream.read(), name, at_least)
    except OSError as error:
        raise PictureError(f"{name} cannot be read: {error}") from error
    return _from_pillow(_open_picture(stream, head, name), name)


def _open_jpeg(data: bytes, name: str) -> JpegImagePlugin.JpegImageFile:
    try:  # not Image.open: this reads the header alone, without Pillow's pixel limit or MPO's second picture
        return JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    except Exception as error:  # broken bytes can make it raise nearly anything
        raise PictureError(f"{name} begins like JPEG data but is damaged or cut off") from error


def _from_jpeg(data: bytes, name: str, at_least: int | None) -> Pixels:
    picture = _open_jpeg(data, name)
    _check_size(picture, name)
    if picture.mode in ("L", "RGB"):
        side = at_least or 0
        try:  # scales between 1/2 and 1 would save no time and only make the picture sharper than it is
            pixels = simplejpeg.decode_jpeg(data, min_height=side, min_width=side, min_factor=2)
            return _upright(pixels, _orientation(picture))
        except ValueError as error:
            # Strict decoding reports missing data, which libjpeg would fill with grey. Its other complaints
            # are about oddities that do not show, or kinds that it does not know: Pillow may read those.
            if _JPEG_BEYOND_REPAIR.search(str(error)):
                raise _damage(name, error) from error
    if at_least:
        picture.draft(None, (at_least, at_least))
    return _from_pillow(picture, name)


def _open_picture(stream: BinaryIO, head: bytes, name: str) -> Image.Image:
    """Read the header of anything but a JPEG."""
    picture, known = _identify(stream, head, name)
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if picture is None and (brand in _HEIF_BRANDS or (brand in _AVIF_BRANDS and not known)):
        try:
            importlib.import_module("pillow_heif").register_heif_opener()
        except ImportError:
            raise PictureError(f"{name} is a HEIC or AVIF picture: pip install pillow-heif") from None
        picture, known = _identify(stream, head, name)
    if picture is not None:
        return picture
    if known:
        raise PictureError(f"{name} begins like {known} data but is damaged or cut off")
    raise PictureError(f"{name} is not a picture (no known format)")


def _identify(stream: BinaryIO, head: bytes, name: str) -> tuple[Image.Image | None, str]:
    """Do what Image.open does without its check of the size, which warns and obeys a process-wide setting.

    Returns the picture, not yet decoded, or None, and the format whose signature it bears, or "".
    """
    Image.init()
    known = ""
    for format_name in Image.ID:
        factory, accept = Image.OPEN[format_name]
        try:
            accepted = accept(head) if accept else True
        except (struct.error, IndexError):  # some formats' checks stumble over files of a few bytes
            accepted = False
        if format_name in _REFUSED_FORMATS or isinstance(accepted, str) or not accepted:
            continue
        stream.seek(0)
        try:
            return factory(stream, ""), format_name
        except Image.DecompressionBombError as error:
            raise PictureError(f"{name} has too many pixels: make a smaller copy") from error
        except Exception:  # broken bytes can make a plugin raise nearly anything
            known = format_name if accept else known
    return None, known


def _from_pillow(picture: Image.Image, name: str) -> Pixels:
    _check_size(picture, name)
    large = picture.width * picture.height > _PILLOW_LIMIT
    try:
        with _pillow_limit_raised() if large else contextlib.nullcontext():
            picture.load()
            return _upright(_to_rgb(picture), _orientation(picture))
    except Exception as error:  # of nearly any kind, as above
        raise _damage(name, error) from error


def _damage(name: str, error: Exception) -> PictureError:
    if isinstance(error, EOFError) or _CUT_OFF.search(str(error)):
        return PictureError(f"{name} is cut off before its end")
    return PictureError(f"{name} cannot be decoded, it is damaged or of an unknown kind ({error})")


@contextlib.contextmanager
def _pillow_limit_raised() -> Iterator[None]:
    """Raise Pillow's own limit for one very large picture; one at a time, which memory wants anyway."""
    with _limit_lock:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _check_size(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise PictureError(f"{name} may have {MAX_PIXELS} pixels, has {width}x{height}: make a smaller copy")
    if width * height == 0:
        raise PictureError(f"{name} has no pixels")


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation 1..8; 1 when there is none or it is unreadable: metadata must not cost the picture."""
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation: 2..4 mirror and turn, 5..8 do so after swapping rows and columns."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _to_rgb(picture: Image.Image) -> Pixels:
    if picture.mode == "F":
        return _from_grey(_to_bytes(np.asarray(picture), (1, 255, 65535)))
    if picture.mode.startswith("I"):  # 16 bits, which older versions of Pillow read as 32, or really 32
        return _from_grey(_to_bytes(np.asarray(picture), (65535,)))
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(picture.convert("RGB"))


def _from_grey(grey: Pixels) -> Pixels:
    return np.repeat(grey[:, :, None], 3, axis=2)  # (H, W, 3)


def _to_bytes(values: Pixels, whites: tuple[int, ...]) -> Pixels:
    """Scale numbers (H, W) to 0..255: 0 is black, and white the first of `whites` that no value exceeds.

    Negative values, or ones above every white: the least is black, the largest white. NaN and infinity: 0.
    """
    values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    black, white = float(values.min()), float(values.max())
    if black >= 0 and white <= whites[-1]:
        black, white = 0.0, float(next(level for level in whites if white <= level))
    scaled: Pixels = np.rint((values - black) * (255 / max(white - black, 1e-12)))
    return scaled.astype(np.uint8)


def _from_array(array: Pixels) -> Pixels:
    channels = array.shape[2:]
    if array.dtype != np.uint8 or array.size == 0 or array.ndim < 2 or channels not in ((), (1,), (3,), (4,)):
        rule = "an array must be uint8 of shape (H, W) or (H, W, 1 | 3 | 4) and not empty"
        raise PictureError(f"{rule}, is {array.dtype} of shape {array.shape}: convert it to 8-bit RGB")
    if channels in ((), (1,)):
        return _from_grey(array.reshape(array.shape[:2]))
    return array if channels == (3,) else _to_rgb(Image.fromarray(array))
