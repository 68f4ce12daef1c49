"""What a model keeps of the pictures that it learnt from: the features of some, so that it need not forget them."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.model.stored import Bits, stored, unstored
from semreg.model_folder import REPLAY

COUNT = 1000  # 2.6 MB for features of 1280; a picture cannot be made of them


def save_replay(features: Tensor, folder: Path, bits: Bits) -> None:
    """Write features (R, D) beside a model, in as many bits as its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / REPLAY, binary=True) as file:
        file.write(save(stored({"features": features}, bits)))


def read_replay(folder: Path) -> Tensor:
    """The features beside a model, (R, D), in single precision.

    Raises:
        SemregError: it has none, or they cannot be read.
    """
    try:
        return unstored(load_file(folder / REPLAY))["features"].float()
    except FileNotFoundError:
        raise SemregError(
            f"the model {str(folder)!r} keeps no features of old pictures ({REPLAY}), without which it would forget: "
            "train it anew with this version"
        ) from None
    except Exception as error:  # safetensors raises its own kinds, none of them documented
        raise SemregError(f"{folder / REPLAY} cannot be read ({error}): fetch the model again") from None


def kept_pictures(count: int, seed: int) -> list[int]:
    """Which of `count` training pictures are kept."""
    chosen = torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:COUNT]
    return sorted(chosen.tolist())
