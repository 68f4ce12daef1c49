"""How far an engine is from torch in single precision, in numbers, on pictures that need no file."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional as F

from semreg.data.vocabulary import START
from semreg.runtime.engine import Engine

PICTURES, STEPS = 8, 6
# Largest differences of a faithful engine: rounding in single precision, and in bfloat16 (eight bits) what a picture
# resized a little otherwise changes too. An int8 engine is judged by its annotations instead: see semreg.exporting.
TOLERANCE = {"fp32": (1e-3, 1e-2), "compile": (1e-3, 1e-2), "bf16": (0.1, 0.5)}


@dataclass(frozen=True)
class Parity:
    """Differences from torch in single precision.

    Attributes:
        concepts: of any concept's probability, the largest.
        concepts_mean: the mean of these.
        words: of any likely token's log-probability along a path, the largest, for the same concepts.
    """

    concepts: float
    concepts_mean: float
    words: float

    def within(self, precision: str) -> bool:
        """Whether that is what the precision alone explains."""
        concepts, words = TOLERANCE.get(precision, (0.0, 0.0))
        return self.concepts <= concepts and self.words <= words

    def json(self) -> dict[str, float]:
        """For a manifest."""
        return {name: float(f"{value:.3g}") for name, value in asdict(self).items()}


def check_pictures(size: int, count: int = PICTURES) -> Tensor:
    """Coloured shades with some grain, the same every time: uint8 (count, 3, size, size)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    shades = F.interpolate(coarse, (size, size), mode="bicubic", align_corners=False)
    grain = 0.05 * torch.randn(count, 3, size, size, generator=generator)
    return ((shades + grain).clamp(0, 1) * 255).round().to(torch.uint8)


@torch.inference_mode()
def parity(engine: Engine, reference: Engine, forms: tuple[str, ...], pictures: Tensor) -> Parity:
    """Compare two engines on `pictures`, uint8 (B, 3, S, S)."""
    seen, expected = engine.encode(pictures.to(engine.device)), reference.encode(pictures.to(reference.device))
    concepts = (seen.concepts.cpu() - expected.concepts.cpu()).abs()
    words = 0.0
    for form in forms:
        # Both read the path that the reference would write, from the same concepts: so the CNN's error is left out.
        generator, other = engine.generator(form), reference.generator(form)
        state, token, path = other.begin(expected), torch.full((len(pictures),), START), []
        for _ in range(STEPS):
            path.append(token)
            logits, state = other.step(token.to(reference.device), state)
            token = logits.argmax(1).cpu()
        tokens = torch.stack(path, 1)
        told = generator(type(expected)(*(value.to(engine.device) for value in vars(expected).values())), tokens)
        truth = other(expected, tokens.to(reference.device)).log_softmax(-1).cpu()
        difference = (told.log_softmax(-1).cpu() - truth).abs()
        words = max(words, difference[truth > -5].max().item())
    return Parity(concepts.max().item(), concepts.mean().item(), words)


def pictures_a_second(engine: Engine, pictures: Tensor, rounds: int = 3) -> float:
    """How many pictures a second the engine looks at; a short look, for choosing."""
    pictures = pictures.to(engine.device)
    engine.encode(pictures)
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        engine.encode(pictures).concepts.cpu()  # waits for a GPU
        seconds.append(time.perf_counter() - began)
    return len(pictures) / median(seconds)
