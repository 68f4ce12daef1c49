"""The stages that a recipe may have, each with its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from semreg.model_config import Form
from semreg.training.recipe_groups import AugmentationSettings, Count, Positive, Settings, Share


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
