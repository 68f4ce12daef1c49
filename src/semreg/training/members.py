"""Several caption decoders, taught one after another from different starts, that write as one in the end."""

from __future__ import annotations

import torch
from torch import Tensor

from semreg.model.cnn_rnn import CnnRnn
from semreg.model.decoder import Decoder
from semreg.model.joined import join
from semreg.model_config import ModelConfig
from semreg.model_folder import build_decoder
from semreg.training.recipe import Recipe
from semreg.training.recipe_stages import MemoryStage, RelationsStage

Weights = dict[str, Tensor]  # of a decoder, by name


def with_members(recipe: Recipe) -> Recipe:
    """The recipe with the stages that teach captions once more for every further member, captions alone."""
    return recipe.model_copy(update={"stages": (*recipe.stages, *_again(recipe) * (recipe.captions.members - 1))})


def members_before(stage: int, recipe: Recipe) -> int:
    """How many members have been taught when a stage of `with_members(recipe)` begins."""
    beyond = stage - len(recipe.stages)
    return 0 if beyond < 0 else 1 + beyond // len(_again(recipe))


def _again(recipe: Recipe) -> tuple[MemoryStage, ...]:
    stages = (stage for stage in recipe.stages if isinstance(stage, MemoryStage))
    taught = (s for s in stages if not isinstance(s, RelationsStage) or "caption" in (s.forms or recipe.forms))
    return tuple(s.model_copy(update={"forms": ("caption",)}) if isinstance(s, RelationsStage) else s for s in taught)


def begin_another(model: CnnRnn, config: ModelConfig, kept: list[Weights], seed: int) -> None:
    """Keep what the caption decoder has learnt, and let it start anew, in place."""
    decoder = model.decoder("caption")
    kept.append({name: value.cpu().clone() for name, value in decoder.state_dict().items()})
    torch.manual_seed(seed + len(kept))
    decoder.load_state_dict(build_decoder(config, "caption", model.trunk.feature_size).state_dict())


def write_as_one(model: CnnRnn, config: ModelConfig, kept: list[Weights]) -> ModelConfig:
    """Join the members in the model, in place; the configuration with what has become of its caption decoder."""
    if not kept:
        return config
    last, chosen = model.decoder("caption"), config.decoders["caption"]
    size = model.trunk.feature_size
    members: list[Decoder] = [build_decoder(config, "caption", size) for _ in kept]
    for member, weights in zip(members, kept, strict=True):
        member.load_state_dict(weights)
    count = len(kept) + 1
    wide = chosen.model_copy(update={"embedding": count * chosen.embedding, "hidden": count * chosen.hidden})
    config = config.model_copy(update={"decoders": {**config.decoders, "caption": wide}})
    joined = build_decoder(config, "caption", size).to(last.output.weight.device)
    join([*(member.to(last.output.weight.device) for member in members), last], joined)
    model.decoders["caption"] = joined.eval()
    return config
