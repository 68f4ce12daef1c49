"""EfficientNet-Lite against the reference package, with the same weight file; folded against unfolded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor

from semreg.model.efficientnet_lite import VARIANTS, EfficientNetLite, _weight_file, imagenet_weights

OWN_AND_ODD = [(variant, size) for variant in VARIANTS for size in (VARIANTS[variant].image_size, 97)]


@pytest.fixture(autouse=True)
def without_gradient() -> Iterator[None]:
    with torch.no_grad():
        yield


def pictures(*shape: int) -> Tensor:
    return torch.randint(0, 256, (*shape[:-2], 3, *shape[-2:]), generator=torch.Generator().manual_seed(0)).byte()


def ours(variant: str = "lite0") -> EfficientNetLite:
    trunk = EfficientNetLite(variant)
    trunk.load_state_dict(imagenet_weights(variant))
    return trunk.eval()


def reference(variant: str, size: int) -> EfficientNet:
    network = EfficientNet.from_name(f"efficientnet-{variant}", image_size=size)  # it pads for one fixed size
    network.load_state_dict(torch.load(_weight_file(variant), weights_only=True))
    return network.eval()


@pytest.mark.parametrize(("variant", "size"), OWN_AND_ODD)
def test_parts_are_the_reference_bit_for_bit(variant: str, size: int) -> None:
    # In double precision, where no processor's own convolution routine stands between the two.
    x = (pictures(1, size, size).double() - 127) / 128
    expected = reference(variant, size).double().extract_features(x)
    for part in ours(variant).double().parts():
        x = part(x)
    assert torch.equal(x, expected)


@pytest.mark.parametrize(("variant", "size"), OWN_AND_ODD)
def test_grid_is_the_reference_to_rounding_in_single_precision(variant: str, size: int) -> None:
    x = pictures(1, size, size)
    expected = reference(variant, size).extract_features((x.float() - 127) / 128)
    torch.testing.assert_close(ours(variant).lower(x, 9), expected, rtol=1e-4, atol=1e-4)


def test_pictures_need_not_be_square_nor_alone() -> None:
    trunk, batch = ours(), pictures(2, 64, 97)
    grid = trunk.lower(batch, 9)
    assert grid.shape == (2, trunk.feature_size, 2, 4)  # ceil(64 / 32), ceil(97 / 32)
    torch.testing.assert_close(grid[1:], trunk.lower(batch[1:], 9), rtol=1e-4, atol=1e-4)


def test_a_picture_of_one_pixel_has_features() -> None:
    features = ours()(pictures(1, 1, 1))
    assert features.shape == (1, 1280)
    assert features.isfinite().all()


def test_features_are_the_mean_of_the_grid() -> None:
    trunk, x = ours(), pictures(2, 64, 64)
    torch.testing.assert_close(trunk(x), trunk.lower(x, 9).flatten(2).mean(2))


def test_bytes_and_floats_agree() -> None:
    trunk, x = ours(), pictures(1, 64, 64)
    assert torch.equal(trunk(x), trunk(x.float()))


@pytest.mark.parametrize("variant", VARIANTS)
def test_folding_keeps_the_output(variant: str) -> None:
    trunk, x = ours(variant), pictures(1, 97, 97)
    before = trunk.lower(x, 9)
    folded = trunk.fold()
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded.lower(x, 9), before, rtol=1e-4, atol=1e-4)


def test_folding_twice_is_folding_once() -> None:
    trunk, x = ours(), pictures(1, 64, 64)
    once = trunk.fold().lower(x, 9)
    assert torch.equal(trunk.fold().lower(x, 9), once)


def test_a_model_built_folded_takes_folded_weights() -> None:
    folded, x = ours().fold(), pictures(1, 64, 64)
    built = EfficientNetLite("lite0", folded=True).eval()
    built.load_state_dict(folded.state_dict())
    assert torch.equal(built.lower(x, 9), folded.lower(x, 9))


def test_a_folded_model_gives_the_same_in_training_as_in_evaluation() -> None:
    trunk, x = ours().fold(), pictures(1, 64, 64)
    assert torch.equal(trunk.train().lower(x, 9), trunk.eval().lower(x, 9))


def test_weights_of_another_variant_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = _weight_file("lite2")
    monkeypatch.setattr("semreg.model.efficientnet_lite._weight_file", lambda variant: wrong)
    with pytest.raises(ValueError, match="weights of lite0 do not fit"):
        imagenet_weights("lite0")
