"""Weights as a model folder stores them: 32 or 16 bits each, or 8 with a scale for every row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

Bits = Literal[8, 16, 32]
SCALE = ".scale"  # ends the name of a matrix's scales
LEVELS = 127  # int8 without its lowest value, so that a weight and its negative are stored alike
SMALL = 4096  # numbers: rounding a smaller matrix to 8 bits saves nothing that counts


def stored(weights: Mapping[str, Tensor], bits: Bits) -> dict[str, Tensor]:
    """Round weights to what is stored of them.

    Args:
        weights: by name; what is no floating-point number stays as it is.
        bits: 32 changes nothing, 16 rounds to half precision. 8 rounds each row of a large matrix (each output channel
            of a convolution) to multiples of a 127th of its largest magnitude, and everything else to half precision.

    Returns:
        On the CPU; in 8 bits a matrix W is an int8 tensor, beside it its scales (rows,) under the name W.scale.
    """
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        value = value.detach().cpu()
        if not value.is_floating_point() or bits == 32:
            found[name] = value.contiguous()
        elif bits == 16 or value.dim() < 2 or value.numel() < SMALL:
            found[name] = value.half().contiguous()
        else:
            rows = value.float().flatten(1)
            scale = rows.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny) / LEVELS
            levels = (rows / scale[:, None]).round().clamp(-LEVELS, LEVELS)
            found[name], found[name + SCALE] = levels.to(torch.int8).view(value.shape), scale
    return found


def unstored(saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that `stored` has rounded, by their own names; those in 8 bits as single precision."""
    matrices = {name for name, value in saved.items() if value.dtype == torch.int8 and name + SCALE in saved}
    scales = {name + SCALE for name in matrices}
    return {
        name: _scaled(value, saved[name + SCALE]) if name in matrices else value
        for name, value in saved.items()
        if name not in scales
    }


def round_weights(module: nn.Module, bits: Bits) -> None:
    """Give a module the weights that would be read back if it were stored, in place."""
    module.load_state_dict(unstored(stored(module.state_dict(), bits)))


def _scaled(levels: Tensor, scale: Tensor) -> Tensor:
    return (levels.float().flatten(1) * scale[:, None]).view(levels.shape)
