"""The recipe: every setting of a training run, typed and checked, from YAML."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from semreg.errors import SemregError
from semreg.model.stored import Bits
from semreg.model_config import Form, PreprocessingConfig
from semreg.training.recipe_groups import (
    BesideSettings,
    CaptionSettings,
    ConceptSettings,
    ConsensusSettings,
    Count,
    DataSettings,
    DecoderSettings,
    GroundingSettings,
    NeighboursSettings,
    Settings,
    Share,
    TagSettings,
    TrunkSettings,
)
from semreg.training.recipe_stages import (
    ConceptsStage,
    JointStage,
    LanguageStage,
    MemoryStage,
    RelationsStage,
    SelfCriticalStage,
    Stage,
    StageSettings,
    VisionSettings,
)


class Recipe(Settings):
    """A whole training run.

    Attributes:
        name: of the model.
        seed: decides every random number of the run.
        forms: tags, caption, or both: one decoder each.
        precision: "fp32", or "bf16" where the device is fast at it.
        bits: that a weight takes in the model folder. 8 halve its size, and change what it says hardly.
        beams: width of the beam search that the model is used with, and judged with at the end.
        init: a model folder; every part of it that fits is where this run starts from.
        init_decoders: whether that holds for its decoders too, or for trunk and concepts alone.
        init_trunk: how much of its trunk; the rest are the ImageNet weights of that trunk. Half of each keeps general
            features that the model has unlearnt (Wortsman et al., CVPR 2022, arXiv:2109.01903).
    """

    name: str
    seed: int = 0
    forms: tuple[Form, ...] = ("tags",)
    precision: Literal["fp32", "bf16"] = "fp32"
    bits: Bits = 16
    beams: Count = 3
    init: Path | None = None
    init_decoders: bool = True
    init_trunk: Share = 1.0
    data: DataSettings
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    concepts: ConceptSettings = ConceptSettings()
    tags: TagSettings = TagSettings()
    captions: CaptionSettings = CaptionSettings()
    trunk: TrunkSettings = TrunkSettings()
    beside: BesideSettings | None = None
    neighbours: NeighboursSettings | None = None
    consensus: ConsensusSettings | None = None
    grounding: GroundingSettings | None = None
    decoder: DecoderSettings = DecoderSettings()
    stages: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        if not self.forms or len(set(self.forms)) != len(self.forms):
            raise ValueError("forms must name tags, caption or both, each once: write forms: [tags, caption]")
        for number, stage in enumerate(self.stages):
            if isinstance(stage, VisionSettings) and stage.views and self.trunk.batchnorm == "trained":
                raise ValueError(
                    f"stages.{number}.views needs parts that stay as they are: set trunk.batchnorm: folded"
                )
            if isinstance(stage, ConceptsStage) and stage.restore and not self.trunk.pretrained:
                raise ValueError(
                    f"stages.{number}.restore takes weights from ImageNet, trunk.pretrained is false: set it to true"
                )
            if isinstance(stage, SelfCriticalStage) and not self._tells_before(number):
                raise ValueError(
                    f"stages.{number} goes on from a decoder that can tell: put a relations or joint stage before it, "
                    "or start with init"
                )
            caption_only = isinstance(stage, LanguageStage | SelfCriticalStage)
            wanted = ("caption",) if caption_only else getattr(stage, "forms", None) or ()
            if extra := set(wanted) - set(self.forms):
                raise ValueError(f"stages.{number}.forms names {', '.join(extra)}: add it to forms")
        for group, what in (("beside", "other trunks come"), ("neighbours", "neighbours are remembered")):
            if getattr(self, group) and (late := self._teaches_cnn_late()) is not None:
                raise ValueError(
                    f"{what} when the CNN has learnt, and stages.{late} teaches it when decoders learn from it "
                    f"already: leave {group} out, or that stage"
                )
        for group in ("consensus", "grounding"):
            if getattr(self, group) and "caption" not in self.forms:
                raise ValueError(f"{group} judges captions, forms names none: add caption to it, or leave {group} out")
        if self.init_trunk < 1 and not self.trunk.pretrained:
            raise ValueError(
                f"init_trunk: {self.init_trunk} takes the rest from ImageNet weights, trunk.pretrained is false: "
                "set it to true, or leave init_trunk out"
            )
        self._check_folds()
        return self

    def _teaches_cnn_late(self) -> int | None:
        """The first stage that teaches the CNN when decoders learn from it already."""
        told = False
        for number, stage in enumerate(self.stages):
            if isinstance(stage, JointStage) or (told and isinstance(stage, VisionSettings)):
                return number
            told = told or isinstance(stage, MemoryStage)
        return None

    def _check_folds(self) -> None:
        """What cross-fitting needs."""
        data, first = self.data, self.stages[0]
        if data.leave_out > data.folds or data.folds == 1:
            raise ValueError(f"data.folds must be 0, or 2 or more, is {data.folds}: 2 is usual")
        if not data.folds:
            return
        if data.refit:
            raise ValueError("data.folds and data.refit do not go together: leave one of them out")
        if self.decoder.interface != "semantic":
            raise ValueError(
                f"data.folds needs named concepts, decoder.interface is {self.decoder.interface}: the features of "
                "several CNNs have nothing in common"
            )
        if not isinstance(first, VisionSettings) or first.unary_weight == 0:
            raise ValueError("data.folds needs a first stage that teaches the CNN its concepts: kind: concepts")
        if not data.leave_out and not any(isinstance(stage, MemoryStage) for stage in self.stages):
            raise ValueError("data.folds needs a stage that learns from what the CNN sees: add kind: relations")
        if any(isinstance(stage, MemoryStage) and stage.views for stage in self.stages):
            raise ValueError("data.folds and views of a relations or self-critical stage do not go together")

    def _tells_before(self, number: int) -> bool:
        """Whether captions have been taught before a stage begins."""
        before = self.stages[:number]
        taught = (stage for stage in before if isinstance(stage, RelationsStage | JointStage))
        return (
            self.init is not None
            or any(isinstance(stage, LanguageStage) for stage in before)
            or any("caption" in (stage.forms or self.forms) for stage in taught)
        )

    @property
    def supervised(self) -> bool:
        """Whether some stage teaches the concept layer."""
        return any(isinstance(stage, VisionSettings) and stage.unary_weight > 0 for stage in self.stages)

    @property
    def unlearns(self) -> bool:
        """Whether some stage changes the CNN without keeping the concept layer to its concepts."""
        return any(isinstance(stage, VisionSettings) and stage.unary_weight == 0 for stage in self.stages)


def load_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: a YAML file.
        changes: "key=value" with a dotted key, such as "stages.0.epochs=3"; the value is YAML.

    Raises:
        SemregError: no such file, no YAML, or a key or value that does not fit; the nearest known key is named.
    """
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SemregError(f"the recipe {str(path)!r} cannot be read ({error.strerror}): name a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SemregError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(fields, dict):
        raise SemregError(f"{path} must hold settings as key: value, holds {type(fields).__name__}")
    for change in changes:
        _change(fields, change)
    try:
        return Recipe.model_validate(fields)
    except SemregError as error:
        raise SemregError(f"{path}: {error}") from None
    except ValidationError as error:
        raise SemregError(f"{path}: {_explain(error)}") from None


def save_recipe(recipe: Recipe) -> str:
    """The recipe as YAML with every setting spelt out."""
    return str(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def _change(fields: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    if not equals:
        raise SemregError(f"--set wants key=value, is {change!r}: for instance --set seed=1")
    try:
        new = yaml.safe_load(value)
    except yaml.YAMLError:
        raise SemregError(f"--set {key}: the value is not YAML: {' '.join(value.split())}") from None
    *parents, last = key.split(".")
    place: Any = fields
    try:
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        place[int(last) if isinstance(place, list) else last] = new
    except (ValueError, IndexError, TypeError, AttributeError):
        raise SemregError(f"--set {change}: the recipe has no such place: check {key!r}") from None


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    location = list(first["loc"])
    if location[0:1] == ["stages"]:
        del location[2:3]  # the stage's kind, which stands behind its number; people do not write it there
    where = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"])
        near = difflib.get_close_matches(str(location[-1]), known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known here are {', '.join(known)}"
        return f"unknown key {where}: {hint}"
    message = first["msg"].removeprefix("Value error, ")
    given = "" if first["type"] in ("missing", "value_error") else f" (is {str(first['input'])[:60]!r})"
    return f"{where}: {message}{given}" if where else message


def _known_keys(location: Sequence[int | str]) -> list[str]:
    """The keys that a recipe may have beside the unknown one at `location`."""
    kinds: dict[str, type[StageSettings]] = {
        "concepts": ConceptsStage,
        "language": LanguageStage,
        "relations": RelationsStage,
        "self-critical": SelfCriticalStage,
        "joint": JointStage,
    }
    place: Any = Recipe
    parts = list(location[:-1])
    if parts[:1] == ["stages"]:
        place, parts = kinds[str(parts[2])], parts[3:]
    for part in parts:
        annotation = place.model_fields[str(part)].annotation
        options = [annotation, *get_args(annotation)] if get_origin(annotation) else [annotation]
        place = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return list(place.model_fields)
