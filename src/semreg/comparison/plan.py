"""What is trained: a recipe for every interface, seed and way of training, alike in everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semreg.errors import SemregError
from semreg.training.recipe import Recipe
from semreg.training.recipe_stages import ConceptsStage, JointStage, RelationsStage, Stage

INTERFACES = ("input", "state", "fusion", "semantic")
FINE_TUNED, END_TO_END = "fine-tuned", "end-to-end"
WAYS = (FINE_TUNED, END_TO_END)


@dataclass(frozen=True)
class Variant:
    """One model to train.

    Attributes:
        way: "fine-tuned" or "end-to-end".
        interface: input (a), state (b), fusion (c) or semantic (d).
        seed: of the decoder's weights, the order of the examples, dropout and augmentation.
        recipe: all settings; nothing but the three above differs between the variants of a way.
    """

    way: str
    interface: str
    seed: int
    recipe: Recipe

    @property
    def name(self) -> str:
        """The folder of its run, below the comparison's."""
        return f"{self.way}/{self.interface}/seed-{self.seed}"


def cnn_recipe(recipe: Recipe, folder: Path) -> Recipe:
    """The CNN that all fine-tuned variants stand on: the recipe's stages that teach concepts alone.

    Raises:
        SemregError: the recipe has no such stage at its start.
    """
    stages = _concept_stages(recipe)
    if not stages:
        raise SemregError("a comparison on a fine-tuned CNN needs a recipe that begins with a concepts stage: add one")
    return _shared(recipe, folder).model_copy(update={"name": f"{recipe.name}-cnn", "stages": stages})


def plan(
    recipe: Recipe,
    folder: Path,
    cnn: Path,
    *,
    interfaces: Sequence[str] = INTERFACES,
    seeds: int = 3,
    ways: Sequence[str] = WAYS,
) -> list[Variant]:
    """All variants, seed by seed, so that a comparison that is stopped early is an even one.

    * "fine-tuned": every interface on one CNN that L_u has taught, by the recipe's remaining stages. The stronger
      baseline: all that differs is the interface.
    * "end-to-end": one joint stage from the ImageNet trunk, with the length, rates and augmentation of the recipe's
      concepts stages. The baselines learn from L_r alone, through the RNN, as in the literature; the semantic
      interface has its L_u, which is the method.

    Args:
        recipe: what they share.
        folder: of the comparison.
        cnn: the model folder of the fine-tuned CNN.
        interfaces: which to compare.
        seeds: runs of each, from seed 0.
        ways: which of the two.

    Raises:
        SemregError: an unknown interface or way, or a recipe that leaves nothing to train.
    """
    _check(interfaces, INTERFACES, "interfaces")
    _check(ways, WAYS, "ways")
    shared = _shared(recipe, folder)
    variants = []
    for seed in range(seeds):
        for way in ways:
            for interface in interfaces:
                changes = {
                    "name": f"{recipe.name}-{interface}",
                    "seed": seed,
                    "decoder": recipe.decoder.model_copy(update={"interface": interface}),
                }
                if way == FINE_TUNED:
                    changes |= {"init": cnn, "init_decoders": False, "stages": _later_stages(recipe)}
                else:
                    changes |= {"init": None, "stages": (_end_to_end(recipe, interface),)}
                variants.append(Variant(way, interface, seed, shared.model_copy(update=changes)))
    return variants


def _shared(recipe: Recipe, folder: Path) -> Recipe:
    """What holds for every run: the test pictures are the comparison's, features are kept, no run is repeated.

    What a model remembers of its training pictures, and what chooses among captions, is left out: it is beyond the
    paper, and would help them unevenly.
    """
    changes = {"test": None, "cache": recipe.data.cache or folder / "features", "refit": False}
    data = recipe.data.model_copy(update=changes)
    captions = recipe.captions.model_copy(update={"candidates": None, "general": ()})
    beyond = {"beside": None, "neighbours": None, "consensus": None, "grounding": None, "captions": captions}
    return recipe.model_copy(update={"data": data, **beyond})


def _concept_stages(recipe: Recipe) -> tuple[ConceptsStage, ...]:
    stages = []
    for stage in recipe.stages:
        if not isinstance(stage, ConceptsStage):
            break
        stages.append(stage)
    return tuple(stages)


def _later_stages(recipe: Recipe) -> tuple[Stage, ...]:
    stages = recipe.stages[len(_concept_stages(recipe)) :]
    if not any(isinstance(stage, RelationsStage | JointStage) for stage in stages):
        raise SemregError("a comparison needs a recipe with a stage that teaches decoders: add a relations stage")
    return stages


def _end_to_end(recipe: Recipe, interface: str) -> JointStage:
    stages = _concept_stages(recipe)
    if not stages:
        raise SemregError("end-to-end training takes its length and rates from a concepts stage: add one to the recipe")
    first = stages[0].model_dump(exclude={"kind", "unary_weight", "epochs", "restore"})
    return JointStage(
        kind="joint",
        epochs=sum(stage.epochs for stage in stages if not stage.restore),  # later, the trunk does not learn
        unary_weight=stages[0].unary_weight if interface == "semantic" else 0.0,
        **first,
    )


def _check(wanted: Sequence[str], known: Sequence[str], what: str) -> None:
    if not wanted or len(set(wanted)) != len(wanted) or not set(wanted) <= set(known):
        raise SemregError(f"{what} must name some of {', '.join(known)}, each once, are {', '.join(wanted) or 'none'}")
