"""What a model remembers of its training pictures: concepts that vote on concepts, captions that judge captions."""

from __future__ import annotations

import torch
from torch import Tensor

from semreg.data.strangers import as_batch, strangers
from semreg.data.vocabulary import PADDING, START, STOP
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_folder import ModelConfig, build_consensus, build_neighbours
from semreg.training.recipe import Recipe, VisionSettings
from semreg.training.setting import Setting, encode
from semreg.training.validation import validate_concepts

BATCH = 50  # strangers that are looked at together
SHARES = (0.25, 0.5, 0.75, 1.0, 1.5)


def cnn_has_learnt(recipe: Recipe, stage: int) -> bool:
    """Whether the CNN stays as it is from this stage on."""
    return not any(isinstance(later, VisionSettings) for later in recipe.stages[stage:])


@torch.no_grad()
def meet_neighbours(model: CnnRnn, config: ModelConfig, setting: Setting) -> None:
    """Let the concept layer remember the training pictures, in place; does nothing where it has none, or has met them.

    How much the neighbours' say counts is chosen on the validation pictures: the training pictures themselves the layer
    knows by heart, and needs no neighbours for.
    """
    wanted = setting.recipe.neighbours
    if wanted is None or model.neighbours is not None:
        return
    seen = encode(model, setting.train, setting, "the training pictures", keep=True)
    neighbours = build_neighbours(config, seen.features.shape[1])
    assert neighbours is not None
    nothing = _strangers(model, setting, wanted.strangers)
    neighbours.to(setting.device).remember(
        seen.features, setting.train.truth.to(setting.device), wanted.whiten, nothing
    )
    seen = encode(model, setting.validation, setting, "the validation pictures", keep=True)
    model.neighbours = neighbours

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


def _strangers(model: CnnRnn, setting: Setting, count: int) -> Tensor:
    """What the CNN sees in pictures of nothing, (M, D)."""
    recipe, found = setting.recipe, []
    for first in range(0, count, BATCH):
        made = strangers(min(BATCH, count - first), setting.train.paths, recipe.seed + first)
        pictures = as_batch(made, recipe.preprocessing.size).to(setting.device)
        found.append(model.look(pictures, recipe.preprocessing.mirror).float())
    return torch.cat(found) if found else model.semantic.weight.new_zeros(0, model.semantic.in_features)


@torch.no_grad()
def remember_captions(model: CnnRnn, config: ModelConfig, setting: Setting) -> None:
    """Let the model remember the training pictures' captions, in place; does nothing where the recipe wants none."""
    consensus = build_consensus(config)
    if consensus is None:
        return
    model.consensus = consensus.to(setting.device)
    seen = encode(model, setting.train, setting, "the training pictures", keep=True)
    captions = torch.full_like(consensus.captions, PADDING)
    for row, paths in enumerate(setting.train.tokens["caption"]):
        for number, path in enumerate(paths[: captions.shape[1]]):
            words = [token for token in path if token not in (START, STOP)][: captions.shape[2]]
            captions[row, number, : len(words)] = torch.tensor(words, dtype=captions.dtype)
    consensus.remember(seen.concepts, captions)
