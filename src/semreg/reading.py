"""From files to the model's input: pictures are read by threads ahead of their use, and gathered into batches."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from semreg.data.images import Preprocessing, Source, prepare, read_picture
from semreg.errors import PictureError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Batch:
    """Pictures read together.

    Attributes:
        sources: each with the sentence that says why it cannot be read, or None.
        pictures: those that can, uint8 (G, 3, S, S), in order.
    """

    sources: list[tuple[Source, str | None]]
    pictures: Tensor


class Reader:
    """Reads pictures as a model wants them.

    Args:
        preprocessing: how a picture becomes the model's input.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._preprocessing = preprocessing

    def one(self, source: Source) -> Tensor:
        """One picture, uint8 (3, S, S); safe to call from several threads.

        Raises:
            PictureError: it cannot be read.
        """
        # At twice the size a reduced-scale JPEG gives the same picture as the full one, to a fraction of a level.
        return prepare(read_picture(source, at_least=2 * self._preprocessing.size), self._preprocessing)

    def batches(self, sources: Iterable[Source], size: int) -> Iterator[Batch]:
        """Batches of `size` pictures, read ahead of their use; what cannot be read is named in its batch."""
        threads = torch.get_num_threads()
        one = functools.partial(take_threads, 1)  # for each reader: resizing a picture gains nothing from more
        pictures = ahead(self._try, sources, 2 * size, begin=one)
        empty = torch.empty(0, 3, self._preprocessing.size, self._preprocessing.size, dtype=torch.uint8)
        try:
            while chunk := list(itertools.islice(pictures, size)):
                good = [picture for _, picture in chunk if isinstance(picture, Tensor)]
                problems = [(source, None if isinstance(found, Tensor) else str(found)) for source, found in chunk]
                yield Batch(problems, torch.stack(good) if good else empty)
        finally:
            torch.set_num_threads(threads)  # threads that ask for the first time are told what was set last

    def _try(self, source: Source) -> tuple[Source, Tensor | PictureError]:
        try:
            return source, self.one(source)
        except PictureError as error:
            return source, error


def ahead(
    work: Callable[[T], R],
    items: Iterable[T],
    lead: int,
    *,
    workers: int = 2,
    begin: Callable[[], None] | None = None,
) -> Iterator[R]:
    """Results in order, computed in threads at most `lead` items ahead of their use.

    Args:
        work: on one item.
        items: to work on; the calling thread asks for them.
        lead: how far ahead.
        workers: threads.
        begin: what each thread does first.
    """
    with ThreadPoolExecutor(max_workers=workers, initializer=begin) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= lead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def take_threads(count: int) -> None:
    """Let torch compute with so many threads in the thread that calls this."""
    torch.get_num_threads()  # a thread that has not asked would later take what another one has set
    torch.set_num_threads(count)
