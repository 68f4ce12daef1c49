"""The model thread: items together, each answered once, none for clients that have gone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest

from semreg.server.batching import ModelThread
from semreg.server.metrics import Metrics
from semreg.server.problems import Problem


class Model:
    """Doubles numbers, and remembers which went together."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, items: Sequence[int], kind: str) -> Sequence[int]:
        self.go.wait()
        self.batches.append(list(items))
        if 13 in items:
            raise ValueError("unlucky")
        return [2 * item for item in items]


def thread(model: Model, window: float = 0.0, capacity: int = 100) -> ModelThread[int, int, str]:
    return ModelThread(model, batch=4, window=window, capacity=capacity, metrics=Metrics("m"))


def test_what_waits_goes_together_up_to_the_limit_and_all_are_answered() -> None:
    async def scene() -> None:
        model = Model()
        one = thread(model)
        one.start()
        model.go.clear()
        first = asyncio.ensure_future(one.submit(0, "a"))
        await asyncio.sleep(0.05)  # it is in the model now
        others = [asyncio.ensure_future(one.submit(n, "a")) for n in range(1, 10)]
        await asyncio.sleep(0)
        model.go.set()
        assert await asyncio.gather(first, *others) == [2 * n for n in range(10)]
        assert model.batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]]
        await one.close()

    asyncio.run(scene())


def test_only_one_kind_goes_together_and_none_is_forgotten() -> None:
    async def scene() -> None:
        model = Model()
        one = thread(model)
        work = [asyncio.ensure_future(one.submit(n, "ab"[n % 2])) for n in range(8)]
        await asyncio.sleep(0)
        one.start()
        assert await asyncio.gather(*work) == [2 * n for n in range(8)]
        assert sorted(map(sorted, model.batches)) == [[0, 2, 4, 6], [1, 3, 5, 7]]
        await one.close()

    asyncio.run(scene())


def test_one_bad_item_costs_no_other_its_answer() -> None:
    async def scene() -> None:
        one = thread(Model())
        work = [asyncio.ensure_future(one.submit(n, "a")) for n in (12, 13, 14)]
        await asyncio.sleep(0)
        one.start()
        told = await asyncio.gather(*work, return_exceptions=True)
        assert told[0] == 24 and isinstance(told[1], ValueError) and told[2] == 28
        await one.close()

    asyncio.run(scene())


def test_what_is_cancelled_while_it_waits_never_reaches_the_model() -> None:
    async def scene() -> None:
        model = Model()
        one = thread(model)
        work = [asyncio.ensure_future(one.submit(n, "a")) for n in range(3)]
        await asyncio.sleep(0)
        work[1].cancel()
        await asyncio.sleep(0)
        one.start()
        assert await work[0] == 0 and await work[2] == 4
        assert model.batches == [[0, 2]]
        await one.close()

    asyncio.run(scene())


def test_a_lone_item_does_not_wait_and_expected_ones_are_waited_for() -> None:
    async def scene() -> None:
        model = Model()
        one = thread(model, window=0.3)
        one.start()
        one.take(1)
        began = time.monotonic()
        await one.submit(1, "a")
        assert time.monotonic() - began < 0.2
        one.take(1)  # now two are expected
        first = asyncio.ensure_future(one.submit(2, "a"))
        await asyncio.sleep(0.05)
        second = asyncio.ensure_future(one.submit(3, "a"))
        await asyncio.gather(first, second)
        assert model.batches == [[1], [2, 3]]
        await one.close()

    asyncio.run(scene())


def test_small_work_goes_before_the_next_batch() -> None:
    async def scene() -> None:
        model, order = Model(), []
        one = thread(model)
        model.go.clear()
        work = [asyncio.ensure_future(one.submit(n, "a")) for n in range(8)]
        one.start()
        await asyncio.sleep(0.05)
        small = asyncio.ensure_future(one.call(lambda: order.append(len(model.batches))))
        await asyncio.sleep(0)
        model.go.set()
        await asyncio.gather(small, *work)
        assert order == [1]
        await one.close()

    asyncio.run(scene())


def test_places_are_bounded_and_closing_finishes_what_waits() -> None:
    async def scene() -> None:
        one = thread(Model(), capacity=2)
        one.take(2)
        with pytest.raises(Problem) as told:
            one.take(1)
        assert told.value.status == 503 and int(told.value.headers["Retry-After"]) >= 1
        one.leave(1)
        one.refuse_when_full()
        work = [asyncio.ensure_future(one.submit(n, "a")) for n in range(6)]
        await asyncio.sleep(0)
        one.start()
        await one.close()
        assert [task.result() for task in work] == [2 * n for n in range(6)]

    asyncio.run(scene())
