"""Trunks by name, what is said of unknown ones, and freezing the first few parts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from semreg.errors import SemregError
from semreg.model.efficientnet_lite import VARIANTS, EfficientNetLite, imagenet_weights
from semreg.model.trunks import TimmTrunk, build_trunk, freeze


@pytest.fixture(scope="module")
def lite0() -> EfficientNetLite:
    return EfficientNetLite("lite0")


@pytest.fixture
def with_timm() -> None:
    try:
        import timm  # noqa: F401
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not match torch
        pytest.skip(f"timm cannot be imported: {str(error).splitlines()[0]}")


def test_every_built_in_name_gives_its_variant() -> None:
    for name, variant in VARIANTS.items():
        trunk = build_trunk(name)
        assert isinstance(trunk, EfficientNetLite)
        assert (trunk.feature_size, trunk.image_size) == (1280, variant.image_size)


def test_pretrained_means_the_imagenet_weights() -> None:
    weights, built = imagenet_weights("lite0"), build_trunk("lite0", pretrained=True).state_dict()
    assert built.keys() == weights.keys()
    assert all(torch.equal(built[name], value) for name, value in weights.items())


def test_pretrained_and_folded_is_pretrained_then_folded() -> None:
    trunk, same = build_trunk("lite0", pretrained=True, folded=True), build_trunk("lite0", pretrained=True)
    x = torch.full((1, 3, 40, 40), 200.0)
    with torch.no_grad():
        torch.testing.assert_close(trunk.eval()(x), same.eval()(x), rtol=1e-4, atol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in trunk.modules())


def test_without_timm_another_name_is_answered_with_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # what Python itself does to forbid an import
    with pytest.raises(SemregError, match=r"needs timm.*pip install 'semreg\[timm\]', or take lite0, lite1 or lite2"):
        build_trunk("resnet50")


def test_a_timm_that_breaks_while_loading_is_answered_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist\\nand more')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(SemregError, match=r"\(operator torchvision::nms does not exist\): pip install"):
        build_trunk("resnet50")


@pytest.mark.parametrize("parts", [0, 1, 5, 9])
def test_freezing_n_parts_freezes_the_first_n_and_no_other(lite0: EfficientNetLite, parts: int) -> None:
    freeze(lite0, 9 - parts)  # what was frozen before must not matter
    freeze(lite0, parts)
    learning = [{weight.requires_grad for weight in part.parameters()} for part in lite0.parts()]
    assert learning == [{False}] * parts + [{True}] * (9 - parts)


def test_the_nine_parts_hold_every_weight(lite0: EfficientNetLite) -> None:
    assert len(lite0.parts()) == 9
    assert sum(len(list(part.parameters())) for part in lite0.parts()) == len(list(lite0.parameters()))


@pytest.mark.parametrize("parts", [-1, 10])
def test_freezing_more_than_there_is_names_the_range(lite0: EfficientNetLite, parts: int) -> None:
    with pytest.raises(SemregError, match=rf"freeze must lie in 0\.\.9 for this trunk, is {parts}"):
        freeze(lite0, parts)


# In the second one, as in VGG, layers behind the pooling change the number of features.
@pytest.mark.parametrize("name", ["test_resnet", "mobilenetv3_small_050"])
def test_a_timm_model_gives_as_many_features_as_it_says(with_timm: None, name: str) -> None:
    trunk = build_trunk(name).eval()
    with torch.no_grad():
        features = trunk(torch.zeros(2, 3, trunk.image_size, trunk.image_size))
    assert features.shape == (2, trunk.feature_size)


def test_a_timm_model_takes_0_to_255_and_normalises_as_it_was_trained(with_timm: None) -> None:
    trunk = build_trunk("test_efficientnet").eval()
    assert isinstance(trunk, TimmTrunk)
    x = torch.randint(0, 256, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0)).byte()
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = trunk.network((x / 255 - mean) / deviation)
        torch.testing.assert_close(trunk(x), expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(trunk(x), trunk(x.float()))


def test_the_first_parts_of_a_timm_model_freeze(with_timm: None) -> None:
    trunk = build_trunk("test_resnet")
    freeze(trunk, 1)
    first, *others = trunk.parts()
    assert not any(weight.requires_grad for weight in first.parameters())
    assert all(weight.requires_grad for part in others for weight in part.parameters())


def test_a_name_that_timm_does_not_know_is_answered_with_ones_it_does(with_timm: None) -> None:
    with pytest.raises(SemregError, match=r"trunk must be lite0, .* is 'resnetty': try \w*resnet"):
        build_trunk("resnetty")
    with pytest.raises(SemregError, match=r"is 'qqqq': try lite0, lite1, lite2"):
        build_trunk("qqqq")
