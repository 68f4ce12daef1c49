"""What a model remembers of its training pictures: concepts that vote on concepts, captions that judge captions."""

from __future__ import annotations

import torch
from torch import Tensor

from semreg.data.images import prepare
from semreg.data.strangers import strangers
from semreg.data.vocabulary import NEVER_PRODUCED, PADDING, START, STOP
from semreg.decoding import beam_search, search_for
from semreg.evaluation import CiderD, tokenize
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.interfaces import Encoding
from semreg.model_config import ConsensusConfig, ModelConfig
from semreg.model_folder import build_consensus, build_neighbours
from semreg.steering import grounding_of
from semreg.training.examples import Examples
from semreg.training.recipe import Recipe
from semreg.training.recipe_stages import VisionSettings
from semreg.training.setting import Setting, encode
from semreg.training.validation import BATCH, slice_encoding, validate_concepts

TOGETHER = 50  # strangers that are looked at
SHARES = (0.25, 0.5, 0.75, 1.0, 1.5)
WEIGHTS = (0.0, 1.0, 3.0, 6.0, 10.0)


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
    neighbours.to(setting.device).remember(seen.features, setting.train.truth.to(setting.device), wanted.whiten)
    nothing = _strangers(model, setting, wanted.strangers)
    neighbours.add(nothing, nothing.new_zeros(len(nothing), neighbours.concepts))
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


@torch.no_grad()
def remember_held_out(model: CnnRnn, config: ModelConfig, setting: Setting) -> ModelConfig:
    """Let the validation pictures, which have chosen all there is to choose, join the neighbours, in place.

    Returns:
        The configuration with as many more pictures; as it was where the recipe does not want it.
    """
    wanted, neighbours, asked = setting.recipe.neighbours, model.neighbours, config.neighbours
    if wanted is None or not wanted.refit or neighbours is None or asked is None:
        return config
    seen = encode(model, setting.validation, setting, "the validation pictures", keep=True)
    neighbours.add(seen.features, setting.validation.truth.to(setting.device))
    setting.log.say(f"{len(setting.validation)} validation pictures join the neighbours")
    pictures = asked.pictures + len(setting.validation)
    return config.model_copy(update={"neighbours": asked.model_copy(update={"pictures": pictures})})


def _strangers(model: CnnRnn, setting: Setting, count: int) -> Tensor:
    """What the CNN sees in pictures of nothing, (M, D)."""
    recipe, found = setting.recipe, []
    for first in range(0, count, TOGETHER):
        made = strangers(min(TOGETHER, count - first), setting.train.paths, recipe.seed + first)
        pictures = torch.stack([prepare(picture, setting.preprocessing) for picture in made])
        found.append(model.look(pictures.to(setting.device), recipe.preprocessing.mirror).float())
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


@torch.no_grad()
def choose_weight(model: CnnRnn, config: ModelConfig, seen: Encoding, setting: Setting) -> ConsensusConfig | None:
    """How much the captions of others count beside the decoder's own probability.

    Args:
        model: with its final weights.
        config: of the model; says how wide the search is.
        seen: the validation pictures' encodings.
        setting: of the run.

    Returns:
        With the weight, of those tried, whose captions have the highest CIDEr-D on the validation pictures, or the one
        that the recipe gives; None for a model without consensus.
    """
    wanted, consensus = setting.recipe.consensus, model.consensus
    if wanted is None or config.consensus is None or consensus is None:
        return None
    if wanted.weight is not None:
        return config.consensus.model_copy(update={"weight": wanted.weight})
    found = dict.fromkeys(WEIGHTS, 0.0)
    examples: Examples = setting.validation
    rows = [row for row, captions in enumerate(examples.captions) if captions]
    judge = CiderD([[tokenize(text) for text in examples.captions[row]] for row in rows])
    place = {row: number for number, row in enumerate(rows)}
    search = search_for(
        "caption",
        max_length=config.decoders["caption"].max_length,
        never=NEVER_PRODUCED,
        beams=config.candidates or config.beams,
        n_best=config.candidates or config.beams,
        once=config.content("caption"),
    )
    vocabulary, grounding, scale = config.vocabulary("caption"), grounding_of(config), config.scale()
    for first in range(0, len(seen.concepts), BATCH):
        part = slice_encoding(seen, first, first + BATCH)
        several = beam_search(model.decoder("caption"), part, search, start=START, stop=STOP, padding=PADDING)
        agreed, borne_out = consensus(part.concepts, several.tokens), torch.zeros_like(several.scores)
        if grounding is not None:
            borne_out = grounding.to(setting.device)(scale.shown(part.concepts.clamp(0, 1)), several.tokens)
        for weight in WEIGHTS:
            best = [tokens[0] for tokens in several.ranked(weight * agreed + borne_out, 1).lists()]
            told = [(place[first + i], best[i]) for i in range(len(best)) if first + i in place]
            scores = judge.score([vocabulary.text(tokens) for _, tokens in told], [number for number, _ in told])
            found[weight] += float(scores.sum())
    means = {weight: total / max(1, len(rows)) for weight, total in found.items()}
    best_weight = max(means, key=lambda weight: means[weight])
    setting.log.event("consensus", weight=best_weight, metric=means[best_weight], alone=means[0.0])
    setting.log.say(
        f"captions of others count {best_weight:g}: CIDEr-D {means[best_weight]:.4f}, {means[0.0]:.4f} without them"
    )
    return config.consensus.model_copy(update={"weight": best_weight})
