"""Flickr8k in its official text form: Flickr8k.token.txt and the three lists of pictures."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from semreg.data.readers.gathering import Gathering, base_of
from semreg.data.readers.sources import read_lines
from semreg.data.records import Record
from semreg.errors import SemregError

TOKENS = "Flickr8k.token.txt"
LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "val": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
_FOLDERS = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images", "")
_LINE = re.compile(r"(?P<name>[^\t]+)#\d+\t(?P<caption>.*\S)")
_log = logging.getLogger(__name__)


def read_flickr8k(pictures: Path, annotations: Path) -> list[Record]:
    """Read the captions and the lists; pictures that are in no list are left out, and counted in a warning.

    Args:
        pictures: folder with the pictures, or with Flicker8k_Dataset/ (as the archive spells it).
        annotations: folder with the four text files.

    Raises:
        SemregError: a file is missing or damaged, a line malformed, or a listed picture has no caption.
    """
    captions = _captions(annotations / TOKENS)
    lists = {split: read_lines(annotations / name) for split, name in LISTS.items()}
    base = base_of(pictures, [name for _, name in lists["train"]], _FOLDERS)
    gathering = Gathering(pictures)
    for split, lines in lists.items():
        for where, name in lines:
            if name not in captions:
                raise SemregError(
                    f"{where}: a listed picture must have a caption in {TOKENS}, {name!r} has none: "
                    "take both from the same archive"
                )
            gathering.add(base + name, split, where, captions=captions[name])
    if left := len(captions) - len(gathering.records):
        _log.warning("%d pictures with captions are in none of the three lists: left out", left)
    return gathering.done(annotations)


def _captions(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for where, line in read_lines(path):
        match = _LINE.fullmatch(line)
        if match is None:
            raise SemregError(f"{where}: must be NAME#NUMBER, a tab and a caption, is {line[:60]!r}: mend the line")
        found.setdefault(match["name"], []).append(match["caption"])
    return found
