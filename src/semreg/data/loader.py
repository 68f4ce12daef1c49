"""Pictures to batches, decoded beside the training; which ones cannot be read is found out before it starts."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from semreg.data.augmentation import Augmentation, augment
from semreg.data.images import Preprocessing, prepare, read_picture
from semreg.data.records import Record
from semreg.errors import PictureError, SemregError

MARGIN = 2  # pictures are decoded larger than needed, so that a reduced scale does not show


class _Pictures(Dataset[Tensor]):
    """Pictures by (epoch, index); what augmentation does follows from these two and the seed alone."""

    def __init__(
        self,
        paths: Sequence[Path],
        preprocessing: Preprocessing,
        augmentation: Augmentation | None,
        seed: int,
    ) -> None:
        self.paths, self.preprocessing, self.augmentation, self.seed = (
            paths,
            preprocessing,
            augmentation,
            seed,
        )

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        """A picture, uint8 (3, S, S)."""
        epoch, index = key
        size = self.preprocessing.size
        if self.augmentation is None:
            return prepare(read_picture(self.paths[index], at_least=MARGIN * size), self.preprocessing)
        shrink = self.augmentation.crop**0.5
        picture = read_picture(self.paths[index], at_least=round(MARGIN * size / max(shrink, 0.5)))
        generator = torch.Generator().manual_seed(hash((self.seed, epoch, index)) & 0x7FFF_FFFF_FFFF_FFFF)
        return augment(picture, size, self.augmentation, generator)


def picture_batches(
    paths: Sequence[Path],
    batches: Iterable[Sequence[tuple[int, int]]],
    preprocessing: Preprocessing,
    *,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    workers: int = 0,
) -> Iterator[Tensor]:
    """Decode batches of pictures, ahead of their use where there are workers.

    Args:
        paths: the pictures.
        batches: for each batch its (epoch, index in `paths`) pairs.
        preprocessing: how a picture becomes the model's input.
        augmentation: what happens to it at random instead of the plain resize, or None.
        seed: of the augmentation.
        workers: processes; 0 decodes in this one.

    Yields:
        uint8 (B, 3, S, S), in the order of `batches`.

    Raises:
        PictureError: a picture cannot be read any more.
    """
    loader = DataLoader(
        _Pictures(paths, preprocessing, augmentation, seed),
        batch_sampler=list(batches),  # type: ignore[arg-type]
        num_workers=workers,
        worker_init_fn=_ignore_interrupts if workers else None,
    )
    try:
        yield from loader
    except PictureError as error:  # a worker's comes wrapped in its traceback
        raise PictureError(str(error).rpartition("PictureError: ")[2].strip()) from None


def in_order(count: int, batch: int) -> list[list[tuple[int, int]]]:
    """All pictures in their order, in batches: the keys for `picture_batches`."""
    return [[(0, i) for i in range(first, min(first + batch, count))] for first in range(0, count, batch)]


def leave_out_unreadable(
    records: Sequence[Record], limit: float, done: Callable[[], None] = lambda: None
) -> tuple[list[Record], list[str]]:
    """Try every picture before training starts.

    Args:
        records: the set.
        limit: largest share of unreadable pictures to go on with.
        done: called after each picture.

    Returns:
        The records whose pictures can be read, and a sentence for each other.

    Raises:
        SemregError: more than `limit` of the pictures cannot be read.
    """
    problems: list[str] = []
    good: list[Record] = []
    with ThreadPoolExecutor() as pool:
        for record, problem in zip(records, pool.map(_problem, records), strict=True):
            done()
            if problem is None:
                good.append(record)
            else:
                problems.append(problem)
    if len(problems) > limit * len(records):
        raise SemregError(
            f"{len(problems)} of {len(records)} pictures cannot be read (first: {problems[0]}), "
            f"at most {limit:.1%} may be: mend the set or raise data.unreadable"
        )
    return good, problems


def _problem(record: Record) -> str | None:
    try:
        read_picture(record.path, at_least=64)
    except PictureError as error:
        return str(error)
    return None


def _ignore_interrupts(_: int) -> None:
    """Ctrl-C is for the training process, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
