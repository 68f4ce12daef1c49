"""Pictures of nothing: noise, patterns, pages, charts, and pieces of photographs too small to show a thing.

A model that has only seen photographs of things finds things everywhere: a coin becomes a clock, a page of text a
person. Pictures that show none of its concepts are cheap to make, and teach it what nothing looks like (outlier
exposure: Hendrycks, Mazeika and Dietterich, ICLR 2019, arXiv:1812.04606).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from semreg.data.images import Pixels, read_picture

SIDE = 224  # in pixels; they are resized from there like any other picture
TEXT = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they which "
    "one you were all her she there would their we him been has when who will no more if out so"
)
PIECES = 0.3  # share that are pieces of photographs
PIECE = (16, 40)  # pixels across: what is left of a photograph that shows nothing any more

Chance = np.random.Generator
Colour = tuple[int, int, int]


def strangers(count: int, photographs: Sequence[Path], seed: int) -> list[Pixels]:
    """Make pictures of nothing, the same ones for the same seed.

    Args:
        count: how many.
        photographs: to take pieces of.
        seed: decides all of them.

    Returns:
        uint8 (H, W, 3) each, as `read_picture` gives photographs.
    """
    found = []
    for number in range(count):
        chance = np.random.default_rng([seed, number])
        if photographs and chance.random() < PIECES:
            made = _piece(chance, photographs[int(chance.integers(len(photographs)))])
        else:
            made = KINDS[number % len(KINDS)](chance)
        found.append(np.asarray(made))
    return found


def _cloud(chance: Chance) -> Image.Image:
    """Noise of all scales, in colour or in two tones."""
    channels, fall, total = (1 if chance.random() < 0.4 else 3), chance.uniform(0.4, 0.9), np.zeros((SIDE, SIDE, 3))
    for octave in range(1, 8):
        grid = (255 * chance.random((2**octave, 2**octave, channels))).astype(np.uint8)
        layers = [Image.fromarray(grid[..., c]).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for c in range(channels)]
        total += fall**octave * np.stack([np.asarray(layer) for layer in layers], axis=-1)
    total = (total - total.min()) / (np.ptp(total) + 1e-6)
    if chance.random() < 0.5:
        dark, light = chance.random((2, 3))
        total = dark + (light - dark) * total.mean(-1, keepdims=True)
    if chance.random() < 0.3:
        total = (total * 6).round() / 6
    return _picture(255 * total)


def _noise(chance: Chance) -> Image.Image:
    """Grain, sharp or blurred."""
    grain = chance.normal(chance.uniform(60, 200), chance.uniform(5, 80), (SIDE, SIDE, int(chance.choice([1, 3]))))
    picture = _picture(np.broadcast_to(grain, (SIDE, SIDE, 3)))
    return picture.filter(ImageFilter.GaussianBlur(chance.uniform(0, 4))) if chance.random() < 0.7 else picture


def _pattern(chance: Chance) -> Image.Image:
    """Stripes, chequers, slanted lines or bricks."""
    first, second, *_ = _colours(chance)
    picture = Image.new("RGB", (SIDE, SIDE), first)
    draw, width, kind = ImageDraw.Draw(picture), int(chance.integers(8, 64)), int(chance.integers(4))
    for row, x in enumerate(range(-SIDE, 2 * SIDE, width)):
        if kind == 0:
            draw.rectangle([x, 0, x + width // 2, SIDE], fill=second)
        elif kind == 1:
            for y in range(-width * (row % 2), SIDE, 2 * width):
                draw.rectangle([x, y, x + width, y + width], fill=second)
        elif kind == 2:
            draw.line([x, 0, x + SIDE, SIDE], fill=second, width=max(1, width // 3))
        else:
            for left in range(-width // 2 * (row % 2), SIDE, width):
                draw.rectangle([left, x // 2, left + width - 4, x // 2 + width // 2 - 4], fill=second)
    return _turned(picture, chance, 20, first).filter(ImageFilter.GaussianBlur(chance.uniform(0, 1.5)))


def _shapes(chance: Chance) -> Image.Image:
    """Discs, rings and boxes, on a plain ground or on a cloud."""
    colours = _colours(chance)
    picture = _cloud(chance) if chance.random() < 0.4 else Image.new("RGB", (SIDE, SIDE), colours[0])
    draw = ImageDraw.Draw(picture)
    for _ in range(int(chance.integers(1, 40))):
        x, y, half = (int(value) for value in (*chance.integers(0, SIDE, 2), chance.integers(4, 60)))
        shape = draw.ellipse if chance.random() < 0.8 else draw.rectangle
        shape([x - half, y - half, x + half, y + half], fill=colours[int(chance.integers(1, 4))], outline=colours[1])
        if chance.random() < 0.5:
            draw.ellipse([x - half // 2, y - half // 2, x + half // 2, y + half // 2], fill=colours[2])
    return picture.filter(ImageFilter.GaussianBlur(chance.uniform(0, 2)))


def _page(chance: Chance) -> Image.Image:
    """Lines of text, dark on light or light on dark."""
    paper, ink = int(chance.integers(200, 256)), int(chance.integers(0, 80))
    if chance.random() < 0.2:
        paper, ink = ink, paper
    ground: Colour = (paper, paper, int(paper * chance.uniform(0.85, 1)))
    picture, size, y = Image.new("RGB", (SIDE, SIDE), ground), int(chance.integers(8, 40)), int(chance.integers(0, 20))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    while y < SIDE:
        words = " ".join(chance.choice(TEXT.split(), int(chance.integers(2, 12))))
        draw.text((int(chance.integers(2, 20)), y), words, fill=(ink, ink, ink), font=font)
        y += int(size * chance.uniform(1.1, 1.6))
    return _turned(picture, chance, 6, ground)


def _chart(chance: Chance) -> Image.Image:
    """Bars, or a few curves, on two axes."""
    colours, picture, edge = _colours(chance), Image.new("RGB", (SIDE, SIDE), "white"), 20
    draw, count, inside = ImageDraw.Draw(picture), int(chance.integers(3, 20)), SIDE - 2 * edge
    draw.line([edge, edge, edge, SIDE - edge, SIDE - edge, SIDE - edge], fill="black", width=2)
    if chance.random() < 0.5:
        wide = inside / count
        for bar, high in enumerate(chance.uniform(5, inside, count)):
            place = [edge + bar * wide + 2, SIDE - edge - high, edge + (bar + 1) * wide - 2, SIDE - edge]
            draw.rectangle(place, fill=colours[bar % 4])
    else:
        for colour in colours[: int(chance.integers(1, 4))]:
            heights = SIDE - edge - np.abs(np.cumsum(chance.normal(0, 20, count))).clip(0, inside)
            points = [(edge + x * inside / (count - 1), float(height)) for x, height in enumerate(heights)]
            draw.line(points, fill=colour, width=3)
    return picture


def _piece(chance: Chance, path: Path) -> Image.Image:
    """A few pixels of a photograph, enlarged."""
    photograph = Image.fromarray(read_picture(path))
    side = min(int(chance.integers(*PIECE)), *photograph.size)
    left, top = (int(chance.integers(0, length - side + 1)) for length in photograph.size)
    piece = photograph.crop((left, top, left + side, top + side))
    return piece.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _colours(chance: Chance) -> list[Colour]:
    """Four colours."""
    return [(int(red), int(green), int(blue)) for red, green, blue in chance.integers(0, 256, (4, 3))]


def _turned(picture: Image.Image, chance: Chance, most: float, ground: Colour) -> Image.Image:
    return picture.rotate(float(chance.uniform(-most, most)), fillcolor=ground)


def _picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


KINDS: tuple[Callable[[Chance], Image.Image], ...] = (_cloud, _noise, _pattern, _shapes, _page, _chart)
