"""A model on disk: a folder with config.json, model.safetensors and README.md; loads offline and without pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import ValidationError
from safetensors.torch import load_file, save
from torch import Tensor

from semreg.data.vocabulary import PADDING, SPECIAL
from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.consensus import Consensus
from semreg.model.decoder import Decoder
from semreg.model.interfaces import INTERFACES, Interface, SemanticInterface
from semreg.model.neighbours import Neighbours
from semreg.model.stored import stored, unstored
from semreg.model.trunks import SideBySide, TimmTrunk
from semreg.model_config import FORMAT, Form, ModelConfig

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
REPLAY = "replay.safetensors"  # features of some training pictures: only learning from corrections needs them
DEFAULT_MODEL = Path(__file__).with_name("default_model")
HUB = "hf:"


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
    """Write a model folder's configuration, replaced as a whole, in this version's format."""
    fields = {**config.model_dump(mode="json"), "format": FORMAT}
    with atomic_write(folder / CONFIG) as file:
        file.write(json.dumps(fields, ensure_ascii=False, indent=1) + "\n")


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
