"""The stages that teach the CNN, from pictures: `concepts` on L_u alone, `joint` on L_u and L_r."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from semreg.data.loader import picture_batches
from semreg.model.cnn_rnn import CnnRnn, Halfway, Taught
from semreg.model.interfaces import Encoding
from semreg.model.losses import UNARY_LOSSES
from semreg.model.trunks import blend, build_trunk, freeze
from semreg.training.path_loss import path_loss
from semreg.training.recipe_stages import ConceptsStage, JointStage, RelationsStage, VisionSettings
from semreg.training.setting import Setting, encode
from semreg.training.validation import validate_concepts, validate_forms
from semreg.training.views import Views

FOLLOW = 0.02  # share of an embedding's mean and deviation that each batch replaces where the CNN starts from scratch


class _Vision:
    """What the stages that teach the CNN share: pictures come from disk, augmented."""

    def __init__(self, name: str, settings: VisionSettings, setting: Setting, model: CnnRnn) -> None:
        self.name, self.setting, self.model = name, setting, model
        self.vision = settings
        freeze(model.trunk, settings.freeze)
        model.semantic.requires_grad_(True)
        learns = any(parameter.requires_grad for parameter in model.trunk.parameters())
        self.fixed = not learns and setting.recipe.trunk.batchnorm != "trained"
        self.features: Tensor | None = None  # of the validation pictures, where the trunk is fixed
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

    def begin(self) -> None:
        """Nothing to change."""

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

    @torch.no_grad()
    def _validation(self) -> Encoding:
        """What the model sees in the validation pictures as it stands."""
        if self.features is not None:
            self.model.eval()
            return self.model.recognise(self.features)
        seen = encode(self.model, self.setting.validation, self.setting, "the validation pictures", keep=self.fixed)
        self.features = seen.features if self.fixed else None
        return seen

    def _unary(self, logits: Tensor, truth: Tensor) -> Tensor:
        return UNARY_LOSSES[self.vision.unary_loss](logits.float(), truth)


class Concepts(_Vision):
    """Stage 1: trunk and concept layer on L_u."""

    def __init__(self, name: str, settings: ConceptsStage, setting: Setting, model: CnnRnn) -> None:
        super().__init__(name, settings, setting, model)
        self.settings = settings
        model.decoders.requires_grad_(False)

    def begin(self) -> None:
        """Give the trunk a share of its ImageNet weights back."""
        if self.settings.restore:
            trunk = self.setting.recipe.trunk
            first = build_trunk(trunk.name, pretrained=True, folded=trunk.batchnorm == "folded")
            blend(self.model.trunk, first, self.settings.restore)

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
        return validate_concepts(self._validation(), self.setting.validation)


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
        relational, parts = path_loss(taught, self.setting, self.settings.smoothing)
        unary = self._unary(taught.encoding.logits, truth)
        loss = self.settings.relational_weight * relational
        if self.settings.unary_weight:  # left out, not multiplied by 0: a weight without gradient must not decay either
            loss = loss + self.settings.unary_weight * unary
        return loss, {"L_u": unary.item(), **parts}

    def validate(self) -> tuple[float, dict[str, float]]:
        """Greedy decoding, and the concepts' mean average precision."""
        seen = self._validation()
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
