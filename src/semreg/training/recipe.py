"""The recipe: every setting of a training run, typed and checked, from YAML."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from semreg.data.augmentation import Augmentation
from semreg.errors import SemregError
from semreg.model.stored import Bits
from semreg.model_folder import ConsensusConfig, Form, NeighboursConfig, PreprocessingConfig

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """A group of settings; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Settings):
    """Where the pictures are and which serve for what.

    Attributes:
        folder: the data set's folder (`--data` overrides it).
        train: split to learn from.
        validation: split, or share of `train` held out, that chooses epochs and thresholds.
        refit: when epochs and thresholds are chosen, train once more on all pictures, those held out among them, each
            stage as long as its best epoch; the thresholds stay.
        folds: teach the decoders with concepts that were predicted without having learnt from the picture: so many CNNs
            more are trained, each without one of so many folds of the pictures (cross-fitting); 0 takes what the one
            CNN sees in the pictures that it has learnt from.
        leave_out: the fold, from 1, that a run leaves out; set by runs with `folds` for the runs within them.
        seed: decides which pictures are held out; the same for runs that are to be compared.
        test: split for the report at the end, or null.
        unreadable: largest share of pictures that may be missing or unreadable before the run stops.
        workers: processes that decode pictures; 0 decodes in the training process.
        cache: a folder that keeps what a fixed CNN sees in the pictures, for other runs with the same CNN and pictures;
            null keeps nothing.
    """

    folder: Path
    train: str = "train"
    validation: str | Annotated[float, Field(gt=0, lt=1)] = 0.1
    refit: bool = False
    folds: Annotated[int, Field(ge=0)] = 0
    leave_out: Annotated[int, Field(ge=0)] = 0
    seed: int = 0
    test: str | None = "test"
    unreadable: Share = 0.01
    workers: Annotated[int, Field(ge=0)] = 1
    cache: Path | None = None


class ConceptSettings(Settings):
    """What the semantic layer names.

    Attributes:
        source: the labels, content words of the captions, or both.
        size: at most so many caption words (the paper: 1000).
        minimum: training pictures that must speak of a caption word.
        exclude: caption words that are not to be concepts.
    """

    source: Literal["labels", "captions", "both"] = "both"
    size: Count = 1000
    minimum: Count = 5
    exclude: tuple[str, ...] = ()


class TagSettings(Settings):
    """What the tag decoder writes.

    Attributes:
        source: the data set's labels, or all concepts (labels and caption words).
        order: in which order a picture's tags are taught: one that is fixed beforehand, "random" anew at every
            update, or order-free: the model's own choice at every update, aligned by its predictions ("predicted",
            "minimal-loss"; Yazici et al. 2020) or with any label that is still to come being right ("any").
        threshold: from which probability on a tag is told: the one that is best on the validation data for the
            overall F1 (pooled), the harmonic mean of per-class precision and recall, or the mean of both; or a
            probability, such as 0.5 for few and confident tags.
        paths: how many of the paths that the beam search finds count for a tag's probability; at most `beams` do.
        per: whether that threshold is one for "all" tags, lower for rare ones by their "frequency" in training (how
            much lower is tuned too), or one for each "class", drawn towards the common one where positives are few.
            A probability is for "all" scores as they are, or for each "class" with its scores put right.
    """

    source: Literal["labels", "concepts"] = "labels"
    order: Literal["rare-first", "frequent-first", "alphabetical", "random", "predicted", "minimal-loss", "any"] = (
        "rare-first"
    )
    threshold: Literal["O-F1", "C-F1", "mean"] | Annotated[float, Field(gt=0, lt=1)] = "mean"
    paths: Count = 3
    per: Literal["all", "frequency", "class"] = "all"

    @model_validator(mode="after")
    def _not_by_frequency(self) -> TagSettings:
        if not isinstance(self.threshold, str) and self.per == "frequency":
            raise ValueError("a given probability is for all tags or per class: take per: all or per: class")
        return self


class CaptionSettings(Settings):
    """What the caption decoder writes.

    Attributes:
        minimum: occurrences that a word needs to enter the vocabulary.
        max_length: words in a caption, at most; longer ones are cut when they are taught.
    """

    minimum: Count = 5
    max_length: Count = 20


class TrunkSettings(Settings):
    """The CNN.

    Attributes:
        name: lite0, lite1, lite2 or any timm model.
        pretrained: start from ImageNet weights.
        dropout: on the features before the concept layer, while training.
        batchnorm: "folded" into the convolutions (fastest), "frozen" (kept as it is) or "trained".
    """

    name: str = "lite0"
    pretrained: bool = True
    dropout: Share = 0.2
    batchnorm: Literal["folded", "frozen", "trained"] = "folded"


class BesideSettings(Settings):
    """Trunks that look too, as ImageNet made them, when the taught one has learnt: see `semreg.training.beside`.

    Attributes:
        trunks: lite0, lite1, lite2 or any timm model.
        share: what their concept layer counts beside the taught trunk's; null chooses it on the validation pictures.
    """

    trunks: tuple[str, ...] = Field(min_length=1)
    share: Annotated[float, Field(ge=0)] | None = None


class NeighboursSettings(Settings):
    """Training pictures that the concept layer asks: see `semreg.model.neighbours`.

    Attributes:
        strangers: so many pictures of nothing are remembered too, which vote for no concept: see
            `semreg.data.strangers`.
        size: directions of the features that are kept.
        temperature: of the votes; the lower, the fewer neighbours count.
        whiten: 0 leaves the directions their variances, 1 makes them equal.
        share: what the neighbours' say counts; null chooses it on the validation pictures.
        refit: remember the validation pictures too, when they have chosen all that they choose. They are no longer held
            out then: the model finds each of them among its neighbours.
    """

    strangers: Annotated[int, Field(ge=0)] = 1000
    size: Count = 128
    temperature: Positive = 0.07
    whiten: Share = 0.5
    share: Annotated[float, Field(ge=0)] | None = None
    refit: bool = False

    def config(self, pictures: int) -> NeighboursConfig:
        """What of it a model folder says."""
        return NeighboursConfig(
            pictures=pictures, strangers=self.strangers, size=self.size, temperature=self.temperature
        )


class ConsensusSettings(Settings):
    """Captions of training pictures that choose among those that are found: see `semreg.model.consensus`.

    Attributes:
        size: directions of the concepts' log odds that pictures are compared by.
        neighbours: pictures that are asked.
        captions: of each picture that are remembered, at most.
        weight: what their agreement counts beside the mean log-probability; null chooses it on the validation pictures.
    """

    size: Count = 64
    neighbours: Count = 80
    captions: Count = 5
    weight: Annotated[float, Field(ge=0)] | None = None

    def config(self, pictures: int, most: int) -> ConsensusConfig:
        """What of it a model folder says, for so many pictures with so many captions at most."""
        return ConsensusConfig(
            pictures=pictures, captions=min(self.captions, most), size=self.size, neighbours=self.neighbours
        )


class DecoderSettings(Settings):
    """The RNN and its interface to the CNN (the paper's figure 1).

    Attributes:
        interface: input (a), state (b), fusion (c) or semantic (d).
        every_step: show the picture's embedding at every step too.
        evidence: add a multiple of log s_hat to the output logits (semantic interface only).
        embedding: E.
        hidden: H.
        dropout: on the LSTM's input and output.
    """

    interface: Literal["input", "state", "fusion", "semantic"] = "semantic"
    every_step: bool = True
    evidence: bool = True
    embedding: Count = 512
    hidden: Count = 512
    dropout: Share = 0.5


class AugmentationSettings(Settings):
    """What happens to training pictures at random; see `semreg.data.augmentation.Augmentation`."""

    crop: float = 0.5
    aspect: float = 4 / 3
    flip: bool = True
    colour: float = 0.2
    erase: float = 0.0
    size: int | None = None

    def build(self) -> Augmentation:
        """The same, as the data room wants it."""
        return Augmentation(**self.model_dump())

    @model_validator(mode="after")
    def _check(self) -> AugmentationSettings:
        self.build()
        return self


class StageSettings(Settings):
    """What all stages share.

    Attributes:
        epochs: passes over the training data.
        batch: pictures an update, over all processes and accumulated steps.
        learning_rate: of the new layers (Adam), at its highest; warmed up over 5 percent of the updates, then
            lowered along a half cosine.
        weight_decay: decoupled, on weight matrices.
        clip: largest norm of the gradient.
        accumulate: steps whose gradients are added up for one update.
        patience: epochs without a better validation metric before the stage ends; null runs them all.
        keep: the epoch with the "best" validation metric, or the "last".
        average: decay of the moving average of the weights that is validated and kept; 0 switches it off.
        hold: pull of the weight matrices towards where the stage found them: hold / 2 times their squared distance is
            added to the loss (L2-SP: Li et al., ICML 2018, arXiv:1802.01483). With few pictures, what they do not
            speak against stays as it was.
    """

    epochs: Count
    batch: Count = 32
    learning_rate: Positive = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    clip: Positive = 5.0
    accumulate: Count = 1
    patience: Count | None = None
    keep: Literal["best", "last"] = "best"
    average: Annotated[float, Field(ge=0, lt=1)] = 0.0
    hold: Annotated[float, Field(ge=0)] = 0.0


class VisionSettings(StageSettings):
    """What stages that teach the CNN share.

    Attributes:
        trunk_learning_rate: of the trunk, at its highest.
        freeze: first parts of the trunk that do not learn (lite: stem, seven stages, head).
        augmentation: what happens to the pictures.
        views: where parts are frozen: so many augmented views of each picture go through them once and are kept (in
            memory, or in data.cache), and epochs take turns with them; 0 draws a new view in every epoch.
        unary_loss: L_u, as asymmetric loss or binary cross-entropy.
        unary_weight: factor of L_u; 0 leaves the regularisation out.
    """

    trunk_learning_rate: Positive = 3e-4
    freeze: Annotated[int, Field(ge=0)] = 4
    augmentation: AugmentationSettings = AugmentationSettings()
    views: Annotated[int, Field(ge=0)] = 0
    unary_loss: Literal["asymmetric", "binary_cross_entropy"] = "asymmetric"
    unary_weight: Annotated[float, Field(ge=0)] = 1.0


class ConceptsStage(VisionSettings):
    """Stage 1: the CNN and the concept layer on L_u alone.

    Attributes:
        restore: so much of the trunk goes back to its ImageNet weights when the stage begins: their mean has features
            of both, also those that the pictures have made the trunk unlearn (Wortsman et al., CVPR 2022,
            arXiv:2109.01903). For a second stage, in which the concept layer gets used to it.
    """

    kind: Literal["concepts"]
    restore: Share = 0.0


class MemoryStage(StageSettings):
    """What stages share that leave the CNN as it is: its outputs are computed once.

    Attributes:
        mirror: learn from each picture's mirror image too.
        views: learn from so many augmented views of each picture too. In pictures that the CNN has learnt from it is
            surer than it will be in others; views are less familiar to it.
        augmentation: what happens to the pictures in these views.
    """

    mirror: bool = True
    views: Annotated[int, Field(ge=0)] = 0
    augmentation: AugmentationSettings = AugmentationSettings()


class LanguageStage(MemoryStage):
    """Before stage 2: the caption decoder on captions without pictures, of which there are always more.

    The semantic interface makes it possible: a caption says which concepts its picture has, and the decoder is told no
    more of a picture. See `semreg.training.imagination`.

    Attributes:
        captions: files of them; see `semreg.data.captions_alone`.
        smoothing: label smoothing.
    """

    kind: Literal["language"]
    captions: tuple[Path, ...] = Field(min_length=1)
    smoothing: Share = 0.0
    batch: Count = 64
    learning_rate: Positive = 2e-3


class RelationsStage(MemoryStage):
    """Stage 2: the RNN on L_r alone.

    Attributes:
        forms: which decoders learn; null means all.
        concepts: the CNN's predicted s_hat, or the true s (complete decoupling, no picture needed).
        smoothing: label smoothing.
    """

    kind: Literal["relations"]
    forms: tuple[Form, ...] | None = None
    concepts: Literal["predicted", "true"] = "predicted"
    smoothing: Share = 0.0
    batch: Count = 64
    learning_rate: Positive = 2e-3

    @field_validator("concepts", mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        """What YAML reads as a truth value is the word here."""
        return "true" if value is True else value


class SelfCriticalStage(MemoryStage):
    """After stage 2: captions on the metric itself, CIDEr-D of what the decoder says by chance (Rennie et al. 2017).

    Attributes:
        samples: captions that are drawn for each picture; each is judged by what the others score (Luo 2020).
    """

    kind: Literal["self-critical"]
    samples: Annotated[int, Field(ge=2)] = 5
    batch: Count = 64
    learning_rate: Positive = 1e-4


class JointStage(VisionSettings):
    """Stage 3: everything on L = L_u + lambda L_r.

    Attributes:
        forms: which decoders learn; null means all.
        relational_weight: lambda.
        stop_gradient: keep L_r from reaching the CNN (complete decoupling).
        smoothing: label smoothing of L_r.
    """

    kind: Literal["joint"]
    forms: tuple[Form, ...] | None = None
    relational_weight: Annotated[float, Field(ge=0)] = 1.0
    stop_gradient: bool = False
    smoothing: Share = 0.0
    learning_rate: Positive = 1e-4
    trunk_learning_rate: Positive = 3e-5


Stage = Annotated[
    ConceptsStage | LanguageStage | RelationsStage | SelfCriticalStage | JointStage, Field(discriminator="kind")
]


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
        if self.consensus and "caption" not in self.forms:
            raise ValueError("consensus judges captions, forms names none: add caption to it, or leave consensus out")
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
