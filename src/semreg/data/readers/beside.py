"""A folder of pictures with a text file beside each: tags with commas between them, or captions."""

from __future__ import annotations

import logging
import os
from pathlib import Path, PurePosixPath

from semreg.data.readers.gathering import Gathering
from semreg.data.readers.sources import read_text
from semreg.data.records import Record
from semreg.errors import SemregError

_SPLITS = {
    **{"train": "train", "training": "train", "test": "test", "testing": "test"},
    **{"val": "val", "valid": "val", "validation": "val", "dev": "val"},
}
_log = logging.getLogger(__name__)


def read_beside(pictures: Path, *, captions: bool = False) -> list[Record]:
    """Read a.txt for a.jpg, in the folder and all below it.

    Pictures below train/, val/ (valid, validation, dev) and test/ are of that split, all others of "train". Pictures
    without a text file are left out, and counted in a warning.

    Args:
        pictures: the folder.
        captions: each line is a caption; else tags, separated by commas and line breaks.

    Raises:
        SemregError: no picture has a text file, or one is not UTF-8.
    """
    if not pictures.is_dir():
        raise SemregError(f"{pictures} must be a folder with pictures, is none: name one that exists")
    gathering = Gathering(pictures)
    left = 0
    for path in _find(pictures):
        text = path.with_suffix(".txt")
        if not text.is_file():
            left += 1
            continue
        name = path.relative_to(pictures).as_posix()
        lines = read_text(text).split("\n")
        split = _SPLITS.get(PurePosixPath(name).parts[0].lower(), "train")
        if captions:
            gathering.add(name, split, str(text), captions=lines)
        else:
            gathering.add(name, split, str(text), tags=[tag for line in lines for tag in line.split(",")])
    if not gathering.records:
        raise SemregError(f"{pictures} must have pictures with a .txt beside each, has {left} without: write some")
    if left:
        _log.warning("%d pictures have no text file beside them: left out", left)
    return gathering.done(pictures)


def _find(folder: Path) -> list[Path]:
    """The pictures below a folder, in the order of their names; hidden files and folders are left out."""
    from PIL import Image

    suffixes = set(Image.registered_extensions())
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        named = (name for name in sorted(files) if not name.startswith("."))
        found += [Path(parent, name) for name in named if Path(name).suffix.lower() in suffixes]
    return found
