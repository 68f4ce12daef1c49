"""Batches side by side: same results, same order, the threads shared out and given back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import semreg
from semreg import Options
from semreg.streams import growing, in_streams, in_two_steps


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_two_items_are_worked_on_at_the_same_time_with_half_the_threads_each(four_threads: None) -> None:
    both = threading.Barrier(2, timeout=20)

    def work(item: int) -> tuple[int, int]:
        both.wait()  # passes only where another is at work too
        return item, torch.get_num_threads()

    assert list(in_streams(work, range(10), 2)) == [(item, 2) for item in range(10)]
    assert torch.get_num_threads() == 4


def test_threads_that_do_not_divide_are_all_given_out(four_threads: None) -> None:
    all_three = threading.Barrier(3, timeout=20)

    def work(item: int) -> int:
        all_three.wait()
        return torch.get_num_threads()

    assert sorted(in_streams(work, range(3), 3)) == [1, 1, 2]


def test_more_streams_than_threads_have_one_each(four_threads: None) -> None:
    assert list(in_streams(lambda item: torch.get_num_threads(), range(12), 6)) == [1] * 12


@pytest.mark.parametrize(("items", "streams"), [(1, 2), (5, 1), (0, 2)])
def test_one_item_or_one_stream_has_all_threads(four_threads: None, items: int, streams: int) -> None:
    caller = threading.get_ident()
    found = list(in_streams(lambda item: (item, torch.get_num_threads(), threading.get_ident()), range(items), streams))
    assert found == [(item, 4, caller) for item in range(items)]


def test_a_failure_reaches_the_caller_and_gives_the_threads_back(four_threads: None) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("the third")
        return item

    stream = in_streams(work, range(100), 2)
    with pytest.raises(ValueError, match="the third"):
        list(stream)
    assert torch.get_num_threads() == 4


def test_what_is_left_early_stops_and_gives_the_threads_back(four_threads: None) -> None:
    done: list[int] = []
    stream = in_streams(done.append, range(1000), 2)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(done) <= 5 and torch.get_num_threads() == 4


@pytest.mark.parametrize("count", [0, 1, 2, 7, 40])
def test_groups_grow_and_leave_nothing_out(count: int) -> None:
    groups = list(growing(range(count), 4))
    assert [item for group in groups for item in group] == list(range(count))
    assert [len(group) for group in groups[:-1]] == [1, 2, *[4] * count][: max(0, len(groups) - 1)]


def test_the_first_group_waits_for_one_item_only() -> None:
    asked: list[int] = []
    items = (asked.append(item) or item for item in range(100))  # type: ignore[func-returns-value]
    assert next(growing(items, 8)) == [0] and asked == [0]


@pytest.mark.parametrize("streams", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 5, 30])
def test_what_is_looked_at_side_by_side_is_told_of_in_order_and_in_groups(
    four_threads: None, streams: int, count: int
) -> None:
    told = list(in_two_steps(lambda item: 10 * item, list, range(count), streams, 4))
    assert [value for group in told for value in group] == [10 * item for item in range(count)]
    assert all(len(group) <= 4 for group in told) and torch.get_num_threads() == 4


def test_looking_goes_on_while_something_is_told(four_threads: None) -> None:
    looked = threading.Semaphore(0)

    def look(item: int) -> int:
        looked.release()
        return item

    def tell(group: list[int]) -> bool:
        return all(looked.acquire(timeout=20) for _ in range(3 if group == [0] else 0))  # more than the group's one

    assert all(in_two_steps(look, tell, range(12), 2, 4))


@pytest.mark.parametrize("part", ["look", "tell"])
def test_a_failure_in_either_step_reaches_the_caller(four_threads: None, part: str) -> None:
    def work(item: object) -> object:
        raise ValueError(f"cannot {part}")

    def same(item: object) -> object:
        return item

    steps = (work, same) if part == "look" else (same, work)
    with pytest.raises(ValueError, match=f"cannot {part}"):
        list(in_two_steps(*steps, range(100), 2, 4))
    assert torch.get_num_threads() == 4


def test_streams_tell_what_one_batch_after_the_other_tells(four_threads: None, model_folder: Path, data: Path) -> None:
    annotator = semreg.load(model_folder)
    assert annotator.engine.streams == 4
    pictures = sorted(data.glob("*.jpg"))
    side_by_side = list(annotator.annotate(pictures, Options(batch_size=2)))
    annotator.engine.streams = 1
    in_turn = list(annotator.annotate(pictures, Options(batch_size=2)))
    assert [(a.file_name, [t.label for t in a.tags], a.caption and a.caption.text) for a in side_by_side] == [
        (a.file_name, [t.label for t in a.tags], a.caption and a.caption.text) for a in in_turn
    ]
