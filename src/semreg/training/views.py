"""A few augmented views of every training picture, as they leave the fixed part of the trunk: computed once, then read.

Where the first parts of the trunk do not learn, running them again in every epoch is most of the work. With N views an
epoch sees view (epoch mod N); the augmentation repeats after N epochs, and each view costs one pass.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semreg.data.augmentation import Augmentation
from semreg.data.images import Preprocessing
from semreg.data.loader import picture_batches
from semreg.model.cnn_rnn import CnnRnn, Halfway
from semreg.training.features import BATCH, fingerprint
from semreg.training.log import RunLog


class Views:
    """The views of N pictures.

    Args:
        model: its trunk's first parts are as they will stay.
        parts: how many parts are fixed.
        count: of the views.
        paths: the pictures.
        preprocessing: how they become the model's input.
        augmentation: what happens to them.
        seed: of the augmentation.
        log: for the progress bar.
        workers: processes that decode.
        cache: a folder for files that are mapped into memory and serve other runs too; None keeps views in memory.
    """

    def __init__(
        self,
        model: CnnRnn,
        parts: int,
        count: int,
        paths: Sequence[Path],
        preprocessing: Preprocessing,
        augmentation: Augmentation,
        *,
        seed: int,
        log: RunLog,
        workers: int = 0,
        cache: Path | None = None,
    ) -> None:
        self.model, self.parts, self.count, self.paths = model, parts, count, paths
        self.preprocessing, self.augmentation, self.seed = preprocessing, augmentation, seed
        self.log, self.workers, self.cache = log, workers, cache
        self._views: dict[int, Tensor] = {}

    def batch(self, epoch: int, indices: Sequence[int]) -> Halfway:
        """Some pictures as this epoch sees them, in half precision on the CPU."""
        number = epoch % self.count
        if number not in self._views:
            self._views[number] = self._look(number) if self.cache is None else self._kept(number, self.cache)
        return Halfway(self._views[number][list(indices)], self.parts)

    @torch.no_grad()
    def _look(self, number: int) -> Tensor:
        """One pass over the pictures: (N, C, h, w), half precision."""
        device = next(self.model.parameters()).device
        trunk = self.model.trunk
        was_training = trunk.training
        trunk.eval()
        every = range(len(self.paths))
        keys = [[(number, index) for index in every[first : first + BATCH]] for first in every[::BATCH]]
        batches = picture_batches(
            self.paths,
            keys,
            self.preprocessing,
            augmentation=self.augmentation,
            seed=self.seed,
            workers=self.workers,
        )
        view: Tensor | None = None
        done = 0
        for pictures in batches:
            grid = trunk.lower(pictures.to(device), self.parts)
            if self.parts == len(trunk.parts()):
                grid = grid.mean(dim=(2, 3), keepdim=True)  # nothing else follows, and it is that much smaller
            grid = grid.half().cpu()
            if view is None:
                view = torch.empty(len(self.paths), *grid.shape[1:], dtype=torch.half)
            view[done : done + len(grid)] = grid
            done += len(grid)
        trunk.train(was_training)
        assert view is not None
        return view

    def _kept(self, number: int, folder: Path) -> Tensor:
        """A view from its file, mapped into memory; written first where it is not there."""
        facts = (self.preprocessing, self.augmentation, self.seed, self.parts, number)
        name = fingerprint(self.model.trunk.parts()[: self.parts], self.paths, *facts)
        path = folder / f"view-{name}.npy"
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            try:
                with temporary.open("wb") as file:
                    np.save(file, self._look(number).numpy())
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        return torch.from_numpy(np.load(path, mmap_mode="c"))  # copied where written to, which nobody does
