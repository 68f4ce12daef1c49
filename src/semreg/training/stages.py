"""The stages of a run: what the loop knows of one, and which class each kind in a recipe is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from semreg.model.cnn_rnn import CnnRnn
from semreg.training.language_stage import Language
from semreg.training.memory_stages import Relations, SelfCritical
from semreg.training.recipe_stages import ConceptsStage, JointStage, LanguageStage, SelfCriticalStage, StageSettings
from semreg.training.setting import Setting
from semreg.training.vision_stages import Concepts, Joint


class Stage(Protocol):
    """One stage, ready to run: the loop knows nothing else of it."""

    name: str

    @property
    def settings(self) -> StageSettings:
        """Epochs, batch, rates."""
        ...

    def begin(self) -> None:
        """Change the model once, when the stage begins; not when it goes on from a checkpoint."""
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
    if isinstance(settings, SelfCriticalStage):
        return SelfCritical(name, settings, setting, model)
    if isinstance(settings, LanguageStage):
        return Language(name, settings, setting, model)
    return Relations(name, settings, setting, model)
