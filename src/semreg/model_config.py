"""What a model is, beside its weights: the contents of config.json, and the vocabularies that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from torch import Tensor

from semreg.concept_scale import ConceptScale
from semreg.data.concepts import Concepts
from semreg.data.images import Preprocessing
from semreg.data.vocabulary import SPECIAL, Vocabulary
from semreg.errors import SemregError
from semreg.model.efficientnet_lite import EfficientNetLite
from semreg.model.stored import Bits
from semreg.model.trunks import SideBySide, TimmTrunk, build_trunk

FORMAT = 4  # 1 had no `bits`, 2 no `general`, 3 one group of it, no `grounding`, no `candidates`
Form = Literal["tags", "caption"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrunkConfig(_Settings):
    """Which CNN, and whether its batch normalisation is folded into the convolutions.

    Attributes:
        beside: others that look too, as ImageNet made them: see `semreg.model.trunks.SideBySide`.
    """

    name: str = "lite0"
    folded: bool = True
    beside: tuple[str, ...] = ()

    def build(self, *, pretrained: bool = False) -> EfficientNetLite | TimmTrunk | SideBySide:
        """The modules, with ImageNet's weights or with random ones."""
        trunk = build_trunk(self.name, pretrained=pretrained, folded=self.folded)
        if not self.beside:
            return trunk
        return SideBySide(trunk, [build_trunk(name, pretrained=pretrained, folded=True) for name in self.beside])


class NeighboursConfig(_Settings):
    """The concept layer's second witness: see `semreg.model.neighbours`.

    Attributes:
        pictures: that it learnt from, and remembers.
        strangers: pictures of nothing that it remembers beside them: see `semreg.data.strangers`.
        size: numbers of each that are kept.
        temperature: of the votes.
    """

    pictures: Annotated[int, Field(ge=1)]
    strangers: Annotated[int, Field(ge=0)] = 0
    size: Annotated[int, Field(ge=1)]
    temperature: Annotated[float, Field(gt=0)]


class ConsensusConfig(_Settings):
    """What chooses among the captions that the search finds: see `semreg.model.consensus`.

    A caption is ranked by the mean log-probability of its tokens, and `weight` times how much the neighbours agree.
    """

    pictures: Annotated[int, Field(ge=1)]
    captions: Annotated[int, Field(ge=1)]
    size: Annotated[int, Field(ge=1)]
    neighbours: Annotated[int, Field(ge=1)]
    weight: Annotated[float, Field(ge=0)] = 0.0


class GroundingConfig(_Settings):
    """What else chooses among the captions that the search finds: see `semreg.decoding.grounding`.

    Attributes:
        named: what it counts that a concept which a caption names is seen more clearly than usual.
        labels: what it counts that a label which a caption implies is not seen.
        usual: the share of the training pictures that have each concept.
        implied: for words of captions the labels that nearly all training pictures have of which they are said.
    """

    named: Annotated[float, Field(ge=0)]
    labels: Annotated[float, Field(ge=0)]
    usual: tuple[float, ...]
    implied: dict[str, tuple[str, ...]]


class KindConfig(_Settings):
    """One of several kinds that exclude each other: see `semreg.decoding.general`.

    Attributes:
        concepts: that speak for it.
        words: that tell it from the others, to the general ones; to "" where a sentence can go without.
    """

    concepts: Annotated[tuple[str, ...], Field(min_length=1)]
    words: dict[str, str]


class GeneralConfig(_Settings):
    """What a caption says where it is not plain which of several kinds is seen: a person for man or woman.

    Attributes:
        share: how probable a kind must be, given that it is one of them, for its own words to stay; 0 leaves them all.
        kinds: that exclude each other.
        omit: concepts that exclude each other, and without whose words a sentence is as good; each is one more kind.
    """

    share: Annotated[float, Field(ge=0, le=1)]
    kinds: tuple[KindConfig, ...] = ()
    omit: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _several(self) -> GeneralConfig:
        if len(self.kinds) + len(self.omit) < 2:
            raise ValueError("general words are for kinds that exclude each other: name two kinds, or two to omit")
        return self

    def all_kinds(self) -> tuple[KindConfig, ...]:
        """The kinds, with those that are left out."""
        return (*self.kinds, *(KindConfig(concepts=(name,), words={name: ""}) for name in self.omit))

    def sentence(self) -> str:
        """What it is, for people."""
        words = dict.fromkeys(general for kind in self.kinds for general in kind.words.values() if general)
        told = f"say {', '.join(words)}" if words else f"leave out {', '.join(self.omit)}"
        kinds = "; ".join(" or ".join(kind.concepts) for kind in self.all_kinds())
        sure = f"unless {100 * self.share:g} percent sure of " + (f"one of: {kinds}" if words else "the word")
        return f"captions {told} {sure}"


def _in_groups(value: object) -> object:
    if value is None:
        return ()
    return (value,) if isinstance(value, Mapping | GeneralConfig) else value


GeneralGroups = Annotated[tuple[GeneralConfig, ...], BeforeValidator(_in_groups)]  # format 3 had one, or none


class PreprocessingConfig(_Settings):
    """How a picture becomes the trunk's input.

    Attributes:
        size: side in pixels.
        resize: what happens to its aspect; see `semreg.data.images.Preprocessing`.
        mirror: look at the mirror image too and average the features: twice the time, a little more accurate.
    """

    size: int = 224
    resize: Literal["squash", "crop", "pad"] = "squash"
    mirror: bool = False

    def build(self) -> Preprocessing:
        """The same, as the data room wants it."""
        return Preprocessing(self.size, self.resize)


class DecoderConfig(_Settings):
    """One decoder: its interface, its sizes and its vocabulary."""

    interface: Literal["input", "state", "fusion", "semantic"] = "semantic"
    every_step: bool = True
    evidence: bool = True
    embedding: int = 512
    hidden: int = 512
    dropout: float = 0.5
    words: tuple[str, ...]
    max_length: int


class TagScoreConfig(_Settings):
    """A tag's probability: sigmoid(path * logit(p) + concept * logit(s_hat) + bias), and from where on it is kept.

    p is the largest probability of the tag over the steps of the RNN's path, s_hat the concept layer's. The `paths`
    best that the beam search finds count, by their probability. The threshold is one for all labels, or one for each.
    `head` is the same for s_hat alone, the CNN's own head, against which the RNN is judged; None where it has no
    probability of each label, or none was tuned for the labels.
    """

    path: float = 1.0
    concept: float = 0.0
    bias: float = 0.0
    paths: int = 1
    threshold: float | tuple[float, ...] = 0.5
    head: float | tuple[float, ...] | None = None


class ConceptScaleConfig(_Settings):
    """How likely a concept is to be true, from its distance to its threshold: see `semreg.concept_scale`."""

    slope: Annotated[float, Field(gt=0)]
    offset: float


class ModelConfig(_Settings):
    """All that a model knows beside its weights.

    Attributes:
        bits: that a weight takes on disk: see `semreg.model.stored`. All are computed with in single precision.
        supervised: whether the concept layer was taught by L_u, so that its outputs deserve their names.
        tag_source: whether the tags are the data set's labels, or all concepts (captions speak of them too).
        concept_threshold: probability from which a concept counts as seen, tuned on validation data; one for all, or
            one for each.
        concept_scale: fitted on validation data; None where the concept layer's own values are shown.
        neighbours: training pictures that the concept layer asks; None for a layer by itself.
        consensus: captions of training pictures that choose among those that are found; None for the likeliest.
        grounding: how far what is seen bears each of them out; None where that does not count.
        general: words for what a caption must not guess; none lets it guess.
        beams: width of the search that scores and thresholds were chosen with, and that it is used with.
        candidates: width of the search for captions, where others choose among those that are found; None for `beams`.
        training: what it was trained on and how, and the figures seen; for people, not read by the program.
    """

    format: int = FORMAT
    name: str
    bits: Bits = 16
    trunk: TrunkConfig
    preprocessing: PreprocessingConfig
    concepts: tuple[str, ...]
    forms: dict[str, str] = Field(default_factory=dict)
    supervised: bool = True
    tag_source: Literal["labels", "concepts"] = "labels"
    concept_threshold: float | tuple[float, ...] = 0.5
    concept_scale: ConceptScaleConfig | None = None
    neighbours: NeighboursConfig | None = None
    consensus: ConsensusConfig | None = None
    grounding: GroundingConfig | None = None
    general: GeneralGroups = ()
    decoders: dict[Form, DecoderConfig]
    tag_score: TagScoreConfig | None = None
    beams: Annotated[int, Field(ge=1, le=100)] = 3
    candidates: Annotated[int, Field(ge=1, le=100)] | None = None
    training: dict[str, Any] = Field(default_factory=dict)

    def concept_vocabulary(self) -> Concepts:
        """The concepts with their word forms."""
        return Concepts(self.concepts, self.forms)

    def concept_thresholds(self) -> tuple[float, ...]:
        """The threshold of each of the K concepts."""
        return _each(self.concept_threshold, len(self.concepts))

    def scale(self) -> ConceptScale:
        """From s_hat to the probabilities that people are shown, and back."""
        thresholds = torch.tensor(self.concept_thresholds())
        if self.concept_scale is None:
            return ConceptScale(thresholds)
        return ConceptScale(thresholds, self.concept_scale.slope, self.concept_scale.offset)

    def tag_thresholds(self) -> tuple[float, ...]:
        """The threshold of each of the L labels; 0.5 where none was tuned."""
        wanted = self.tag_score.threshold if self.tag_score else 0.5
        return _each(wanted, len(self.decoders["tags"].words) if "tags" in self.decoders else 0)

    def head_thresholds(self) -> tuple[float, ...]:
        """The threshold of each of the L labels where the concept layer alone tells them.

        Raises:
            SemregError: a label is no concept.
        """
        labels = self.decoders["tags"].words
        index = self.concept_vocabulary().of_token(labels)
        if min(index) < 0:
            unknown = labels[index.index(min(index))]
            raise SemregError(f"{unknown} is no concept of {self.name}: its concept layer cannot tell it")
        if self.tag_score is not None and self.tag_score.head is not None:
            return _each(self.tag_score.head, len(labels))
        thresholds = self.concept_thresholds()
        return tuple(thresholds[i] for i in index)

    def vocabulary(self, form: Form) -> Vocabulary:
        """The words or labels of one decoder."""
        return Vocabulary(self.decoders[form].words)

    def concept_of_token(self, form: Form) -> Tensor:
        """For each token of one decoder the concept that it names, or -1, (V,); empty without that decoder."""
        if form not in self.decoders:
            return torch.zeros(0, dtype=torch.long)
        return torch.tensor([-1] * len(SPECIAL) + self.concept_vocabulary().of_token(self.decoders[form].words))

    def content(self, form: Form) -> tuple[int, ...]:
        """The tokens of one decoder that name a concept."""
        return tuple((self.concept_of_token(form) >= 0).nonzero()[:, 0].tolist())


def _each(threshold: float | tuple[float, ...], count: int) -> tuple[float, ...]:
    if isinstance(threshold, float):
        return (threshold,) * count
    if len(threshold) != count:
        raise SemregError(f"a model needs a threshold for each of its {count} classes, has {len(threshold)}")
    return threshold
