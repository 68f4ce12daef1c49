"""The whole model: what each loss reaches, with and without the gradient stopped, and two decoders on one trunk."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from semreg.model.cnn_rnn import PRIOR, CnnRnn
from semreg.model.decoder import Decoder
from semreg.model.efficientnet_lite import EfficientNetLite
from semreg.model.interfaces import INTERFACES
from semreg.model.losses import binary_cross_entropy, relational_loss

B, D, K, V, E, H, S = 3, 5, 4, 8, 6, 7, 8
PADDING, START = 0, 1
TRUTH = torch.tensor([[1.0, 0.0, 0.0, 1.0]] * B)


class SmallTrunk(nn.Module):
    """A trunk that costs nothing: mean colours through one layer."""

    feature_size, image_size = D, S

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, D)

    def parts(self) -> list[nn.Module]:
        return [self.layer]

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.tanh(self.layer((pictures.float() / 255).mean((2, 3))))


def build(kind: str = "semantic", forms: tuple[str, ...] = ("tags",), trunk: nn.Module | None = None) -> CnnRnn:
    torch.manual_seed(0)
    trunk = trunk or SmallTrunk()
    size = K if kind == "semantic" else trunk.feature_size
    decoders = {form: Decoder(INTERFACES[kind](size, E, H), V, E, H) for form in forms}
    return CnnRnn(trunk, K, decoders).eval()


def pictures() -> Tensor:
    return torch.randint(0, 256, (B, 3, S, S), generator=torch.Generator().manual_seed(1)).byte()


def path(seed: int = 2) -> Tensor:
    tokens = torch.randint(2, V, (B, 4), generator=torch.Generator().manual_seed(seed))
    tokens[:, 0] = START
    return tokens


def touched(model: CnnRnn) -> set[str]:
    """The parts of the model whose weights got a gradient other than zero."""
    return {
        ".".join(name.split(".")[: 2 if name.startswith("decoders") else 1])
        for name, weight in model.named_parameters()
        if weight.grad is not None and bool((weight.grad != 0).any())
    }


def learn_relations(model: CnnRnn, form: str = "tags", stop_gradient: bool = False) -> None:
    tokens = path()
    _, told, _ = model(pictures(), {form: tokens}, stop_gradient)
    relational_loss(told[form], tokens[:, 1:], PADDING).backward()


def test_pictures_and_what_was_seen_in_them_tell_the_same() -> None:
    model, tokens = build(), path()
    seen, told, taught = model(pictures(), {"tags": tokens})
    again, retold, _ = model(model.encode(pictures()), {"tags": tokens})
    assert told["tags"].shape == (B, 3, V)
    assert taught["tags"] is tokens
    assert torch.equal(seen.concepts, again.concepts)
    assert torch.equal(told["tags"], retold["tags"])


def test_an_encoding_comes_back_as_it_went_in() -> None:
    model = build()
    encoding = model.encode(pictures())
    assert model(encoding, {}, stop_gradient=True) == (encoding, {}, {})


def test_s_hat_is_the_sigmoid_of_its_logits_and_rare_before_learning() -> None:
    encoding = build().encode(pictures())
    assert encoding.features.shape == (B, D)
    assert torch.equal(encoding.concepts, encoding.logits.sigmoid())
    torch.testing.assert_close(encoding.concepts, torch.full((B, K), PRIOR), rtol=0.3, atol=0)


@pytest.mark.parametrize("kind", INTERFACES)
def test_the_relational_loss_reaches_the_trunk_unless_the_gradient_is_stopped(kind: str) -> None:
    free, stopped = build(kind), build(kind)
    learn_relations(free)
    learn_relations(stopped, stop_gradient=True)
    assert touched(free) == {"trunk", "decoders.tags"} | ({"semantic"} if kind == "semantic" else set())
    assert touched(stopped) == {"decoders.tags"}


@pytest.mark.parametrize("kind", INTERFACES)
def test_the_unary_loss_touches_trunk_and_concept_layer_only(kind: str) -> None:
    model = build(kind)
    seen = model(pictures(), {"tags": path()}).encoding
    binary_cross_entropy(seen.logits, TRUTH).backward()
    assert touched(model) == {"trunk", "semantic"}


def test_with_the_gradient_stopped_the_cnn_learns_as_from_the_unary_loss_alone() -> None:
    alone, jointly, tokens = build(), build(), path()
    seen = alone(pictures(), {}).encoding
    binary_cross_entropy(seen.logits, TRUTH).backward()
    seen, told, _ = jointly(pictures(), {"tags": tokens}, stop_gradient=True)
    (binary_cross_entropy(seen.logits, TRUTH) + relational_loss(told["tags"], tokens[:, 1:], PADDING)).backward()
    for part in ("trunk", "semantic"):
        weights = zip(getattr(alone, part).parameters(), getattr(jointly, part).parameters(), strict=True)
        assert all(torch.equal(one.grad, other.grad) for one, other in weights)


def test_two_decoders_on_one_trunk_tell_as_each_would_alone() -> None:
    model = build(forms=("tags", "caption"))
    both = model(pictures(), {"tags": path(2), "caption": path(3)}).logits
    assert set(both) == {"tags", "caption"}
    assert torch.equal(both["tags"], model(pictures(), {"tags": path(2)}).logits["tags"])
    assert torch.equal(both["caption"], model.decoder("caption")(model.encode(pictures()), path(3)[:, :-1]))
    assert not torch.equal(model(pictures(), {"tags": path(3)}).logits["tags"], both["caption"])


def test_teaching_one_decoder_leaves_the_other_alone() -> None:
    model = build(forms=("tags", "caption"))
    learn_relations(model, "caption")
    assert touched(model) == {"trunk", "semantic", "decoders.caption"}


def test_dropout_on_the_features_is_for_training_only() -> None:
    model = build()
    assert torch.equal(model.encode(pictures()).logits, model.encode(pictures()).logits)
    model.train()
    assert not torch.equal(model.encode(pictures()).logits, model.encode(pictures()).logits)


def test_it_stands_on_the_built_in_trunk_too() -> None:
    model = build(trunk=EfficientNetLite("lite0", folded=True))
    x = pictures().repeat(1, 1, 4, 4)
    seen, told, _ = model(x, {"tags": path()})
    assert seen.features.shape == (B, 1280)
    assert told["tags"].isfinite().all()
    told["tags"].sum().backward()
    assert model.trunk.stem.conv.weight.grad is not None


def test_with_the_mirror_image_left_and_right_make_no_difference() -> None:
    class LopsidedTrunk(SmallTrunk):
        def forward(self, pictures: Tensor) -> Tensor:
            return super().forward(pictures[..., : S // 2])  # sees the left half alone

    model = build(trunk=LopsidedTrunk())
    x = pictures()
    plain, turned = (model.encode(view) for view in (x, x.flip(3)))
    both = model.encode(x, mirror=True)
    assert not torch.allclose(plain.features, turned.features)
    torch.testing.assert_close(both.features, (plain.features + turned.features) / 2)
    torch.testing.assert_close(both.concepts, model.encode(x.flip(3), mirror=True).concepts)
