"""Reading pictures of every kind, refusing what is none, and resizing to the model's input."""

from __future__ import annotations

import io
import os
import struct
import sys
import threading
import types
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch
from PIL import Image, ImageFile, ImageOps

from semreg.data import images
from semreg.data.images import Preprocessing, prepare, read_picture
from semreg.errors import PictureError, SemregError

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "coco18" / "images"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real pictures of coco18 are not here")


def smooth(height: int = 60, width: int = 90) -> np.ndarray:
    """A picture without symmetry: red grows to the right, green downwards, blue along the diagonal."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.rint(np.stack([x, y, (x + y) / 2], axis=2) * 255).astype(np.uint8)


def encode(picture: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def difference(first: np.ndarray | torch.Tensor, second: np.ndarray | torch.Tensor) -> np.ndarray:
    a, b = (np.asarray(x).astype(int) for x in (first, second))
    assert a.shape == b.shape
    return np.abs(a - b)


def by_pillow(data: bytes) -> np.ndarray:
    return np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


@pytest.fixture
def no_simplejpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise ValueError("Unsupported JPEG process")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)


# Sources


def test_path_string_bytes_pillow_and_array_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "ä picture.png"
    path.write_bytes(encode(smooth(), "PNG"))
    with Image.open(path) as opened:
        for source in (path, str(path), path.read_bytes(), opened, smooth()):
            result = read_picture(source)
            assert result.dtype == np.uint8
            assert np.array_equal(result, smooth())


@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_arrays_of_every_accepted_shape(channels: tuple[int, ...]) -> None:
    result = read_picture(np.full((5, 7, *channels), 255, np.uint8))
    assert result.shape == (5, 7, 3)
    assert (result == 255).all()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, 7), np.float32),
        np.zeros(5, np.uint8),
        np.zeros((5, 7, 2), np.uint8),
        np.zeros((1, 5, 7, 3), np.uint8),
        np.zeros((0, 7, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(array: np.ndarray) -> None:
    with pytest.raises(PictureError, match=r"an array must be uint8 of shape .* convert it to 8-bit RGB"):
        read_picture(array)


def test_pillow_picture_without_pixels_is_refused() -> None:
    with pytest.raises(PictureError, match="has no pixels"):
        read_picture(Image.new("RGB", (0, 5)))


# Kinds of pictures


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_like_pillow(mode: str, progressive: bool) -> None:
    data = encode(Image.fromarray(smooth()).convert(mode), "JPEG", progressive=progressive)
    assert difference(read_picture(data), by_pillow(data)).max() <= 1


def test_jpeg_that_simplejpeg_refuses_goes_through_pillow(no_simplejpeg: None) -> None:
    data = encode(smooth(), "JPEG")
    assert np.array_equal(read_picture(data), by_pillow(data))


def test_jpeg_with_harmless_extra_bytes_is_read() -> None:
    data = encode(smooth(), "JPEG")
    odd = data[:-2] + b"\x00\x12\x34" + data[-2:]
    with pytest.raises(ValueError, match="extraneous bytes"):
        simplejpeg.decode_jpeg(odd)
    assert difference(read_picture(odd), by_pillow(data)).max() <= 1
    assert difference(read_picture(data + b"appended video"), by_pillow(data)).max() <= 1


def test_cmyk_jpeg_as_adobe_writes_it_is_not_inverted() -> None:
    data = encode(Image.fromarray(smooth()).convert("CMYK"), "JPEG", quality=95)
    assert difference(read_picture(data), smooth()).max() <= 12
    assert min(read_picture(data, at_least=20).shape[:2]) < 60  # at a reduced scale too


def test_ycck_jpeg() -> None:
    cmyk = np.array(Image.fromarray(smooth()).convert("CMYK"))
    inverted = simplejpeg.encode_jpeg(255 - cmyk, colorspace="CMYK", colorsubsampling="444", quality=95)
    assert Image.open(io.BytesIO(inverted)).info["adobe_transform"] == 2
    assert difference(read_picture(inverted), smooth()).max() <= 12


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "BMP"])
def test_opaque_modes(kind: str, mode: str) -> None:
    picture = Image.fromarray(smooth()).convert(mode)
    data = encode(picture, kind)
    assert np.array_equal(read_picture(data), by_pillow(data))
    if kind != "GIF":
        assert np.array_equal(read_picture(data), np.array(picture.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_lies_on_white(mode: str) -> None:
    picture = Image.new(mode, (4, 1))
    if mode == "PA":
        picture.putpalette([0, 0, 0])
    alphas = [0, 64, 128, 255]
    for column, alpha in enumerate(alphas):
        picture.putpixel((column, 0), (0, 0, 0, alpha) if mode == "RGBA" else (0, alpha))
    source = picture if mode == "PA" else encode(picture, "PNG")
    assert difference(read_picture(source)[0, :, 0], 255 - np.array(alphas)).max() <= 1


def test_palette_with_transparency() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 0, 0])
    picture.putdata([0, 1])
    for transparency in (0, b"\x00\xff"):
        result = read_picture(encode(picture, "PNG", transparency=transparency))
        assert result.tolist() == [[[255, 255, 255], [200, 0, 0]]]


def test_transparent_colour_of_a_picture_without_alpha() -> None:
    picture = Image.new("RGB", (2, 1), (1, 2, 3))
    picture.putpixel((1, 0), (9, 8, 7))
    assert read_picture(encode(picture, "PNG", transparency=(1, 2, 3))).tolist() == [[[255] * 3, [9, 8, 7]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    grey = np.array([[0, 257, 32768, 65535]], np.uint16)
    assert read_picture(encode(grey, kind))[0].tolist() == [[0] * 3, [1] * 3, [128] * 3, [255] * 3]


def test_16_bit_big_endian_grey() -> None:
    picture = Image.frombytes("I;16B", (2, 1), b"\x80\x00\xff\xff")
    assert read_picture(picture)[0, :, 0].tolist() == [128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 32768, 65535], [0, 128, 255]),
        ([0, 500_000, 1_000_000], [0, 128, 255]),
        ([-10, 0, 10], [0, 128, 255]),
    ],
)
def test_32_bit_integers(values: list[int], expected: list[int]) -> None:
    result = read_picture(encode(np.array([values], np.int32), "TIFF"))
    assert difference(result[0, :, 1], np.array(expected)).max() <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([0, 100, 255], [0, 100, 255]),
        ([0, 32768, 65535], [0, 128, 255]),
        ([-3, 0, 3], [0, 128, 255]),
        ([0, 1e5, 2e5], [0, 128, 255]),
        ([float("nan"), float("inf"), 1], [0, 0, 255]),
        ([0, 0, 0], [0, 0, 0]),
        ([-5, -5, -5], [0, 0, 0]),
    ],
)
def test_float_tiff_is_scaled(values: list[float], expected: list[int]) -> None:
    result = read_picture(encode(np.array([values], np.float32), "TIFF"))
    assert difference(result[0, :, 2], np.array(expected)).max() <= 1


def test_16_bit_rgb_png() -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    row = b"\x00" + struct.pack(">6H", 0, 32768, 65535, 65535, 0, 32768)
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    assert read_picture(data).tolist() == [[[0, 128, 255], [255, 0, 128]]]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_of_several_frames_or_pages(kind: str) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert np.array_equal(read_picture(data), np.array(frames[0]))


def test_mpo_of_a_stereo_camera_gives_its_first_picture() -> None:
    left, right = Image.new("RGB", (16, 16), "white"), Image.new("RGB", (16, 16), "black")
    assert read_picture(encode(left, "MPO", save_all=True, append_images=[right])).min() >= 254


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_one_pixel_and_long_thin_pictures(kind: str, shape: tuple[int, int]) -> None:
    data = encode(np.full((*shape, 3), 200, np.uint8), kind)
    result = read_picture(data)
    assert result.shape == (*shape, 3)
    assert difference(result, np.full((*shape, 3), 200)).max() <= 2
    assert min(read_picture(data, at_least=64).shape[:2]) == 1
    for way in ("squash", "crop", "pad"):
        assert prepare(result, Preprocessing(32, way)).shape == (3, 32, 32)


# EXIF orientation


def with_orientation(kind: str, orientation: int, picture: np.ndarray) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(picture, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation(kind: str, orientation: int) -> None:
    data = with_orientation(kind, orientation, smooth())
    assert read_picture(data).shape == ((60, 90, 3) if orientation < 5 else (90, 60, 3))
    assert difference(read_picture(data), by_pillow(data)).max() <= 1
    assert difference(read_picture(Image.open(io.BytesIO(data))), by_pillow(data)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_jpeg_through_pillow(orientation: int, no_simplejpeg: None) -> None:
    data = with_orientation("JPEG", orientation, smooth())
    assert np.array_equal(read_picture(data), by_pillow(data))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_at_reduced_scale(orientation: int) -> None:
    data = with_orientation("JPEG", orientation, smooth(600, 900))
    reduced, full = read_picture(data, at_least=70), read_picture(data)
    assert min(reduced.shape[:2]) == 75  # 1/8 of 600
    ways = Preprocessing(64)
    assert difference(prepare(reduced, ways), prepare(full, ways)).max() <= 4


@pytest.mark.parametrize("value", [0, 9, 4711])
def test_senseless_orientation_is_ignored(value: int) -> None:
    assert read_picture(with_orientation("JPEG", value, smooth())).shape == (60, 90, 3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_cost_the_picture() -> None:
    data = encode(smooth(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff broken")
    assert read_picture(data).shape == (60, 90, 3)


# Reduced scale


@pytest.mark.parametrize(
    ("at_least", "shorter"), [(None, 600), (1, 75), (75, 75), (76, 150), (299, 300), (301, 600), (601, 600)]
)
def test_shorter_side_keeps_at_least(at_least: int | None, shorter: int) -> None:
    result = read_picture(encode(smooth(600, 900), "JPEG"), at_least=at_least)
    assert min(result.shape[:2]) == shorter


def test_thin_picture_keeps_its_shorter_side_at_reduced_scale() -> None:
    assert read_picture(encode(smooth(20, 4000), "JPEG"), at_least=64).shape == (20, 4000, 3)


def test_reduced_scale_through_pillow(no_simplejpeg: None) -> None:
    assert read_picture(encode(smooth(600, 900), "JPEG"), at_least=140).shape == (150, 225, 3)


@needs_real
def test_real_pictures_simplejpeg_like_pillow_and_reduced_like_full() -> None:
    preprocessing = Preprocessing(64)
    scaled = []
    for path in sorted(REAL.glob("*.jpg"))[:40]:
        full = read_picture(path)
        assert difference(full, by_pillow(path.read_bytes())).max() <= 1
        for at_least in (64, 128):
            reduced = read_picture(path, at_least=at_least)
            scaled.append(difference(prepare(reduced, preprocessing), prepare(full, preprocessing)).mean())
    assert np.mean(scaled[0::2]) < 3  # of 255 grey levels: read at no more than the size that is wanted
    assert np.mean(scaled[1::2]) < 0.3  # read at twice that size


# What is refused


def refusal(source: Path | bytes) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(source)
    return str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.jpg") == f"{tmp_path / 'no.jpg'} does not exist"
    assert refusal(tmp_path) == f"{tmp_path} is a folder, not a picture"
    assert "cannot be opened" in refusal(tmp_path / ("x" * 5000))
    assert "cannot be opened" in refusal(tmp_path / "null\0byte")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refusal(tmp_path / "pipe.jpg").endswith("is a device or a pipe, not a picture")


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(encode(smooth(), "PNG"))

    def deny(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", deny)  # chmod would not stop a test that runs as root
    assert refusal(path) == f"{path} cannot be opened: Permission denied"


def test_empty_text_and_zip(tmp_path: Path) -> None:
    for content, reason in ((b"", "is empty"), (b"just some words\n", "is not a picture (no known format)")):
        (tmp_path / "a.jpg").write_bytes(content)
        assert refusal(tmp_path / "a.jpg") == f"{tmp_path / 'a.jpg'} {reason}"
        assert refusal(content) == f"the picture {reason}"
    with zipfile.ZipFile(tmp_path / "b.jpg", "w") as archive:
        archive.writestr("member", "text")
    assert refusal(tmp_path / "b.jpg") == f"{tmp_path / 'b.jpg'} is not a picture (no known format)"


def test_postscript_is_not_run() -> None:
    assert "not a picture" in refusal(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n")


@pytest.mark.parametrize("share", [0.001, 0.02, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "progressive", "CMYK", "PNG", "GIF", "WEBP", "TIFF", "LZW", "BMP"])
def test_cut_off_files_are_refused(kind: str, share: float, tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8))
    if kind == "progressive":
        data = encode(noise, "JPEG", progressive=True)
    elif kind == "CMYK":
        data = encode(noise.convert("CMYK"), "JPEG")
    elif kind == "LZW":
        data = encode(noise, "TIFF", compression="tiff_lzw")
    else:
        data = encode(noise, kind)
    path = tmp_path / "cut.picture"
    path.write_bytes(data[: max(16, int(len(data) * share))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of the TIFF directory that is missing
        message = refusal(path)
    assert message.startswith(str(path))
    assert "cut off" in message


@pytest.mark.parametrize("missing", [1, 2, 3, 10])
def test_jpeg_without_its_last_bytes_is_refused(missing: int) -> None:
    assert refusal(encode(smooth(), "JPEG")[:-missing]) == "the picture is cut off before its end"


def test_jpeg_cut_off_and_closed_again_is_refused() -> None:
    data = encode(smooth(400, 400), "JPEG")
    assert refusal(data[: len(data) // 2] + b"\xff\xd9") == "the picture is cut off before its end"


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_heic_names_the_plugin(brand: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    data = b"\x00\x00\x00\x18ftyp" + brand + bytes(40)
    assert refusal(data) == "the picture is a HEIC or AVIF picture: pip install pillow-heif"


def test_heic_plugin_is_used_when_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def open_stub(stream: io.BytesIO, name: str) -> Image.Image:
        return Image.new("RGB", (3, 2), "red")

    def register() -> None:
        monkeypatch.setitem(Image.OPEN, "HEIF", (open_stub, lambda head: head[8:12] == b"heic"))
        monkeypatch.setattr(Image, "ID", [*Image.ID, "HEIF"])

    plugin = types.ModuleType("pillow_heif")
    plugin.register_heif_opener = register  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    assert read_picture(b"\x00\x00\x00\x18ftypheic" + bytes(40)).shape == (2, 3, 3)


# Decompression bombs and Pillow's global state


def bmp_header(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def test_bombs_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in (bmp_header(30_000, 30_000), jpeg_header(60_000, 60_000)):
            assert "may have 250000000 pixels, has" in refusal(data)


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size than its data have."""
    data = bytearray(encode(np.zeros((8, 8, 3), np.uint8), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def test_webp_bomb_is_refused() -> None:
    canvas = (16_382).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\x00\x00\x00" + canvas
    message = refusal(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert "too many pixels" in message or "damaged" in message  # the latter from older versions of Pillow


@pytest.mark.parametrize("factor", [1.5, 3])
def test_above_pillows_limit_neither_warning_nor_error(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = int(60 * 90 / factor)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    monkeypatch.setattr(images, "_PILLOW_LIMIT", limit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("JPEG", "PNG", "TIFF", "BMP"):
            assert read_picture(encode(smooth(), kind)).shape == (60, 90, 3)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_many_threads_leave_pillow_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_PILLOW_LIMIT", 100)
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    data = [encode(smooth(), kind) for kind in ("JPEG", "PNG", "TIFF", "GIF")]
    shapes: list[tuple[int, ...]] = []

    def work() -> None:
        for _ in range(5):
            shapes.extend(read_picture(one).shape for one in data)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shapes == [(60, 90, 3)] * 160
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


# Preparing


@pytest.mark.parametrize("shape", [(60, 90), (1, 1), (2, 3), (224, 224), (640, 480), (12, 5000), (5000, 12)])
def test_squash_like_pillow(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    result = prepare(picture, Preprocessing())
    assert result.dtype == torch.uint8
    assert result.shape == (3, 224, 224)
    assert result.is_contiguous()
    expected = np.array(Image.fromarray(picture).resize((224, 224), Image.Resampling.BILINEAR))
    assert difference(result.permute(1, 2, 0), expected).max() <= 1


def test_crop_takes_the_centre_square() -> None:
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 30:70] = 255
    assert (prepare(picture, Preprocessing(16, "crop")) == 255).all()
    assert (prepare(picture.transpose(1, 0, 2), Preprocessing(16, "crop")) == 255).all()


@pytest.mark.parametrize("upright", [False, True])
def test_pad_keeps_the_aspect_on_mean_grey(upright: bool) -> None:
    picture = np.full((50, 100, 3), 255, np.uint8)
    result = prepare(picture.transpose(1, 0, 2) if upright else picture, Preprocessing(16, "pad"))
    result = result.transpose(1, 2) if upright else result
    assert (result[:, 4:12] == 255).all()
    assert (result[:, :4] == 127).all()
    assert (result[:, 12:] == 127).all()


@pytest.mark.filterwarnings("error")
def test_prepare_takes_read_only_and_strided_pictures() -> None:
    picture = smooth()
    expected = prepare(picture, Preprocessing(32))
    picture.flags.writeable = False
    assert torch.equal(prepare(picture, Preprocessing(32)), expected)
    assert torch.equal(prepare(picture[:, ::-1], Preprocessing(32)), expected.flip(2))


@pytest.mark.parametrize("size", [0, -1, 2.5, "224"])
def test_bad_size(size: object) -> None:
    with pytest.raises(SemregError, match=r"size must be a whole number from 1 up, is .*: set it to 224"):
        Preprocessing(size=size)  # type: ignore[arg-type]


def test_bad_resize() -> None:
    with pytest.raises(SemregError, match="resize must be squash, crop or pad, is 'zoom': set it to squash"):
        Preprocessing(resize="zoom")  # type: ignore[arg-type]


@pytest.mark.parametrize("length", range(1, 16))
def test_a_file_of_a_few_bytes_is_no_picture(length: int) -> None:
    for first in (b"hi\n", b"BM", b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"\0\0\0\0"):
        with pytest.raises(PictureError):
            read_picture((first + bytes(16))[:length])
