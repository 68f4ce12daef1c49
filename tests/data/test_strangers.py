"""Pictures of nothing: the same for the same seed, of many kinds, and in the model's input form."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semreg.data.strangers import KINDS, SIDE, strangers


def test_the_seed_decides_them(data: Path) -> None:
    photographs = sorted(data.glob("*.jpg"))
    first, again, other = (strangers(12, photographs, seed) for seed in (3, 3, 4))
    assert [picture.tobytes() for picture in first] == [picture.tobytes() for picture in again]
    assert [picture.tobytes() for picture in first] != [picture.tobytes() for picture in other]
    assert len({picture.tobytes() for picture in first}) == 12
    assert all(picture.shape == (SIDE, SIDE, 3) and picture.dtype == np.uint8 for picture in first)


def test_every_kind_can_be_drawn_whatever_chance_says() -> None:
    for number, kind in enumerate(KINDS):
        for seed in range(20):
            picture = np.asarray(kind(np.random.default_rng([number, seed])))
            assert picture.shape == (SIDE, SIDE, 3) and picture.dtype == np.uint8


def test_without_photographs_none_is_a_piece_of_one() -> None:
    assert len(strangers(8, [], 0)) == 8
