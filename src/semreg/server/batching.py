"""One model thread: pictures of many clients in one batch, small questions between batches, a bound on what waits."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from semreg.server.metrics import Metrics
from semreg.server.problems import Problem

logger = logging.getLogger("semreg.server")

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K")


@dataclass
class _Job(Generic[T, R, K]):
    item: T
    kind: K
    answer: asyncio.Future[R]
    since: float = field(default_factory=time.monotonic)


class ModelThread(Generic[T, R, K]):
    """Runs everything that touches the model, one thing at a time.

    Items of one kind (the same options) that wait at the same time go through `run` together. What was cancelled
    while it waited is left out. A batch that fails is tried again item by item, so that one bad item costs no other
    its answer.

    Args:
        run: items and their kind to their results, in order; called in the model thread.
        batch: items in a batch at most.
        window: seconds that the first item of a batch waits for others that are on their way.
        capacity: items that may be on their way or wait.
        metrics: where to count.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T], K], Sequence[R]],
        *,
        batch: int,
        window: float,
        capacity: int,
        metrics: Metrics,
    ) -> None:
        self._run, self._batch, self._window, self._capacity, self._metrics = run, batch, window, capacity, metrics
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._jobs: deque[_Job[T, R, K]] = deque()
        self._calls: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._news = asyncio.Event()
        self._seconds = 0.05  # for an item, averaged over the last batches
        self._taken = 0
        self._closing = False
        self._work: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; within a running event loop."""
        self._work = asyncio.get_running_loop().create_task(self._forever())

    async def close(self) -> None:
        """Finish what waits, then end."""
        self._closing = True
        self._news.set()
        if self._work is not None:
            await self._work
        self._thread.shutdown()

    @property
    def taken(self) -> int:
        """Places taken: items on their way here, waiting, or in the model."""
        return self._taken

    def take(self, count: int) -> None:
        """Take places for items that are about to come, or refuse.

        Raises:
            Problem: 503, with the seconds after which it may be worth another try.
        """
        if self._taken + count > self._capacity:
            raise self.busy()
        self._taken += count
        self._metrics.waiting.set(self._taken)

    def leave(self, count: int) -> None:
        """Give places back."""
        self._taken -= count
        self._metrics.waiting.set(self._taken)

    def refuse_when_full(self, count: int = 1) -> None:
        """Refuse, before a body is read, what would find no place now."""
        if self._taken + count > self._capacity:
            raise self.busy()

    def busy(self) -> Problem:
        """The answer when there is no place left."""
        wait = str(max(1, min(60, math.ceil(self._taken * self._seconds))))
        return Problem(503, f"the server is busy: try again in {wait} s", {"Retry-After": wait})

    async def submit(self, item: T, kind: K) -> R:
        """The result for one item, for which a place was taken; cancelling drops the item if it still waits."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._jobs.append(_Job(item, kind, answer))
        self._news.set()
        return await answer

    async def call(self, work: Callable[[], R]) -> R:
        """Run a small piece of work in the model thread, before the next batch."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if len(self._calls) >= self._capacity:
            raise self.busy()
        self._calls.append((work, answer))
        self._news.set()
        return await answer

    async def _forever(self) -> None:
        while True:
            if self._calls:
                await self._answer(*self._calls.popleft())
            elif self._jobs:
                await self._next_batch()
            elif self._closing:
                return
            else:
                self._news.clear()
                await self._news.wait()

    async def _answer(self, work: Callable[[], R], answer: asyncio.Future[R]) -> None:
        if answer.done():
            return
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(result)

    async def _next_batch(self) -> None:
        await self._gather()
        if self._calls:  # these are quick, and someone looks at the screen
            return
        kind = self._jobs[0].kind
        chosen: list[_Job[T, R, K]] = []
        others: deque[_Job[T, R, K]] = deque()
        for job in self._jobs:
            if job.answer.done():  # its client has gone
                continue
            (chosen if job.kind == kind and len(chosen) < self._batch else others).append(job)
        self._jobs = others
        if chosen:
            await self._run_batch(chosen, kind)

    async def _gather(self) -> None:
        """Wait a moment for items that are on their way, where the batch is not full yet."""
        until = self._jobs[0].since + self._window
        while len(self._jobs) < min(self._batch, self._taken) and not self._calls and not self._closing:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._news.clear()
            with suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)

    async def _run_batch(self, jobs: list[_Job[T, R, K]], kind: K) -> None:
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        try:
            results = await loop.run_in_executor(self._thread, self._run, [job.item for job in jobs], kind)
        except Exception as error:
            if len(jobs) == 1:
                if not jobs[0].answer.done():
                    jobs[0].answer.set_exception(error)
                return
            logger.exception("a batch of %d failed: one by one", len(jobs))
            for job in jobs:
                await self._run_batch([job], kind)
            return
        took = time.monotonic() - began
        self._seconds += 0.2 * (took / len(jobs) - self._seconds)
        self._metrics.batch.observe(len(jobs))
        self._metrics.batch_seconds.observe(took)
        self._metrics.pictures.inc(len(jobs))
        for job, result in zip(jobs, results, strict=True):
            if not job.answer.done():
                job.answer.set_result(result)
