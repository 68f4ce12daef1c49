"""What every stage of a run works with, and what the CNN sees in the pictures of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from semreg.data.augmentation import Augmentation
from semreg.data.concepts import Concepts
from semreg.data.images import Preprocessing
from semreg.data.vocabulary import SPECIAL
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.interfaces import Encoding
from semreg.model.orders import Arrange, arrangement
from semreg.training.examples import Examples
from semreg.training.features import look
from semreg.training.log import RunLog
from semreg.training.recipe import Recipe

ASKED = 500  # pictures whose neighbours are asked at a time: each is compared with all that the model remembers


@dataclass(frozen=True)
class Setting:
    """What every stage works with.

    Attributes:
        recipe: the run's settings.
        train: pictures to learn from.
        validation: pictures that choose epochs.
        max_lengths: tokens in a sequence at most, by form.
        words: the vocabularies, by form.
        concepts: the concept vocabulary.
        log: for progress.
        device: where the model is.
        held_out: logits (N, K) of the concepts in the training pictures and in their mirror images, by CNNs that have
            not learnt from them; empty without cross-fitting.
        seen: features that the finished CNN has given, so that no stage has to look again.
    """

    recipe: Recipe
    train: Examples
    validation: Examples
    max_lengths: Mapping[str, int]
    words: Mapping[str, Sequence[str]]
    concepts: Concepts
    log: RunLog
    device: torch.device
    held_out: tuple[Tensor, ...] = ()
    seen: dict[str, Tensor] = field(default_factory=dict)

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures become the model's input."""
        return self.recipe.preprocessing.build()

    @property
    def arrange(self) -> dict[str, Arrange]:
        """How label paths are arranged at every update, where the recipe leaves their order to chance or the model."""
        arrange = arrangement(self.recipe.tags.order, len(SPECIAL))
        return {} if arrange is None else {"tags": arrange}


@torch.no_grad()
def encode(
    model: CnnRnn,
    examples: Examples,
    setting: Setting,
    what: str,
    mirror: bool | None = None,
    *,
    keep: bool = False,
    augmented: tuple[Augmentation, int] | None = None,
    together: bool = True,
) -> Encoding:
    """What the model sees in all pictures of a split, (N, ...), as it stands.

    Args:
        model: set to evaluation mode.
        examples: the split.
        setting: says how pictures are prepared.
        what: they are, for people.
        mirror: the pictures themselves (False), their mirror images (True), or as the model is used (None): the
            average of both where the recipe's preprocessing says so.
        keep: look into the run's memory and the recipe's cache, and put there what is new: worth while where the CNN no
            longer changes.
        augmented: look at an augmented view instead of the pictures as they are: the augmentation, and which view.
        together: all processes of the run call this, and share the work; False where the main one does it alone.
    """
    data, average = setting.recipe.data, setting.recipe.preprocessing.mirror and mirror is None
    options: dict[str, Any] = {"workers": data.workers, "cache": data.cache if keep else None, "together": together}
    if keep and augmented is None:
        options["memory"] = setting.seen
    if augmented is not None:
        options |= {"augmentation": augmented[0], "view": augmented[1], "seed": setting.recipe.seed}

    def seen(mirrored: bool) -> Tensor:
        return look(model, examples.paths, setting.preprocessing, setting.log, what, mirror=mirrored, **options)

    features = (seen(False) + seen(True)) / 2 if average else seen(bool(mirror))
    if model.neighbours is None:
        return model.recognise(features)
    place = {path: number for number, path in enumerate(setting.train.paths)}
    own = torch.tensor([place.get(path, -1) for path in examples.paths], device=features.device)
    parts = zip(torch.split(features, ASKED), torch.split(own, ASKED), strict=True)
    return Encoding.join([model.recognise(*part) for part in parts])
