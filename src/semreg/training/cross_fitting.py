"""Cross-fitting: concepts of training pictures as CNNs predict them that have not learnt from these pictures.

A CNN is far surer of the pictures that it has learnt from than it will be of any other, and a decoder that is taught
with such concepts relies on them too much. So the CNN is trained several times more, each time without one fold of the
pictures, and what it then sees in that fold is what the decoders learn from (stacking: Wolpert 1992; cross-fitting).
Only named concepts allow it: the hidden features of two CNNs have nothing in common.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.model.cnn_rnn import CnnRnn
from semreg.training.examples import Examples
from semreg.training.recipe import Recipe
from semreg.training.recipe_stages import VisionSettings
from semreg.training.setting import Setting, encode

HELD_OUT = "held-out.safetensors"


def fold_folder(folder: Path, number: int) -> Path:
    """Where the run that leaves out fold `number` (from 1) of a run is."""
    return folder / f"fold-{number}"


def fold_recipe(recipe: Recipe, number: int) -> Recipe:
    """The recipe of the run that leaves out fold `number`: the stages that teach the CNN before any decoder."""
    count = next(i for i, stage in enumerate(recipe.stages) if not isinstance(stage, VisionSettings))
    data = recipe.data.model_copy(update={"leave_out": number, "test": None})
    return recipe.model_copy(update={"data": data, "stages": recipe.stages[:count], "neighbours": None, "beside": None})


def fold_of(count: int, recipe: Recipe, number: int) -> list[int]:
    """Which of `count` training pictures are in fold `number`, in order."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(recipe.data.seed))
    return sorted(order[number - 1 :: recipe.data.folds].tolist())


def without_fold(train: Examples, recipe: Recipe) -> Examples:
    """The training pictures that a run learns from which leaves one fold out."""
    left_out = set(fold_of(len(train), recipe, recipe.data.leave_out))
    return train.part([row for row in range(len(train)) if row not in left_out])


def save_held_out(model: CnnRnn, train: Examples, setting: Setting, folder: Path, seconds: float) -> None:
    """Write what the CNN sees in the fold that it has not learnt from: in the pictures, and in their mirror images.

    Args:
        model: trained without the fold.
        train: all training pictures.
        setting: of the run.
        folder: of the run.
        seconds: that it took.
    """
    recipe = setting.recipe
    fold = train.part(fold_of(len(train), recipe, recipe.data.leave_out))
    views = {}
    for name, mirror in (("plain", False), ("mirrored", True)):
        seen = encode(model, fold, setting, f"pictures it has not learnt from, {name}", mirror, together=False)
        views[name] = seen.logits.float().cpu().contiguous()
    with atomic_write(folder / HELD_OUT, binary=True) as file:
        file.write(save(views, {"seconds": str(seconds)}))


def read_held_out(train: Examples, recipe: Recipe, folder: Path) -> tuple[tuple[Tensor, Tensor], float]:
    """Logits of the concepts in all training pictures, and in their mirror images: (N, K) each.

    Args:
        train: the training pictures.
        recipe: of the whole run.
        folder: of the whole run, whose folds are finished.

    Returns:
        The logits, and the seconds that the folds took.

    Raises:
        SemregError: the data has changed since.
    """
    views = torch.empty(2, *train.truth.shape)
    seconds = 0.0
    for number in range(1, recipe.data.folds + 1):
        rows = fold_of(len(train), recipe, number)
        path = fold_folder(folder, number) / HELD_OUT
        with safe_open(path, framework="pt") as file:
            parts = torch.stack([file.get_tensor("plain"), file.get_tensor("mirrored")])
            seconds += float(file.metadata()["seconds"])
        if parts.shape != (2, len(rows), train.truth.shape[1]):
            raise SemregError(f"the data has changed since {str(path.parent)!r} was finished: start anew")
        views[:, rows] = parts
    return (views[0], views[1]), seconds
