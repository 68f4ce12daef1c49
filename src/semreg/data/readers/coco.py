"""MS-COCO: the official instances_*.json (80 categories become tags) and captions_*.json, of 2014 or 2017."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semreg.data.readers.gathering import Gathering
from semreg.data.readers.sources import entries, read_json
from semreg.data.readers.sources import field as value_of
from semreg.data.records import Record
from semreg.errors import SemregError

KINDS = ("instances", "captions")
_FOLDER = re.compile(r"^(?:instances|captions|person_keypoints)_(.+)$")
_HEAVY = frozenset({"segmentation", "licenses", "info", "coco_url", "flickr_url", "date_captured"})
_log = logging.getLogger(__name__)


@dataclass
class _Picture:
    name: str
    split: str
    where: str
    tags: set[int] = field(default_factory=set)
    captions: list[str] = field(default_factory=list)


def official_files(annotations: Path, year: int, validation: str) -> list[tuple[Path, str]]:
    """The official files of a year that are there, each with the split that it becomes.

    Args:
        annotations: the folder they lie in.
        year: 2014 or 2017.
        validation: what the official val part is called; the train part is "train".

    Raises:
        SemregError: there is none of the four.
    """
    parts = {f"train{year}": "train", f"val{year}": validation}
    wanted = [(annotations / f"{kind}_{part}.json", split) for part, split in parts.items() for kind in KINDS]
    there = [(path, split) for path, split in wanted if path.exists()]
    if not there:
        names = ", ".join(path.name for path, _ in wanted)
        raise SemregError(f"{annotations} must have one of {names}, has none: pass --annotations FOLDER or --year")
    for path, _ in wanted:
        if not path.exists():
            _log.warning("%s is not there: read without it", path)
    return there


def read_coco(
    pictures: Path, files: Sequence[tuple[Path, str]], *, labelled_only: bool = False, flat: bool = False
) -> list[Record]:
    """Read annotation files in COCO's form; several of one split complete each other.

    The pictures of instances_train2014.json lie in train2014/, those of a file with another name beside each other.

    Args:
        pictures: folder that the picture folders lie in.
        files: annotation files, of objects or captions, each with the name of its split.
        labelled_only: leave out pictures without a tag.
        flat: all pictures lie beside each other in `pictures`.

    Raises:
        SemregError: a file is damaged, or speaks of a picture or category that it does not have.
    """
    found: dict[str, _Picture] = {}
    names: dict[int, str] = {}
    for path, split in files:
        table = read_json(path, _HEAVY)
        folder = _FOLDER.match(path.stem)
        of_id = _pictures(table, path, split, f"{folder[1]}/" if folder and not flat else "", found)
        if "categories" in table:
            _add_tags(table, path, of_id, names)
        else:
            _add_captions(table, path, of_id)
    gathering = Gathering(pictures)
    for picture in found.values():
        if picture.tags or not labelled_only:
            tags = [names[number] for number in sorted(picture.tags)]
            gathering.add(picture.name, picture.split, picture.where, tags=tags, captions=picture.captions)
    return gathering.done(" and ".join(str(path) for path, _ in files))


def _pictures(
    table: dict[str, Any], path: Path, split: str, folder: str, found: dict[str, _Picture]
) -> dict[int, _Picture]:
    of_id: dict[int, _Picture] = {}
    for where, entry in entries(table, "images", path):
        number, name = value_of(entry, "id", int, where), folder + value_of(entry, "file_name", str, where)
        if number in of_id:
            raise SemregError(
                f"{where}: a picture's id must be its own, {number} stands at {of_id[number].where} too: "
                "remove one of the two"
            )
        picture = found.setdefault(name, _Picture(name, split, where))
        if picture.split != split:
            raise SemregError(f"{where}: the picture {name!r} is in split {picture.split} and {split}: name it in one")
        of_id[number] = picture
    return of_id


def _add_tags(table: dict[str, Any], path: Path, pictures: dict[int, _Picture], names: dict[int, str]) -> None:
    own: dict[int, str] = {}
    for where, entry in entries(table, "categories", path):
        number, name = value_of(entry, "id", int, where), value_of(entry, "name", str, where)
        if number in own or names.setdefault(number, name) != name:
            raise SemregError(
                f"{where}: a category's id must be its own, {number} is {names[number]!r} too: mend the ids"
            )
        own[number] = name
    for where, entry in entries(table, "annotations", path):
        picture = _picture_of(entry, where, pictures)
        number = value_of(entry, "category_id", int, where)
        if number not in own:
            raise SemregError(f"{where}: category_id must stand in categories, is {number}: add it there or mend it")
        picture.tags.add(number)


def _add_captions(table: dict[str, Any], path: Path, pictures: dict[int, _Picture]) -> None:
    for where, entry in entries(table, "annotations", path):
        _picture_of(entry, where, pictures).captions.append(value_of(entry, "caption", str, where))


def _picture_of(entry: dict[str, Any], where: str, pictures: dict[int, _Picture]) -> _Picture:
    number = value_of(entry, "image_id", int, where)
    if number not in pictures:
        raise SemregError(f"{where}: image_id must stand in images, is {number}: add the picture or take this one out")
    return pictures[number]
