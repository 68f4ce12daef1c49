"""When the CNN has learnt, the model remembers its training pictures, and how much their say counts is chosen."""

from __future__ import annotations

import torch

from semreg.model.cnn_rnn import CnnRnn
from semreg.training.recipe import Recipe, VisionSettings
from semreg.training.setting import Setting, encode
from semreg.training.validation import validate_concepts

SHARES = (0.25, 0.5, 0.75, 1.0, 1.5)


def is_time(recipe: Recipe, stage: int) -> bool:
    """Whether the CNN stays as it is from this stage on."""
    return not any(isinstance(later, VisionSettings) for later in recipe.stages[stage:])


@torch.no_grad()
def meet_neighbours(model: CnnRnn, setting: Setting) -> None:
    """Let the concept layer remember the training pictures, in place; does nothing where the recipe has no neighbours.

    How much the neighbours' say counts is chosen on the validation pictures: the training pictures themselves the layer
    knows by heart, and needs no neighbours for.
    """
    wanted, neighbours = setting.recipe.neighbours, model.neighbours
    if wanted is None or neighbours is None or bool(neighbours.packed.any()):
        return
    seen = encode(model, setting.train, setting, "the training pictures", False, keep=True)
    neighbours.remember(seen.features, setting.train.truth.to(setting.device), wanted.whiten)
    seen = encode(model, setting.validation, setting, "the validation pictures", keep=True)

    def metric(share: float) -> float:
        neighbours.share.fill_(share)
        return validate_concepts(model.recognise(seen.features), setting.validation)[0]

    found = {share: metric(share) for share in ((0.0, *SHARES) if wanted.share is None else (wanted.share,))}
    best = max(found, key=lambda share: found[share])
    neighbours.share.fill_(best)
    alone = found.get(0.0)
    setting.log.event("neighbours", pictures=len(setting.train), share=best, metric=found[best], alone=alone)
    before = "" if alone is None else f", {alone:.4f} without them"
    setting.log.say(f"{len(setting.train)} neighbours with a share of {best:g}: concept mAP {found[best]:.4f}{before}")
