"""Several batches at the same time, each on a share of the cores: a decoder's small steps gain nothing from many."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch

from semreg.reading import ahead, take_threads

T = TypeVar("T")
S = TypeVar("S")
R = TypeVar("R")


def in_streams(work: Callable[[T], R], items: Iterable[T], streams: int, lead: int = 1) -> Iterator[R]:
    """Results in the order of the items, of which `streams` are worked on at the same time.

    The threads of torch are shared out between the streams until the last result is there. One item alone gets all.

    Args:
        work: on one item.
        items: to work on; the calling thread asks for them.
        streams: each is a thread.
        lead: results that may wait to be taken while the streams go on.
    """
    rest = iter(items)
    first = list(itertools.islice(rest, 2))
    every = itertools.chain(first, rest)
    if streams < 2 or len(first) < 2:
        yield from map(work, every)
        return
    threads = torch.get_num_threads()
    shares = iter([max(1, threads // streams + (stream < threads % streams)) for stream in range(streams)])
    try:
        yield from ahead(work, every, streams + lead, workers=streams, begin=lambda: take_threads(next(shares)))
    finally:
        torch.set_num_threads(threads)


def in_two_steps(
    look: Callable[[T], S], tell: Callable[[list[S]], R], items: Iterable[T], streams: int, most: int
) -> Iterator[R]:
    """Look at each item, `streams` at the same time, and tell of what was seen in groups, beside the looking.

    Args:
        look: at one item.
        tell: of what was seen in up to `most` items.
        items: in their order.
        streams: items that are looked at at the same time.
        most: items that are told of together.

    Yields:
        What `tell` returns of each group, in order.
    """
    seen = in_streams(look, items, streams, most)
    if streams < 2:
        yield from map(tell, growing(seen, most))
        return
    share = max(1, torch.get_num_threads() // streams)
    yield from ahead(tell, growing(seen, most), 1, workers=1, begin=lambda: take_threads(share))


def growing(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """The items in groups of one, two, four and so on up to `most`: the first results come early."""
    rest, size = iter(items), 1
    while group := list(itertools.islice(rest, size)):
        yield group
        size = min(2 * size, most)
