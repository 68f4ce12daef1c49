"""Files to measure with: small and 12-megapixel JPEG, PNG and WebP, made from photographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from semreg.data.images import read_picture

SMALL, LARGE = (500, 375), (4000, 3000)
SUFFIXES = ("jpg", "png", "webp")


def make_files(photographs: Sequence[Path], folder: Path, small: int, large: int) -> dict[str, list[Path]]:
    """Write `small` small and `large` large files of each kind; the photographs repeat, each time cropped otherwise.

    Returns:
        The files of each kind: "small jpg", "large png", ...
    """
    found: dict[str, list[Path]] = {}
    for name, size, count in (("small", SMALL, small), ("large", LARGE, large)):
        for suffix in SUFFIXES:
            found[f"{name} {suffix}"] = []
        for number in range(count):
            picture = _crop(photographs[number % len(photographs)], number, size)
            for suffix in SUFFIXES:
                path = folder / f"{name}-{number:03}.{suffix}"
                options = {"jpg": {"quality": 90}, "png": {"compress_level": 3}, "webp": {"quality": 85, "method": 0}}
                picture.save(path, **options[suffix])  # type: ignore[arg-type]
                found[f"{name} {suffix}"].append(path)
    return found


def _crop(photograph: Path, number: int, size: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(read_picture(photograph))
    margin = 0.02 * (number % 7)
    box = (margin * picture.width, margin * picture.height, picture.width, picture.height)
    return picture.crop(tuple(round(side) for side in box)).resize(size, Image.Resampling.BICUBIC)  # type: ignore[arg-type]
