"""Trunks by name: the EfficientNet-Lite family built in, and any model of timm where that extra is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from semreg.errors import SemregError
from semreg.model.efficientnet_lite import VARIANTS, EfficientNetLite, imagenet_weights


class Trunk(Protocol):
    """What the model needs of a CNN: pictures (B, 3, S, S) with values 0..255 in, features phi(I) (B, D) out.

    Attributes:
        feature_size: D.
        image_size: the side S in pixels that it was trained at; others work too.
    """

    feature_size: int
    image_size: int

    def __call__(self, pictures: Tensor) -> Tensor:
        """Features of pictures."""
        ...

    def parts(self) -> list[nn.Module]:
        """The trunk from input to output in a few parts, for freezing the first ones."""
        ...

    def lower(self, pictures: Tensor, parts: int) -> Tensor:
        """What the first `parts` parts make of pictures."""
        ...

    def upper(self, grid: Tensor, parts: int) -> Tensor:
        """Features from what the first `parts` parts have made."""
        ...


class TimmTrunk(nn.Module):
    """A timm model without its classifier; brings its own mean and deviation, so that it too takes 0..255.

    Args:
        name: any name timm knows, such as "resnet101", "inception_v3" or "vgg16".
        pretrained: load timm's weights (needs them on disk or a network).

    Raises:
        SemregError: timm is not installed, or knows no such model.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: str, pretrained: bool = False) -> None:
        super().__init__()
        timm = _import_timm()
        if not timm.is_model(name):
            near = ", ".join(timm.list_models(f"*{name[:6]}*")[:5]) or ", ".join(VARIANTS)
            raise SemregError(f"trunk must be lite0, lite1, lite2 or a timm model, is {name!r}: try {near}")
        self.network = timm.create_model(name, pretrained=pretrained, num_classes=0)
        data = timm.data.resolve_model_data_config(self.network)
        # Where layers follow the pooling (VGG, MobileNet), num_features counts what goes into them.
        self.feature_size = int(getattr(self.network, "head_hidden_size", self.network.num_features))
        self.image_size = int(data["input_size"][-1])
        self.register_buffer("mean", 255 * torch.tensor(data["mean"])[:, None, None], persistent=False)
        self.register_buffer("deviation", 255 * torch.tensor(data["std"])[:, None, None], persistent=False)

    def parts(self) -> list[nn.Module]:
        """The network's own top-level parts, from input to output."""
        return list(self.network.children())

    def lower(self, pictures: Tensor, parts: int) -> Tensor:
        """Not for these: how the parts of a timm model hang together is its own affair.

        Raises:
            SemregError: always.
        """
        raise SemregError("only lite0, lite1 and lite2 can be run in two halves: set views: 0 for a timm trunk")

    upper = lower

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (B, 3, S, S), 0..255 in RGB, to features phi(I) (B, D)."""
        dtype = next(self.network.parameters()).dtype
        return cast(Tensor, self.network((pictures.to(dtype) - self.mean) / self.deviation))


class SideBySide(nn.Module):
    """A trunk that has been taught, and others as ImageNet made them; phi(I) is the features of all, side by side.

    Teaching a few thousand pictures to a trunk makes it unlearn much of what a million have taught it. One that was
    left alone still sees it, and another architecture sees other things: they err in different places.

    Args:
        taught: the trunk that learns; its parts are the parts of this one.
        others: look at the same pictures, of the taught trunk's size.
    """

    def __init__(self, taught: EfficientNetLite | TimmTrunk, others: Sequence[EfficientNetLite | TimmTrunk]) -> None:
        super().__init__()
        self.taught, self.others = taught, nn.ModuleList(others)
        self.image_size = taught.image_size
        self.feature_size = taught.feature_size + sum(other.feature_size for other in others)

    def parts(self) -> list[nn.Module]:
        """The taught trunk's."""
        return self.taught.parts()

    def lower(self, pictures: Tensor, parts: int) -> Tensor:
        """Not for these: the trunk that is taught is run in two halves while it is alone.

        Raises:
            SemregError: always.
        """
        raise SemregError("trunks side by side cannot be run in two halves: teach the one before the others come")

    upper = lower

    def fold(self) -> SideBySide:
        """Fold the taught trunk's batch normalisation; the others have none."""
        if isinstance(self.taught, EfficientNetLite):
            self.taught.fold()
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (B, 3, S, S), 0..255 in RGB, to features phi(I) (B, D), the taught trunk's first."""
        return torch.cat([self.taught(pictures), *(other(pictures) for other in self.others)], dim=1)


def build_trunk(name: str, *, pretrained: bool = False, folded: bool = False) -> EfficientNetLite | TimmTrunk:
    """Build a trunk by name.

    Args:
        name: "lite0", "lite1", "lite2", or a timm model's name.
        pretrained: with its ImageNet weights, else with random ones.
        folded: batch normalisation folded into the convolutions (the built-in family only).

    Raises:
        SemregError: no such trunk, or timm is wanted and not installed.
    """
    if name not in VARIANTS:
        return TimmTrunk(name, pretrained)
    if not pretrained:
        return EfficientNetLite(name, folded)
    trunk = EfficientNetLite(name)
    trunk.load_state_dict(imagenet_weights(name))
    return trunk.fold() if folded else trunk


def freeze(trunk: Trunk, parts: int) -> None:
    """Keep the first `parts` parts of a trunk from learning, and let the rest learn.

    Raises:
        SemregError: the trunk has fewer parts.
    """
    available = trunk.parts()
    if not 0 <= parts <= len(available):
        raise SemregError(f"freeze must lie in 0..{len(available)} for this trunk, is {parts}")
    for index, part in enumerate(available):
        part.requires_grad_(index >= parts)


@torch.no_grad()
def blend(trunk: nn.Module, other: nn.Module, share: float) -> None:
    """Give a trunk a share of another's weights, one by one, in place; both began as one."""
    theirs = other.state_dict()
    for name, value in trunk.state_dict().items():
        if value.is_floating_point():
            value.lerp_(theirs[name].to(value), share)


def _import_timm() -> Any:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not match torch
        raise SemregError(
            f"this trunk needs timm, which cannot be imported ({str(error).splitlines()[0]}): "
            "pip install 'semreg[timm]', or take lite0, lite1 or lite2"
        ) from error
    return timm
