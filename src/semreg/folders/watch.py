"""A folder looked at again and again, for pictures that have arrived and are complete."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from semreg.errors import SemregError
from semreg.folders.walk import Found, Patterns, find_pictures

QUIET = 2.0  # seconds for which a file must not have changed: until then somebody may still be writing it
_SHARE = 10  # looking takes at most one part in so many of the time


def complete(
    folder: Path, patterns: Patterns, left_out: Callable[[str], object], quiet: float = QUIET
) -> Iterator[Found]:
    """The pictures in the folder that nobody has touched for `quiet` seconds.

    `left_out` is told a sentence for each folder in it that cannot be read.

    Raises:
        SemregError: the folder is not there or cannot be read.
    """
    try:
        for found in find_pictures([folder], patterns, left_out):
            try:
                status = found.path.stat()
            except OSError:  # gone again
                continue
            if time.time() - max(status.st_mtime, status.st_ctime) >= quiet or status.st_mtime > time.time() + quiet:
                yield found
    except SemregError:
        if not folder.is_dir() or not _readable(folder):
            raise
        # otherwise there is no picture yet


def watch(look: Callable[[], int], every: float, pause: Callable[[float], None] = time.sleep) -> None:
    """Call `look` for ever, `every` so many seconds, and less often where looking itself takes long.

    Args:
        look: does what is to be done and tells for how many pictures; only a look that finds none is timed.
        every: seconds between two looks.
        pause: waits; ends the watch by raising.
    """
    while True:
        began = time.monotonic()
        done = look()
        pause(every if done else max(every, _SHARE * (time.monotonic() - began)))


def _readable(folder: Path) -> bool:
    try:
        next(folder.iterdir(), None)
    except OSError:
        return False
    return True
