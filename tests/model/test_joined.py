"""Decoders joined to one: it says what they say on the mean, whatever the interface."""

from __future__ import annotations

import pytest
import torch

from semreg.model.decoder import Decoder
from semreg.model.interfaces import INTERFACES, Encoding, SemanticInterface
from semreg.model.joined import join

D, K, WORDS = 5, 4, 9


def decoder(kind: str, seed: int, members: int = 1, every_step: bool = True) -> Decoder:
    torch.manual_seed(seed)
    sizes = (K if kind == "semantic" else D, 6 * members, 8 * members, every_step)
    of_token = torch.tensor([-1, -1, -1, -1, 0, 1, 2, 3, -1])
    interface = SemanticInterface(*sizes, concept_of_token=of_token) if kind == "semantic" else INTERFACES[kind](*sizes)
    made = Decoder(interface, WORDS, 6 * members, 8 * members)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            weight.normal_() if "evidence" not in name else weight.uniform_()
        made.interface.standardise.mean.fill_(0.3)
        made.interface.standardise.deviation.fill_(0.7)
    return made.eval()


def seen(pictures: int = 3) -> Encoding:
    torch.manual_seed(5)
    logits = torch.randn(pictures, K)
    return Encoding(torch.randn(pictures, D), logits, logits.sigmoid())


@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("members", [1, 2, 3])
@pytest.mark.parametrize("kind", INTERFACES)
def test_the_logits_are_the_mean_of_the_members(kind: str, members: int, every_step: bool) -> None:
    each = [decoder(kind, seed, every_step=every_step) for seed in range(members)]
    whole = decoder(kind, 9, members, every_step)
    join(each, whole)
    tokens = torch.randint(0, WORDS, (3, 7))
    expected = torch.stack([member(seen(), tokens) for member in each]).mean(0)
    torch.testing.assert_close(whole(seen(), tokens), expected, rtol=1e-4, atol=1e-5)
    state, last = whole.begin(seen()), None
    for step in range(7):  # a token at a time as well
        last, state = whole.step(tokens[:, step], state)
    assert last is not None
    torch.testing.assert_close(last, expected[:, -1], rtol=1e-4, atol=1e-5)


def test_sizes_and_scales_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 decoders of 8 are no decoder of 24"):
        join([decoder("state", 0), decoder("state", 1)], decoder("state", 2, 3))
    other = decoder("state", 1)
    other.interface.standardise.mean.fill_(1.0)
    with pytest.raises(ValueError, match="differ in mean"):
        join([decoder("state", 0), other], decoder("state", 2, 2))
