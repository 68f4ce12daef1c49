"""Weights in fewer bits: how far they move, and what is left alone."""

from __future__ import annotations

import pytest
import torch

from semreg.model.stored import Bits, stored, unstored


def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    sizes = 10.0 ** torch.arange(-4, 4)  # rows of very different magnitude
    return {
        "matrix": torch.randn(8, 1024) * sizes[:, None],
        "convolution": torch.randn(32, 16, 3, 3),
        "empty rows": torch.zeros(8, 1024),
        "small": torch.randn(4, 4),
        "vector": torch.randn(5000),
        "tokens": torch.randint(0, 1000, (100, 100), dtype=torch.int16),
    }


def test_in_8_bits_a_weight_moves_by_half_a_step_of_its_row_at_most() -> None:
    before = weights()
    after = unstored(stored(before, 8))
    for name in ("matrix", "convolution", "empty rows"):
        rows, moved = before[name].flatten(1), (after[name] - before[name]).flatten(1)
        step = rows.abs().amax(1) / 127
        assert after[name].shape == before[name].shape and bool((moved.abs() <= 0.5001 * step[:, None]).all())
    assert bool((after["matrix"] != before["matrix"]).any())


def test_small_ones_are_halved_and_whole_numbers_stay() -> None:
    before = weights()
    after = unstored(stored(before, 8))
    assert all(torch.equal(after[name], before[name].half()) for name in ("small", "vector"))
    assert torch.equal(after["tokens"], before["tokens"]) and after["tokens"].dtype == torch.int16


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_rounding_twice_is_rounding_once(bits: Bits) -> None:
    once = stored(weights(), bits)
    twice = stored(unstored(once), bits)
    assert once.keys() == twice.keys()
    assert all(torch.equal(once[name], twice[name]) for name in once if not name.endswith(".scale"))
    assert all(torch.allclose(once[name], twice[name]) for name in once)
