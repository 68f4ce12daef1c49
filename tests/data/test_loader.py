"""Pictures to batches: in order, the same however they are loaded, and broken ones named before training starts."""

from __future__ import annotations

import re
import shutil

import pytest
import torch

from semreg.data.augmentation import Augmentation
from semreg.data.images import Preprocessing, prepare, read_picture
from semreg.data.loader import in_order, leave_out_unreadable, picture_batches
from semreg.data.records import Record, read_records
from semreg.errors import PictureError, SemregError

SMALL = Preprocessing(24)
STRONG = Augmentation(crop=0.3, erase=0.5)


@pytest.fixture
def paths(data):
    return [record.path for record in read_records(data)][:6]


def load(paths, batches, **options):
    return torch.cat(list(picture_batches(paths, batches, SMALL, **options)))


def test_batches_come_in_their_order_and_size(paths):
    keys = [[(0, 3), (0, 1)], [(0, 5)], [(0, 0), (0, 1), (0, 2)]]
    batches = list(picture_batches(paths, keys, SMALL))
    assert [batch.shape for batch in batches] == [(len(row), 3, 24, 24) for row in keys]
    for row, batch in zip(keys, batches, strict=True):
        for (_, index), picture in zip(row, batch, strict=True):
            assert torch.equal(picture, prepare(read_picture(paths[index], at_least=48), SMALL))


@pytest.mark.parametrize(("count", "batch"), [(0, 4), (3, 4), (4, 4), (9, 4)])
def test_in_order_has_every_picture_once(count, batch):
    keys = in_order(count, batch)
    assert [key for row in keys for key in row] == [(0, index) for index in range(count)]
    assert all(len(row) == batch for row in keys[:-1]) and all(keys)


def test_augmentation_depends_on_seed_epoch_and_picture_alone(paths):
    alone = {
        (epoch, index): load(paths, [[(epoch, index)]], augmentation=STRONG, seed=7)[0]
        for epoch in (0, 1)
        for index in range(6)
    }
    mixed = [[(1, 4), (0, 2), (1, 1)], [(0, 4), (1, 4)]]
    torch.manual_seed(99)  # plays no part
    found = load(paths, mixed, augmentation=STRONG, seed=7)
    assert torch.equal(found, torch.stack([alone[key] for row in mixed for key in row]))
    assert all(not torch.equal(alone[0, index], alone[1, index]) for index in range(6))
    other = load(paths, in_order(6, 6), augmentation=STRONG, seed=8)
    assert all(not torch.equal(other[index], alone[0, index]) for index in range(6))


@pytest.mark.slow
@pytest.mark.parametrize("augmentation", [None, STRONG])
def test_a_worker_gives_the_same_pictures_as_none(paths, augmentation):
    keys = [[(1, 3), (0, 1)], [(0, 5), (2, 0)], [(0, 2)]]
    here, there = (load(paths, keys, augmentation=augmentation, seed=3, workers=workers) for workers in (0, 1))
    assert torch.equal(here, there)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_picture_that_is_gone_since_it_was_tried_is_named_in_one_sentence(paths, tmp_path, workers):
    gone = tmp_path / "gone.jpg"
    with pytest.raises(PictureError, match=f"^{re.escape(str(gone))} does not exist$"):
        list(picture_batches([gone], [[(0, 0)]], SMALL, workers=workers))


@pytest.fixture
def records(data, tmp_path):
    """Ten pictures, the second one a text and the fifth one missing."""
    for number in range(10):
        shutil.copy(data / f"{number:02}.jpg", tmp_path / f"{number}.jpg")
    (tmp_path / "1.jpg").write_text("no picture", encoding="utf-8")
    (tmp_path / "4.jpg").unlink()
    return [Record(tmp_path / f"{number}.jpg", f"{number}.jpg", "train") for number in range(10)]


def test_unreadable_pictures_are_left_out_named_and_counted(records):
    looked_at = []
    good, problems = leave_out_unreadable(records, 0.2, lambda: looked_at.append(1))
    assert good == [record for number, record in enumerate(records) if number not in (1, 4)]
    assert problems == [f"{records[1].path} is not a picture (no known format)", f"{records[4].path} does not exist"]
    assert len(looked_at) == 10


def test_more_than_the_allowed_share_stops_with_numbers_a_name_and_the_setting(records):
    with pytest.raises(SemregError) as caught:
        leave_out_unreadable(records, 0.19)
    said = str(caught.value)
    assert said.startswith(f"2 of 10 pictures cannot be read (first: {records[1].path} is not a picture")
    assert "at most 19.0% may be" in said and "data.unreadable" in said


def test_a_sound_set_is_left_as_it_is(data):
    records = read_records(data)
    assert leave_out_unreadable(records, 0.0) == (records, [])
