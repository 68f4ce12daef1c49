"""Pictures on their way through a library: each with what is known of it, and with its annotation in the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from semreg.annotation import Annotation
from semreg.annotator import Annotator
from semreg.folders.records import Picture
from semreg.options import Options

_BLOCK = 512  # pictures between two pauses in which the reading of pictures does not run ahead of the model


@dataclass(frozen=True)
class Item:
    """A picture on its way through.

    Attributes:
        path: as the user named it.
        place: relative to the journal's folder.
        size: of the file in bytes, `mtime` in nanoseconds, `hash` of its content; what was there when it was looked at.
        known: what the journal holds of it.
        said: the model's annotation where the journal has it, before labels are chosen.
        told: what was told of it before, for a picture that needs nothing.
    """

    path: Path
    place: Path | None = None
    size: int = 0
    mtime: int = 0
    hash: bytes | None = None
    known: Picture | None = None
    said: Annotation | None = None
    told: Annotation | None = None


Said = tuple[Item, Annotation, Annotation]  # a picture, what the model said of it, what is told


@dataclass
class Counts:
    """What became of the pictures.

    Attributes:
        annotated: got an annotation in this run, from the model or the journal.
        failed: could not be read, or what was said of them could not be written.
        unchanged: were done before; `edited` of them have been edited since, by somebody who kept our record in them.
        stale: were done before with other settings or another model, and stay so without `refresh`.
        kept: have a file of somebody else's where ours would be.
        written: files; `needless` are those that needed no change.
    """

    annotated: int = 0
    failed: int = 0
    unchanged: int = 0
    edited: int = 0
    stale: int = 0
    kept: int = 0
    written: int = 0
    needless: int = 0


def annotated(items: Iterable[Item], annotator: Annotator, options: Options) -> Iterator[tuple[Item, Annotation]]:
    """Each item with its annotation, in order: the one it has, or else the model's."""
    rest = iter(items)
    more = True

    def sources(waiting: deque[Item]) -> Iterator[Path]:
        nonlocal more
        more = False
        for item in islice(rest, _BLOCK):
            more = True
            waiting.append(item)
            if item.said is None and item.told is None:
                yield item.path

    def known(waiting: deque[Item]) -> Iterator[tuple[Item, Annotation]]:
        while waiting and (annotation := waiting[0].told or waiting[0].said) is not None:
            item = waiting.popleft()
            yield item, replace(annotation, file_name=item.path.as_posix())

    while more:
        waiting: deque[Item] = deque()
        for annotation in annotator.annotate(sources(waiting), options):
            yield from known(waiting)
            yield waiting.popleft(), annotation
        yield from known(waiting)
