"""Random changes of training pictures: repeatable, switchable one by one, and within range."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semreg.data.augmentation import Augmentation, augment
from semreg.data.images import GREY, Preprocessing, prepare
from semreg.errors import SemregError

OFF = Augmentation(crop=1.0, aspect=1.0, flip=False, colour=0.0, erase=0.0)


def noise(height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(height: int = 100, width: int = 200) -> np.ndarray:
    """Red is the column, green the row, both 0..255 over the whole picture."""
    y, x = np.mgrid[0 : 255 : height * 1j, 0 : 255 : width * 1j]
    return np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.uint8)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_same_seed_same_result_other_seed_another() -> None:
    everything = Augmentation(erase=0.5)
    first, again, other = (augment(noise(), 32, everything, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_global_random_state_plays_no_part() -> None:
    torch.manual_seed(1)
    first = augment(noise(), 32, Augmentation(), seeded(5))
    torch.manual_seed(2)
    assert torch.equal(first, augment(noise(), 32, Augmentation(), seeded(5)))


def test_settings_do_not_change_how_many_numbers_are_drawn() -> None:
    generators = [seeded(3), seeded(3)]
    augment(noise(), 32, OFF, generators[0])
    augment(noise(), 32, Augmentation(erase=1.0), generators[1])
    assert torch.equal(generators[0].get_state(), generators[1].get_state())


@pytest.mark.parametrize("shape", [(48, 64), (1, 1), (300, 200)])
def test_everything_off_equals_prepare(shape: tuple[int, int]) -> None:
    picture = noise(*shape)
    for seed in range(5):
        assert torch.equal(augment(picture, 32, OFF, seeded(seed)), prepare(picture, Preprocessing(32)))


def test_flip_mirrors_about_every_second_picture() -> None:
    plain = prepare(noise(), Preprocessing(32))
    only_flip = Augmentation(crop=1.0, aspect=1.0, flip=True, colour=0.0)
    generator = seeded(0)
    flipped = 0
    for _ in range(200):
        result = augment(noise(), 32, only_flip, generator)
        assert torch.equal(result, plain) or torch.equal(result, plain.flip(2))
        flipped += not torch.equal(result, plain)
    assert 75 <= flipped <= 125


def test_crop_keeps_share_and_aspect_within_bounds() -> None:
    only_crop = Augmentation(crop=0.3, aspect=1.5, flip=False, colour=0.0)
    generator = seeded(0)
    shares, lefts = [], []
    for _ in range(200):
        result = augment(ramp(), 64, only_crop, generator).int()
        width = (result[0, 32, -1] - result[0, 32, 0]).item() / 255 * 64 / 63
        height = (result[1, -1, 32] - result[1, 0, 32]).item() / 255 * 64 / 63
        shares.append(width * height)
        lefts.append(result[0, 32, 0].item())
        assert 1 / 1.6 < width / height < 1.6
    assert 0.27 < min(shares) < 0.4
    assert 0.9 < max(shares) <= 1.03
    assert min(lefts) <= 3
    assert max(lefts) >= 80


def test_crop_of_one_takes_the_whole_picture_whatever_the_aspect() -> None:
    settings = Augmentation(crop=1.0, aspect=2.0, flip=False, colour=0.0)
    assert torch.equal(augment(noise(), 32, settings, seeded(0)), prepare(noise(), Preprocessing(32)))


def test_colour_changes_each_pixel_alike_and_keeps_grey_grey() -> None:
    only_colour = Augmentation(crop=1.0, flip=False, colour=0.5)
    grey = np.repeat(noise()[:, :, :1], 3, axis=2)
    for seed in range(10):
        result = augment(grey, 32, only_colour, seeded(seed)).int()
        assert (result - result[0]).abs().max() <= 1


def test_colour_follows_brightness_contrast_saturation() -> None:
    strength = 0.4
    draws = torch.rand(13, generator=seeded(4))[5:8]
    brightness, contrast, saturation = (1 + strength * (2 * draws - 1)).tolist()
    pixels = prepare(noise(), Preprocessing(32)).double()
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)[:, None, None]
    pixels = brightness * pixels
    pixels = contrast * pixels + (1 - contrast) * (weights * pixels).sum(0).mean()
    pixels = saturation * pixels + (1 - saturation) * (weights * pixels).sum(0)
    settings = Augmentation(crop=1.0, flip=False, colour=strength)
    result = augment(noise(), 32, settings, seeded(4))
    assert (result.double() - pixels.clamp(0, 255)).abs().max() <= 0.51


def test_strongest_colour_stays_in_range_without_wrapping() -> None:
    settings = Augmentation(crop=1.0, flip=False, colour=1.0)
    white = np.full((8, 8, 3), 255, np.uint8)
    for seed in range(20):
        brightness = 1 + (2 * torch.rand(13, generator=seeded(seed))[5].item() - 1)
        result = augment(white, 8, settings, seeded(seed))
        assert abs(result.float().mean().item() - min(255, 255 * brightness)) <= 1


def test_erase_makes_one_grey_rectangle() -> None:
    settings = Augmentation(crop=1.0, flip=False, colour=0.0, erase=1.0)
    white = np.full((50, 50, 3), 255, np.uint8)
    for seed in range(30):
        erased = augment(white, 50, settings, seeded(seed))[0] == GREY
        rows, columns = erased.any(1).sum().item(), erased.any(0).sum().item()
        assert erased.sum().item() == rows * columns
        assert 0.015 <= rows * columns / 2500 <= 0.22
        assert 0.4 <= rows / columns <= 2.5


def test_erase_happens_as_often_as_asked() -> None:
    settings = Augmentation(crop=1.0, flip=False, colour=0.0, erase=0.25)
    generator = seeded(0)
    white = np.full((8, 8, 3), 255, np.uint8)
    count = sum(augment(white, 8, settings, generator).min().item() == GREY for _ in range(400))
    assert 70 <= count <= 130


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2), (240, 320)])
def test_result_is_contiguous_uint8_of_the_size_asked(shape: tuple[int, int]) -> None:
    for seed in range(10):
        result = augment(noise(*shape), 24, Augmentation(crop=0.05, aspect=3.0, erase=1.0), seeded(seed))
        assert result.shape == (3, 24, 24)
        assert result.dtype == torch.uint8
        assert result.is_contiguous()


def test_a_size_of_its_own_changes_the_result_s_side_and_nothing_else() -> None:
    small = Augmentation(size=24)
    assert torch.equal(augment(noise(), 32, small, seeded(3)), augment(noise(), 24, Augmentation(), seeded(3)))


def test_the_picture_itself_is_left_alone() -> None:
    picture = noise(24, 24)
    for seed in range(5):
        augment(picture, 24, Augmentation(crop=1.0, erase=1.0), seeded(seed))
    assert np.array_equal(picture, noise(24, 24))


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("crop", 0.0, "crop must lie above 0 and up to 1, is 0.0: set it to 0.5"),
        ("crop", 1.5, "crop must lie above 0 and up to 1, is 1.5: set it to 0.5"),
        ("aspect", 0.5, "aspect must be 1 or more, is 0.5: set it to 1.33"),
        ("aspect", float("nan"), "aspect must be 1 or more, is nan: set it to 1.33"),
        ("colour", -0.1, "colour must lie in 0..1, is -0.1: set it to 0.2"),
        ("erase", 2.0, "erase must lie in 0..1, is 2.0: set it to 0"),
        ("size", 0, "size must be 1 or more, is 0: leave it out"),
    ],
)
def test_bad_settings(name: str, value: float, rule: str) -> None:
    with pytest.raises(SemregError) as caught:
        Augmentation(**{name: value})
    assert str(caught.value) == rule
