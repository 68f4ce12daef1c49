"""Find the pictures among the files and folders that were named, in an order that is the same every time."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from semreg.data.raw import RAW_SUFFIXES
from semreg.errors import SemregError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".jp2", ".ppm", ".pgm", ".pnm"),
    *RAW_SUFFIXES,
)

# Folders that devices and systems fill with previews and deleted files; compared without case.
_SYSTEM_FOLDERS = {
    *("@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "__macosx", "$recycle.bin", "lost+found"),
    *("recycler", "system volume information", "thumbs"),
}

_log = logging.getLogger(__name__)
_Identity = tuple[int, int] | None  # device and inode: one folder, whatever the way to it; None when it is gone


@dataclass(frozen=True)
class Found:
    """A picture to annotate: the path as given by the user, joined with the way from there."""

    path: Path

    @property
    def file_name(self) -> str:
        """The path with posix slashes, as its annotation reports it."""
        return self.path.as_posix()


@dataclass(frozen=True)
class Patterns:
    """Which pictures below a named folder count, by patterns as in a `.gitignore`.

    Attributes:
        include: a picture must match one of these; empty takes all.
        ignore: pictures and folders that are left out.
    """

    include: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def takes(self, path: str) -> bool:
        """Whether a picture counts; its path is relative to the named folder."""
        return (not self.include or self._include.match_file(path)) and self.enters(path)

    def enters(self, path: str) -> bool:
        """Whether a picture, or a folder (its path ends with a slash), is not to be ignored."""
        return not self.ignore or not self._ignore.match_file(path)

    @cached_property
    def _include(self) -> GitIgnoreSpec:
        return _spec(self.include)

    @cached_property
    def _ignore(self) -> GitIgnoreSpec:
        return _spec(self.ignore)


def find_pictures(
    paths: Sequence[Path], patterns: Patterns | None = None, left_out: Callable[[str], object] = _log.warning
) -> Iterator[Found]:
    """Yield every picture in `paths`, each once, even where paths overlap or symbolic links lead in circles.

    A file given by name is always tried, whatever its suffix. A folder is searched with all that is below it:
    first its own pictures, then its folders, both in natural order (2 before 10), by suffix without case;
    hidden files and folders and those of the system are left out, and what `patterns` do not take. Memory grows with
    the names in one folder, not with all pictures.

    Raises:
        SemregError: at once when a path does not exist; when a named folder cannot be read; and at the end
            when there was no picture at all, naming the paths and suffixes. A folder further down that cannot
            be read is left out, and `left_out` is told a sentence about it.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise SemregError(f"file or folder does not exist: {path}")
    return _find(paths, patterns or Patterns(), left_out)


def _find(paths: Sequence[Path], patterns: Patterns, left_out: Callable[[str], object]) -> Iterator[Found]:
    named: set[tuple[_Identity, str]] = set()
    visited: set[_Identity] = set()
    nothing = True
    for given in paths:
        if _is_dir(given):
            for path in _walk(given, visited, patterns, left_out):
                if not named or (_identity(path.parent), path.name) not in named:
                    nothing = False
                    yield Found(path)
            continue
        folder = _identity(given.parent)
        walked = folder in visited and _is_picture_name(given.name)
        if not walked and (folder, given.name) not in named:
            named.add((folder, given.name))
            nothing = False
            yield Found(given)
    if nothing:
        where = ", ".join(str(path) for path in paths) or "nothing given"
        raise SemregError(f"no pictures found in: {where} (looked for {' '.join(PICTURE_SUFFIXES)})")


def _walk(top: Path, visited: set[_Identity], patterns: Patterns, left_out: Callable[[str], object]) -> Iterator[Path]:
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        identity = _identity(folder)
        if identity in visited:
            continue
        below = folder.relative_to(top).as_posix()
        below = "" if below == "." else f"{below}/"
        try:
            folders, pictures = _listed(folder)
        except OSError as error:
            sentence = f"cannot read the folder {folder}: {error.strerror or error}"
            if folder is top:
                raise SemregError(sentence) from error
            left_out(f"{sentence}; its pictures are left out")
            continue
        visited.add(identity)
        yield from (folder / name for name in pictures if patterns.takes(below + name))
        waiting.extend(folder / name for name in reversed(folders) if patterns.enters(f"{below}{name}/"))


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the folders and of the pictures in a folder, in natural order."""
    folders, pictures = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is(entry.is_dir):
                if not entry.name.startswith(".") and entry.name.casefold() not in _SYSTEM_FOLDERS:
                    folders.append(entry.name)
            elif _is_picture_name(entry.name) and _is(entry.is_file):
                pictures.append(entry.name)
    return sorted(folders, key=_natural), sorted(pictures, key=_natural)


def _spec(patterns: tuple[str, ...]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise SemregError(f"cannot understand one of the patterns {', '.join(patterns)}: {error}") from None


def _natural(name: str) -> tuple[list[str | int], str]:
    """Return a sorting key: digits by value, letters without case, the name itself to settle ties."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def _is_picture_name(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(PICTURE_SUFFIXES)


def _identity(folder: Path) -> _Identity:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _is(asked: Callable[[], bool]) -> bool:
    try:
        return asked()
    except OSError:  # a link that leads in a circle, or to where nobody may look
        return False
