"""From a picture's bytes to its annotation, for many clients at once: decoding threads, then the model thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import torch
from starlette.requests import Request
from torch import Tensor

from semreg.annotation import Annotation
from semreg.annotator import Annotator
from semreg.errors import PictureError
from semreg.options import Options
from semreg.server import pictures
from semreg.server.batching import ModelThread
from semreg.server.metrics import Metrics
from semreg.server.problems import Gone, Problem
from semreg.server.settings import Settings

R = TypeVar("R")

_AHEAD = 3  # batches that are decoded, waiting or in the model
_DECODERS = max(2, min(4, os.cpu_count() or 2))


class Service:
    """A model and the threads that use it.

    Args:
        annotator: the model; from now on only the model thread touches it.
        settings: limits and batching.
        metrics: where to count.
    """

    def __init__(self, annotator: Annotator, settings: Settings, metrics: Metrics) -> None:
        self.annotator, self._settings, self._metrics = annotator, settings, metrics
        self._decoders = ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode")
        self.model: ModelThread[tuple[Tensor, str | None], Annotation, Options] = ModelThread(
            self._run,
            batch=settings.batch,
            window=settings.window,
            capacity=settings.queue,
            metrics=metrics,
        )
        # Few pictures are decoded ahead of the model: those of clients that hang up while they wait cost nothing.
        self._near = asyncio.Semaphore(_AHEAD * settings.batch)
        self.ready = False

    async def start(self) -> None:
        """Begin; within a running event loop."""
        self.model.start()
        self.ready = True

    async def close(self) -> None:
        """Finish what was accepted, then end the threads."""
        self.ready = False
        await self.model.close()
        self._decoders.shutdown(cancel_futures=True)

    async def annotate(self, data: bytes, name: str | None, options: Options) -> Annotation:
        """Annotate one picture, for which a place was taken.

        Raises:
            Problem: it is no picture, is too large, or damaged.
        """
        loop = asyncio.get_running_loop()
        async with self._near:
            picture = await loop.run_in_executor(self._decoders, self._read, data)
            return await self.model.submit((picture, name), options)

    async def in_time(self, request: Request, work: Coroutine[Any, Any, R]) -> R:
        """Do work for a client until it is done, its time is up, or the client has gone; then it is dropped.

        Args:
            request: whose body was read.
            work: what to do.

        Raises:
            Problem: 504, the time is up.
            Gone: the client has.
        """
        task = asyncio.ensure_future(work)
        left = asyncio.ensure_future(_hang_up(request))
        both: list[asyncio.Future[Any]] = [task, left]
        try:
            done, _ = await asyncio.wait(both, timeout=self._settings.deadline, return_when=asyncio.FIRST_COMPLETED)
            if task in done:
                return task.result()
            self._metrics.dropped.labels("gone" if left in done else "late").inc()
            if left in done:
                raise Gone()
            raise Problem(504, f"no answer within {self._settings.deadline:g} s: try again later", {"Retry-After": "5"})
        finally:
            for future in both:
                if not future.done():
                    future.cancel()
                    with suppress(asyncio.CancelledError, Exception):
                        await future

    def _read(self, data: bytes) -> Tensor:
        pictures.check(data, self._settings.max_bytes, self._settings.max_pixels)
        try:
            return self.annotator.read_one(data)
        except PictureError as error:
            raise pictures.refusal(error) from None

    def _run(self, items: Sequence[tuple[Tensor, str | None]], options: Options) -> Sequence[Annotation]:
        together, names = torch.stack([picture for picture, _ in items]), [name for _, name in items]
        return self.annotator.annotate_read(together, names, options)


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def together(work: Sequence[Coroutine[Any, Any, R]]) -> list[R]:
    """Do pieces of work at the same time; their results in order."""
    return list(await asyncio.gather(*work))
