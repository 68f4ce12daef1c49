"""Several batches at the same time, each on a share of the cores: a decoder's small steps gain nothing from many."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch

from semreg.reading import ahead

T = TypeVar("T")
R = TypeVar("R")


def in_streams(
    work: Callable[[T], R], items: Iterable[T], streams: int, stop: threading.Event | None = None
) -> Iterator[R]:
    """Results in the order of the items, of which `streams` are worked on at the same time.

    The threads of torch are shared out between the streams until the last result is there. One item alone gets all.
    Long work may look at `stop`: it is set when no more results are wanted.
    """
    rest = iter(items)
    first = list(itertools.islice(rest, 2))
    if streams < 2 or len(first) < 2:
        yield from map(work, itertools.chain(first, rest))
        return
    threads = torch.get_num_threads()
    shares = iter([max(1, threads // streams + (stream < threads % streams)) for stream in range(streams)])

    def begin() -> None:
        torch.get_num_threads()  # a thread that has not asked would later take what another one has set
        torch.set_num_threads(next(shares))

    try:
        every = itertools.chain(first, rest)
        yield from ahead(work, every, streams + 1, workers=streams, begin=begin, stop=stop)
    finally:
        torch.set_num_threads(threads)


def growing(items: Iterable[T], streams: int, most: int) -> Iterator[list[T]]:
    """The items in groups, for as many streams.

    First one item each, so that work begins at once and a few are shared evenly; then two, and so on up to `most`.
    """
    rest, size = iter(items), 1
    while True:
        for _ in range(streams):
            group = list(itertools.islice(rest, size))
            if not group:
                return
            yield group
        size = min(2 * size, most)
