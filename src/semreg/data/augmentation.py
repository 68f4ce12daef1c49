"""Random crops, flips, colours and erasures for training: a picture never comes to the model twice the same.

Letters: H, W height and width of a picture in pixels, S the side of the model's square input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from semreg.data.images import GREY, Pixels, resize
from semreg.errors import SemregError

_LUMA = (0.299, 0.587, 0.114)  # weights of red, green, blue in brightness: ITU-R BT.601
_ERASED_SHARE = (0.02, 0.2)  # smallest and largest share of the area that an erasure covers


@dataclass(frozen=True)
class Augmentation:
    """What training does to a picture at random.

    Attributes:
        crop: smallest share of the picture's area that the random crop keeps, above 0 and up to 1, where 1
            always takes the whole picture.
        aspect: largest factor by which the crop's aspect differs from the picture's, 1 or more.
        flip: mirror every second picture, left to right.
        colour: brightness, contrast and saturation are each multiplied by 1 - colour .. 1 + colour; 0..1.
        erase: chance that a random rectangle becomes mean grey; probability 0..1.
        size: side of the result in pixels, None for what the model is used at. Random crops show things larger than
            whole pictures do; learning from crops a little smaller than the model's input makes them alike (Touvron
            et al. 2019, arXiv:1906.06423).
    """

    crop: float = 0.5
    aspect: float = 4 / 3
    flip: bool = True
    colour: float = 0.2
    erase: float = 0.0
    size: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.crop <= 1:
            raise SemregError(f"crop must lie above 0 and up to 1, is {self.crop}: set it to 0.5")
        if not 1 <= self.aspect < math.inf:
            raise SemregError(f"aspect must be 1 or more, is {self.aspect}: set it to 1.33")
        if not 0 <= self.colour <= 1:
            raise SemregError(f"colour must lie in 0..1, is {self.colour}: set it to 0.2")
        if not 0 <= self.erase <= 1:
            raise SemregError(f"erase must lie in 0..1, is {self.erase}: set it to 0")
        if self.size is not None and self.size < 1:
            raise SemregError(f"size must be 1 or more, is {self.size}: leave it out")


def augment(picture: Pixels, size: int, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Crop, resize (ignoring aspect), flip, recolour and erase at random.

    Each call draws the same count of random numbers whatever the settings, so switching one part off does not
    change what the others do.

    Args:
        picture: uint8 (H, W, 3), as `read_picture` gives it.
        size: side S of the result in pixels, where `augmentation` does not say.
        augmentation: what to do, and how strongly.
        generator: source of every random number, on the CPU; its state decides the result.

    Returns:
        uint8 tensor (3, S, S), contiguous, values 0..255. With everything switched off it equals `prepare`
        with resize "squash".
    """
    draws: list[float] = torch.rand(13, generator=generator).tolist()  # each in [0, 1)
    if augmentation.crop < 1:
        picture = _crop(picture, augmentation, draws[0:4])
    side = size if augmentation.size is None else augmentation.size
    result = resize(picture, side, side)  # (3, S, S)
    if augmentation.flip and draws[4] < 0.5:
        result = result.flip(2)
    if augmentation.colour > 0:
        result = _recolour(result, augmentation.colour, draws[5:8])
    if draws[8] < augmentation.erase:
        _erase(result, draws[9:13])
    return result


def _crop(picture: Pixels, augmentation: Augmentation, draws: list[float]) -> Pixels:
    """Cut out a random rectangle: share of the area uniform, aspect log-uniform, place uniform."""
    height, width = picture.shape[:2]
    share = augmentation.crop + (1 - augmentation.crop) * draws[0]
    # A share s of the area fits inside the picture for a change of aspect from s to 1/s.
    bound = min(math.log(augmentation.aspect), -math.log(share))
    stretch = math.exp(bound * (2 * draws[1] - 1))
    inner_height = max(1, round(height * math.sqrt(share / stretch)))
    inner_width = max(1, round(width * math.sqrt(share * stretch)))
    top = int(draws[2] * (height - inner_height + 1))
    left = int(draws[3] * (width - inner_width + 1))
    return picture[top : top + inner_height, left : left + inner_width]


def _recolour(picture: Tensor, strength: float, draws: list[float]) -> Tensor:
    """Change brightness, then contrast around the mean brightness, then saturation, of uint8 (3, S, S).

    The three are one linear map of the colours, so the pixels are touched once:
    saturation * x + (1 - saturation) * luma(x), with x = contrast * (brightness * pixel - mean) + mean.
    """
    brightness, contrast, saturation = (1 + strength * (2 * draw - 1) for draw in draws)
    pixels = picture.flatten(1).float()  # (3, S * S)
    luma = torch.tensor(_LUMA)  # (3,)
    mean = brightness * float(luma @ pixels.mean(1))
    grey = (1 - saturation) * luma.expand(3, 3)
    colours = brightness * contrast * (saturation * torch.eye(3) + grey)  # (3, 3)
    offset = torch.full((3, 1), (1 - contrast) * mean)
    changed = torch.addmm(offset, colours, pixels)  # (3, S * S)
    return changed.round_().clamp_(0, 255).to(torch.uint8).view_as(picture)


def _erase(picture: Tensor, draws: list[float]) -> None:
    """Make a random rectangle of (3, S, S) mean grey, in place: aspect from 1:2 to 2:1."""
    size = picture.shape[1]
    smallest, largest = _ERASED_SHARE
    share = smallest + (largest - smallest) * draws[0]
    stretch = 2 ** (draws[1] - 0.5)  # sides differ by this factor's square
    height = max(1, round(size * math.sqrt(share) / stretch))
    width = max(1, round(size * math.sqrt(share) * stretch))
    top = int(draws[2] * (size - height + 1))
    left = int(draws[3] * (size - width + 1))
    picture[:, top : top + height, left : left + width] = GREY
