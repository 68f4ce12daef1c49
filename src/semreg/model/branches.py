"""Several networks in one: they share the lower half of an EfficientNet-Lite, and each has an upper half of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from semreg.model.efficientnet_lite import HEAD_CHANNELS, ConvNorm, EfficientNetLite

SHARED = 4  # parts of nine: stem and three stages, half of the time and a twentieth of the weights


class BranchedTrunk(nn.Module):
    """Networks that were taught apart and are asked together; what they err in by chance cancels out.

    Their lower half sees edges and textures, and stays ImageNet's in any case where pictures are few; so it is run once
    (Lee et al. 2015, arXiv:1511.06314). The features are those of all branches, one after another.

    Args:
        trunk: what each of the networks starts as.
        branches: how many.
    """

    def __init__(self, trunk: EfficientNetLite, branches: int) -> None:
        super().__init__()
        self.image_size, self.feature_size = trunk.image_size, branches * HEAD_CHANNELS
        self.register_buffer("mean", trunk.mean.clone(), persistent=False)
        self.register_buffer("deviation", trunk.deviation.clone(), persistent=False)
        self.shared = nn.ModuleList(trunk.parts()[:SHARED])
        self.branches = nn.ModuleList(
            nn.ModuleList(copy.deepcopy(part) for part in trunk.parts()[SHARED:]) for _ in range(branches)
        )
        self.only: int | None = None

    mean: Tensor
    deviation: Tensor

    def parts(self) -> list[nn.Module]:
        """The trunk from input to output in nine parts, for freezing the first few; the upper ones of all branches."""
        uppers = [list(branch) for branch in self._branches()]
        return [*self.shared, *(nn.ModuleList(parts) for parts in zip(*uppers, strict=True))]

    def fold(self) -> BranchedTrunk:
        """Fold every batch normalisation into its convolution, in place; the output stays the same to rounding."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self

    def lower(self, pictures: Tensor, parts: int) -> Tensor:
        """Map pictures (B, 3, S, S), 0..255 in RGB, to the grid behind the first `parts` parts.

        (B, C, h, w); beyond what they share, the channels of all branches.
        """
        x = (pictures.to(next(self.parameters()).dtype) - self.mean) / self.deviation
        x = x.contiguous(memory_format=torch.channels_last)
        for part in self.shared[:parts]:
            x = part(x)
        if parts <= SHARED:
            return x
        return torch.cat([_through(branch[: parts - SHARED], x) for branch in self._branches()], 1)

    def upper(self, grid: Tensor, parts: int) -> Tensor:
        """Map the output of `lower` to features phi(I) (B, D) by the other parts; 0 for branches that are not asked."""
        for part in self.shared[parts:]:
            grid = part(grid)
        count = len(self.branches)
        grids = grid.chunk(count, 1) if parts > SHARED else [grid] * count
        rest = max(0, parts - SHARED)
        asked = [
            _through(branch[rest:], own).mean(dim=(2, 3)) if self.only in (None, number) else None
            for number, (branch, own) in enumerate(zip(self._branches(), grids, strict=True))
        ]
        nothing = grid.new_zeros(len(grid), HEAD_CHANNELS)
        return torch.cat([nothing if features is None else features for features in asked], 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (B, 3, S, S), 0..255 in RGB, to features phi(I) (B, D)."""
        return self.upper(self.lower(pictures, 0), 0)

    @contextmanager
    def alone(self, branch: int) -> Iterator[None]:
        """For a while this branch alone learns, and is asked."""
        others = [
            weight
            for number, parts in enumerate(self.branches)
            if number != branch
            for weight in parts.parameters()
            if weight.requires_grad
        ]
        for weight in others:
            weight.requires_grad_(False)
        self.only = branch
        try:
            yield
        finally:
            self.only = None
            for weight in others:
                weight.requires_grad_(True)

    def _branches(self) -> list[nn.ModuleList]:
        return [branch for branch in self.branches if isinstance(branch, nn.ModuleList)]


def _through(parts: nn.ModuleList, x: Tensor) -> Tensor:
    for part in parts:
        x = part(x)
    return x
