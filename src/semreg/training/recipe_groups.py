"""The groups of a recipe but its stages: data, concepts, tags, captions, trunk, what comes beside, decoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semreg.data.augmentation import Augmentation
from semreg.model_config import ConsensusConfig, GeneralGroups, NeighboursConfig

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
        include: caption words that are concepts though they are function words: how many, how large, how old.
        exclude: caption words that are not to be concepts.
    """

    source: Literal["labels", "captions", "both"] = "both"
    size: Count = 1000
    minimum: Count = 5
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class TagSettings(Settings):
    """What the tag decoder writes.

    Attributes:
        source: the data set's labels, or all concepts (labels and caption words).
        exclude: those of them that are not to be tags.
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
        lift: with a probability per class, how many times what is seen must raise the odds with which any picture of
            the data set has a tag, for it to be told. Where most pictures have a person, one is told of those in which
            something speaks for it. 1 asks for nothing.
    """

    source: Literal["labels", "concepts"] = "labels"
    exclude: tuple[str, ...] = ()
    order: Literal["rare-first", "frequent-first", "alphabetical", "random", "predicted", "minimal-loss", "any"] = (
        "rare-first"
    )
    threshold: Literal["O-F1", "C-F1", "mean"] | Annotated[float, Field(gt=0, lt=1)] = "mean"
    paths: Count = 3
    per: Literal["all", "frequency", "class"] = "all"
    lift: Annotated[float, Field(ge=1)] = 1.0

    @model_validator(mode="after")
    def _not_by_frequency(self) -> TagSettings:
        if not isinstance(self.threshold, str) and self.per == "frequency":
            raise ValueError("a given probability is for all tags or per class: take per: all or per: class")
        if self.lift > 1 and (isinstance(self.threshold, str) or self.per != "class"):
            raise ValueError(
                "lift is for a given probability per class: take threshold: 0.5 and per: class, or lift: 1"
            )
        return self


class CaptionSettings(Settings):
    """What the caption decoder writes.

    Attributes:
        minimum: occurrences that a word needs to enter the vocabulary.
        max_length: words in a caption, at most; longer ones are cut when they are taught.
        candidates: captions that the search finds for consensus and grounding to choose among; null for as many as
            beams.
        general: words for what a caption must not guess, such as a person for man or woman, and words that it can
            spare, such as standing and sitting: one group or several; null lets it guess. Kinds and words that the data
            does not have play no part.
    """

    minimum: Count = 5
    max_length: Count = 20
    candidates: Annotated[int, Field(ge=1, le=100)] | None = None
    general: GeneralGroups = ()


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


class GroundingSettings(Settings):
    """Captions that what is seen bears out are preferred among those that are found: see `semreg.decoding.grounding`.

    Both weights are in units of a mean log-probability.

    Attributes:
        named: that a concept is named which is seen more clearly than usual, for each, in log odds up to 1.
        labels: the log probability of the least probable label that is implied; for data whose pictures have all labels
            that apply.
    """

    named: Annotated[float, Field(ge=0)] = 0.1
    labels: Annotated[float, Field(ge=0)] = 0.5


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
