"""A model on disk: a folder with config.json, model.safetensors and README.md; loads offline and without pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import load_file, save
from torch import Tensor

from semreg.concept_scale import ConceptScale
from semreg.data.concepts import Concepts
from semreg.data.images import Preprocessing
from semreg.data.vocabulary import PADDING, SPECIAL, Vocabulary
from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.consensus import Consensus
from semreg.model.decoder import Decoder
from semreg.model.efficientnet_lite import EfficientNetLite
from semreg.model.interfaces import INTERFACES, Interface, SemanticInterface
from semreg.model.neighbours import Neighbours
from semreg.model.stored import Bits, stored, unstored
from semreg.model.trunks import SideBySide, TimmTrunk, build_trunk

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
REPLAY = "replay.safetensors"  # features of some training pictures: only learning from corrections needs them
FORMAT = 2  # 1 had no `bits`
DEFAULT_MODEL = Path(__file__).with_name("default_model")
HUB = "hf:"

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
        beams: width of the search that scores and thresholds were chosen with, and that it is used with.
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
    decoders: dict[Form, DecoderConfig]
    tag_score: TagScoreConfig | None = None
    beams: Annotated[int, Field(ge=1, le=100)] = 3
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


def build_model(config: ModelConfig, *, pretrained: bool = False, alone: bool = False) -> CnnRnn:
    """Build the modules that a configuration describes, with random weights.

    Args:
        config: the description.
        pretrained: give the trunk its ImageNet weights.
        alone: leave out what comes when the CNN has learnt: the trunks beside it, neighbours, consensus.
    """
    trunk = config.trunk.build(pretrained=pretrained)
    decoders: dict[str, Decoder] = {form: _build_decoder(config, form, trunk.feature_size) for form in config.decoders}
    if isinstance(trunk, SideBySide) and alone:
        trunk = trunk.taught
    neighbours = None if alone else build_neighbours(config, trunk.feature_size)
    consensus = None if alone else build_consensus(config)
    return CnnRnn(trunk, len(config.concepts), decoders, neighbours=neighbours, consensus=consensus)


def build_neighbours(config: ModelConfig, features: int) -> Neighbours | None:
    """The model's neighbours, who remember nothing yet; None where the configuration wants none."""
    if config.neighbours is None:
        return None
    chosen = config.neighbours
    pictures = chosen.pictures + chosen.strangers
    return Neighbours(pictures, features, len(config.concepts), chosen.size, chosen.temperature)


def build_consensus(config: ModelConfig) -> Consensus | None:
    """What judges the model's captions, and remembers none yet; None where the configuration wants none."""
    if config.consensus is None:
        return None
    caption = config.decoders["caption"]
    words = len(SPECIAL) + len(caption.words)
    sizes = config.consensus.model_dump(exclude={"weight"})
    return Consensus(concepts=len(config.concepts), length=caption.max_length, words=words, padding=PADDING, **sizes)


def _build_decoder(config: ModelConfig, form: Form, features: int) -> Decoder:
    chosen, concepts = config.decoders[form], len(config.concepts)
    sizes = (chosen.embedding, chosen.hidden, chosen.every_step)
    interface: Interface
    if chosen.interface == "semantic":
        of_token = config.concept_of_token(form) if chosen.evidence else None
        interface = SemanticInterface(concepts, *sizes, concept_of_token=of_token)
    else:
        interface = INTERFACES[chosen.interface](features, *sizes)
    return Decoder(interface, len(config.vocabulary(form)), chosen.embedding, chosen.hidden, chosen.dropout)


def save_model(model: CnnRnn, config: ModelConfig, folder: Path, *, card: str) -> None:
    """Write a model folder; each file is replaced as a whole, the configuration last.

    Args:
        model: its weights.
        config: its description; says how many bits a weight takes.
        folder: made if it does not exist.
        card: the model card, Markdown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / WEIGHTS, binary=True) as file:
        file.write(save(stored(model.state_dict(), config.bits), {"format": "pt"}))
    with atomic_write(folder / CARD) as file:
        file.write(card)
    save_config(config, folder)


def save_config(config: ModelConfig, folder: Path) -> None:
    """Write a model folder's configuration, replaced as a whole."""
    with atomic_write(folder / CONFIG) as file:
        file.write(json.dumps(config.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n")


def read_config(folder: Path) -> ModelConfig:
    """Read and check a model folder's configuration.

    Raises:
        SemregError: no such folder, no configuration in it, or one that does not fit.
    """
    path = folder / CONFIG
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        what = f"has no {CONFIG}" if folder.is_dir() else "does not exist"
        raise SemregError(f"the model {str(folder)!r} {what}: name a folder that `semreg train` has written") from None
    except ValueError as error:
        raise SemregError(f"{path} is not JSON ({error}): fetch the model again") from None
    version = fields.get("format") if isinstance(fields, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise SemregError(f"{path} has format {version}, this version reads up to {FORMAT}: update semreg")
    try:
        return ModelConfig.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SemregError(f"{path}: {where}: {first['msg']}: fetch the model again") from None


def load_model(folder: Path) -> tuple[CnnRnn, ModelConfig]:
    """Load a model folder for use: single precision, evaluation mode, normalisation folded into the convolutions.

    Raises:
        SemregError: the folder is no model, or its weights do not fit its configuration.
    """
    config = read_config(folder)
    model = build_model(config)
    model.load_state_dict(read_weights(folder, model.state_dict()))
    if not config.trunk.folded and not isinstance(model.trunk, TimmTrunk):
        model.trunk.fold()
    return model.eval(), config


def read_weights(folder: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Read a folder's weights in single precision.

    Raises:
        SemregError: missing, damaged or of another shape than `expected`.
    """
    path, weights = folder / WEIGHTS, read_weights_as_saved(folder)
    for name, value in expected.items():
        if name not in weights or weights[name].shape != value.shape:
            found = tuple(weights[name].shape) if name in weights else "nothing"
            raise SemregError(f"{path}: {name} must be {tuple(value.shape)}, is {found}: fetch the model again")
    return {name: weights[name].to(value.dtype) for name, value in expected.items()}


def read_weights_as_saved(folder: Path) -> dict[str, Tensor]:
    """A folder's weights by name, whatever model they belong to.

    Raises:
        SemregError: missing or damaged.
    """
    try:
        return unstored(load_file(folder / WEIGHTS))
    except Exception as error:  # safetensors raises its own kinds, none of them documented
        raise SemregError(f"{folder / WEIGHTS} cannot be read ({error}): fetch the model again") from None


def find_model(name: str | Path | None) -> Path:
    """The folder of a model: as named, or fetched from the Hugging Face Hub where the name is "hf:OWNER/NAME".

    None and "default" are the model that is part of the package; a folder of that name needs its whole path.

    Nothing but that prefix makes the program use the network; what was fetched once is found offline.

    Raises:
        SemregError: the Hub has no such model, or cannot be reached and the model was never fetched.
    """
    if name is None or str(name) == "default":
        return DEFAULT_MODEL
    if not str(name).startswith(HUB):
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(name).removeprefix(HUB), allow_patterns=[CONFIG, WEIGHTS, CARD, REPLAY]))
    except Exception as error:  # network, authentication and naming errors, each of its own kind
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SemregError(f"the model {name} cannot be fetched: {reason}") from None


def fingerprint(folder: Path) -> str:
    """Eight hex digits that tell one model's contents from another's: of its weights and configuration."""
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:8]
