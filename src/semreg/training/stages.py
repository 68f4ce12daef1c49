"""The paper's three stages: what each learns, from which batches, by which loss, and how it is validated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from semreg.data.images import Preprocessing
from semreg.data.loader import picture_batches
from semreg.data.vocabulary import PADDING, SPECIAL
from semreg.model.cnn_rnn import CnnRnn, Halfway, Taught
from semreg.model.interfaces import Encoding
from semreg.model.losses import UNARY_LOSSES, any_remaining_loss, relational_loss
from semreg.model.orders import Arrange, arrangement
from semreg.model.trunks import freeze
from semreg.training.examples import Examples
from semreg.training.features import look
from semreg.training.log import RunLog
from semreg.training.recipe import (
    ConceptsStage,
    JointStage,
    Recipe,
    RelationsStage,
    StageSettings,
    VisionSettings,
)
from semreg.training.validation import validate_concepts, validate_forms
from semreg.training.views import Views

FOLLOW = 0.02  # share of an embedding's mean and deviation that each batch replaces where the CNN starts from scratch


@dataclass(frozen=True)
class Setting:
    """What every stage works with.

    Attributes:
        recipe: the run's settings.
        train: pictures to learn from.
        validation: pictures that choose epochs.
        max_lengths: tokens in a sequence at most, by form.
        words: the vocabularies, by form.
        log: for progress.
        device: where the model is.
    """

    recipe: Recipe
    train: Examples
    validation: Examples
    max_lengths: Mapping[str, int]
    words: Mapping[str, Sequence[str]]
    log: RunLog
    device: torch.device

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures become the model's input."""
        return self.recipe.preprocessing.build()

    @property
    def arrange(self) -> dict[str, Arrange]:
        """How label paths are arranged at every update, where the recipe leaves their order to chance or the model."""
        arrange = arrangement(self.recipe.tags.order, len(SPECIAL))
        return {} if arrange is None else {"tags": arrange}


class Stage(Protocol):
    """One stage, ready to run: the loop knows nothing else of it."""

    name: str

    @property
    def settings(self) -> StageSettings:
        """Epochs, batch, rates."""
        ...

    def examples(self) -> int:
        """How many examples an epoch has."""
        ...

    def batches(self, epoch: int, chosen: Sequence[Sequence[int]]) -> Iterator[Any]:
        """The batches with the examples `chosen`, in that order."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, through the wrapped `model`, and its parts for the log."""
        ...

    def validate(self) -> tuple[float, dict[str, float]]:
        """The metric to maximise, and all figures for the log."""
        ...


def prepare_stage(number: int, setting: Setting, model: CnnRnn) -> Stage:
    """Set a stage up: choose which weights learn, and compute what can be computed once."""
    settings = setting.recipe.stages[number]
    name = f"{number + 1}-{settings.kind}"
    if isinstance(settings, ConceptsStage):
        return Concepts(name, settings, setting, model)
    if isinstance(settings, JointStage):
        return Joint(name, settings, setting, model)
    return Relations(name, settings, setting, model)


@torch.no_grad()
def encode(
    model: CnnRnn, examples: Examples, setting: Setting, what: str, mirror: bool | None = None, *, keep: bool = False
) -> Encoding:
    """What the model sees in all pictures of a split, (N, ...), as it stands and without augmentation.

    Args:
        model: set to evaluation mode.
        examples: the split.
        setting: says how pictures are prepared.
        what: they are, for people.
        mirror: the pictures themselves (False), their mirror images (True), or as the model is used (None): the
            average of both where the recipe's preprocessing says so.
        keep: look into the recipe's cache, and put there what is new: worth while where the CNN no longer changes.
    """
    data, average = setting.recipe.data, setting.recipe.preprocessing.mirror and mirror is None
    options: dict[str, Any] = {"workers": data.workers, "cache": data.cache if keep else None}

    def seen(mirrored: bool) -> Tensor:
        return look(model, examples.paths, setting.preprocessing, setting.log, what, mirror=mirrored, **options)

    features = (seen(False) + seen(True)) / 2 if average else seen(bool(mirror))
    return model.recognise(features)


class _Vision:
    """What the stages that teach the CNN share: pictures come from disk, augmented."""

    def __init__(self, name: str, settings: VisionSettings, setting: Setting, model: CnnRnn) -> None:
        self.name, self.setting, self.model = name, setting, model
        self.vision = settings
        freeze(model.trunk, settings.freeze)
        model.semantic.requires_grad_(True)
        data = setting.recipe.data
        self.views = Views(
            model,
            settings.freeze,
            settings.views,
            setting.train.paths,
            setting.preprocessing,
            settings.augmentation.build(),
            seed=data.seed,
            log=setting.log,
            workers=data.workers,
            cache=data.cache,
        )

    def _pictures(self, epoch: int, chosen: Sequence[Sequence[int]]) -> Iterator[Tensor | Halfway]:
        """The pictures of each batch, augmented; from the views where there are some."""
        if self.vision.views:
            return (self.views.batch(epoch, batch) for batch in chosen)
        return picture_batches(
            self.setting.train.paths,
            [[(epoch, index) for index in batch] for batch in chosen],
            self.setting.preprocessing,
            augmentation=self.vision.augmentation.build(),
            seed=self.setting.recipe.seed,
            workers=self.setting.recipe.data.workers,
        )

    def _unary(self, logits: Tensor, truth: Tensor) -> Tensor:
        return UNARY_LOSSES[self.vision.unary_loss](logits.float(), truth)


class Concepts(_Vision):
    """Stage 1: trunk and concept layer on L_u."""

    def __init__(self, name: str, settings: ConceptsStage, setting: Setting, model: CnnRnn) -> None:
        super().__init__(name, settings, setting, model)
        self.settings = settings
        model.decoders.requires_grad_(False)

    def examples(self) -> int:
        """One a picture."""
        return len(self.setting.train)

    def batches(self, epoch: int, chosen: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Pictures and s."""
        for indices, pictures in zip(chosen, self._pictures(epoch, chosen), strict=True):
            yield (
                pictures.to(self.setting.device),
                self.setting.train.truth[list(indices)].to(self.setting.device),
            )

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """L_u."""
        pictures, truth = batch
        seen: Taught = model(pictures, {})
        loss = self.settings.unary_weight * self._unary(seen.encoding.logits, truth)
        return loss, {"L_u": loss.item()}

    def validate(self) -> tuple[float, dict[str, float]]:
        """Mean average precision of the concepts."""
        encoding = encode(self.model, self.setting.validation, self.setting, "the validation pictures")
        return validate_concepts(encoding, self.setting.validation)


class Relations:
    """Stage 2: the decoders on L_r, from memory, with the CNN as it is."""

    def __init__(self, name: str, settings: RelationsStage, setting: Setting, model: CnnRnn) -> None:
        self.name, self.settings, self.setting, self.model = name, settings, setting, model
        self.forms = settings.forms or setting.recipe.forms
        model.trunk.requires_grad_(False)
        model.semantic.requires_grad_(False)
        for form in setting.recipe.forms:
            model.decoder(form).requires_grad_(form in self.forms)
        views = [encode(model, setting.train, setting, "the training pictures", False, keep=True)]
        if settings.mirror:
            views.append(encode(model, setting.train, setting, "their mirror images", True, keep=True))
        if settings.concepts == "true":
            truth = setting.train.truth.to(setting.device)
            views = [Encoding(view.features, view.logits, truth) for view in views]
        self.views = views
        self.seen = encode(model, setting.validation, setting, "the validation pictures", keep=True)
        self.pairs = setting.train.pairs(self.forms)
        for form in self.forms:
            interface = model.decoder(form).interface
            interface.standardise.fit(interface.embedding(_join(views)))

    def examples(self) -> int:
        """One a caption, or a picture."""
        return len(self.pairs)

    def batches(self, epoch: int, chosen: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Encodings, of either view at random, and paths."""
        device = self.setting.device
        for indices in chosen:
            pairs = [self.pairs[index] for index in indices]
            rows = torch.tensor([picture for picture, _ in pairs], device=device)
            mixed = torch.randint(len(self.views), (len(pairs), 1), device=device)
            encoding = Encoding(*(_pick(values, rows, mixed) for values in zip(*map(_fields, self.views), strict=True)))
            paths = {form: self.setting.train.batch(form, pairs).to(device) for form in self.forms}
            yield encoding, paths

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """L_r, summed over the forms."""
        encoding, paths = batch
        return _relational(model(encoding, paths, False, self.setting.arrange), self.setting, self.settings.smoothing)

    def validate(self) -> tuple[float, dict[str, float]]:
        """Greedy decoding: F1 of tags, CIDEr-D of captions."""
        self.model.eval()
        return validate_forms(
            self.model,
            self.seen,
            self.setting.validation,
            self.setting.max_lengths,
            self.setting.words,
            self.forms,
        )


class Joint(_Vision):
    """Stage 3: CNN and decoders on L = L_u + lambda L_r."""

    def __init__(self, name: str, settings: JointStage, setting: Setting, model: CnnRnn) -> None:
        super().__init__(name, settings, setting, model)
        self.settings = settings
        self.forms = settings.forms or setting.recipe.forms
        for form in setting.recipe.forms:
            model.decoder(form).requires_grad_(form in self.forms)
        self.pairs = setting.train.pairs(self.forms)
        from_the_start = not any(isinstance(stage, RelationsStage) for stage in setting.recipe.stages)
        unfitted = [f for f in self.forms if bool((model.decoder(f).interface.standardise.deviation == 1).all())]
        if unfitted:  # no relations stage came before: the scale must be set all the same
            seen = encode(model, setting.train, setting, "the training pictures")
            for form in unfitted:
                interface = model.decoder(form).interface
                interface.standardise.fit(interface.embedding(seen))
        for form in self.forms:  # in a first stage the CNN still changes beyond what was measured before it
            model.decoder(form).interface.standardise.follow = FOLLOW if from_the_start else 0.0

    def examples(self) -> int:
        """One a caption, or a picture."""
        return len(self.pairs)

    def batches(self, epoch: int, chosen: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Pictures, s and paths."""
        device, train = self.setting.device, self.setting.train
        pairs = [[self.pairs[index] for index in batch] for batch in chosen]
        rows = [[picture for picture, _ in batch] for batch in pairs]
        for batch, indices, pictures in zip(pairs, rows, self._pictures(epoch, rows), strict=True):
            paths = {form: train.batch(form, batch).to(device) for form in self.forms}
            yield pictures.to(device), train.truth[indices].to(device), paths

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """L_u + lambda L_r."""
        pictures, truth, paths = batch
        taught: Taught = model(pictures, paths, self.settings.stop_gradient, self.setting.arrange)
        relational, parts = _relational(taught, self.setting, self.settings.smoothing)
        unary = self._unary(taught.encoding.logits, truth)
        loss = self.settings.relational_weight * relational
        if self.settings.unary_weight:  # left out, not multiplied by 0: a weight without gradient must not decay either
            loss = loss + self.settings.unary_weight * unary
        return loss, {"L_u": unary.item(), **parts}

    def validate(self) -> tuple[float, dict[str, float]]:
        """Greedy decoding, and the concepts' mean average precision."""
        seen = encode(self.model, self.setting.validation, self.setting, "the validation pictures")
        metric, figures = validate_forms(
            self.model,
            seen,
            self.setting.validation,
            self.setting.max_lengths,
            self.setting.words,
            self.forms,
        )
        _, concepts = validate_concepts(seen, self.setting.validation)
        return metric, {**figures, **concepts}


def _relational(taught: Taught, setting: Setting, smoothing: float) -> tuple[Tensor, dict[str, float]]:
    losses = {}
    for form, logits in taught.logits.items():
        targets = taught.paths[form][:, 1:]
        if form == "tags" and setting.recipe.tags.order == "any":
            losses[form] = any_remaining_loss(logits.float(), targets, PADDING, len(SPECIAL))
        else:
            losses[form] = relational_loss(logits.float(), targets, PADDING, smoothing)
    return torch.stack(list(losses.values())).sum(), {f"L_r {form}": loss.item() for form, loss in losses.items()}


def _fields(encoding: Encoding) -> tuple[Tensor, Tensor, Tensor]:
    return encoding.features, encoding.logits, encoding.concepts


def _join(views: Sequence[Encoding]) -> Encoding:
    return Encoding(*(torch.cat(values) for values in zip(*map(_fields, views), strict=True)))


def _pick(values: Sequence[Tensor], rows: Tensor, mixed: Tensor) -> Tensor:
    """Rows of one of several views each: (B, ...)."""
    picked = values[0][rows]
    for number, view in enumerate(values[1:], 1):
        picked = torch.where(mixed == number, view[rows], picked)
    return picked
