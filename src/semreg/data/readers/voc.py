"""PASCAL VOC 2007 and 2012: objects of Annotations/*.xml, or ImageSets/Main/CLASS_SPLIT.txt, become tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from semreg.data.readers.gathering import Gathering
from semreg.data.readers.sources import read_lines
from semreg.data.records import Record
from semreg.errors import SemregError

_LISTS = "ImageSets/Main"
_PARTS = ("train", "val", "test")
_LINE = re.compile(r"(\S+)\s+(-1|0|1)")


def read_voc(
    devkit: Path, *, year: int | None = None, validation: str = "val", difficult: bool = False
) -> list[Record]:
    """Read the years that lie in a VOCdevkit; pictures of a part that has no annotations (VOC 2012 test) are not read.

    Args:
        devkit: VOCdevkit with VOC2007/ and others, or one of these.
        year: only this one.
        validation: what the val part is called; "train" makes the usual trainval.
        difficult: objects marked as difficult count too.

    Raises:
        SemregError: there is no such set, or a file of it is missing or damaged.
    """
    gathering = Gathering(devkit)
    for folder in _years(devkit, year):
        base = "" if folder == devkit else f"{folder.name}/"
        for part in _PARTS:
            path = folder / _LISTS / f"{part}.txt"
            if path.exists():
                split = validation if part == "val" else part
                lines = read_lines(path)
                for (where, number), tags in zip(lines, _tags(folder, part, lines, difficult), strict=True):
                    gathering.add(f"{base}JPEGImages/{number}.jpg", split, where, tags=tags)
    return gathering.done(devkit)


def _years(devkit: Path, year: int | None) -> list[Path]:
    if (devkit / _LISTS).is_dir():
        found = [devkit]
    else:
        found = sorted(path.parents[1] for path in devkit.glob(f"VOC*/{_LISTS}") if path.is_dir())
    chosen = [folder for folder in found if year is None or folder.name == f"VOC{year}"]
    if not chosen:
        wanted = "VOC2007 or VOC2012" if year is None else f"VOC{year}"
        raise SemregError(f"{devkit} must have {wanted} with {_LISTS} in it, has not: name the VOCdevkit folder")
    return chosen


def _tags(folder: Path, part: str, lines: list[tuple[str, str]], difficult: bool) -> list[list[str]]:
    if (folder / "Annotations").is_dir():
        return [_objects(folder / "Annotations" / f"{number}.xml", where, difficult) for where, number in lines]
    return _from_lists(folder, part, lines, difficult)


def _objects(path: Path, where: str, difficult: bool) -> list[str]:
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise SemregError(f"{where}: a listed picture must have {path}, which is missing: unpack the archive") from None
    except ElementTree.ParseError as error:
        line, column = error.position
        raise SemregError(f"{path}, line {line} column {column}: not XML: unpack it again from its archive") from None
    except (OSError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise SemregError(f"{path} cannot be read ({error}): unpack it again from its archive") from None
    tags = []
    for number, thing in enumerate(root.iter("object")):
        name = (thing.findtext("name") or "").strip()
        if not name:
            raise SemregError(f"{path}, object[{number}]: an object must have a name, has none: add it")
        if difficult or (thing.findtext("difficult") or "0").strip() != "1":
            tags.append(name)
    return tags


def _from_lists(folder: Path, part: str, lines: list[tuple[str, str]], difficult: bool) -> list[list[str]]:
    """From a file a class: 1 for its pictures, -1 for others, 0 where all of its objects are difficult."""
    tags: Mapping[str, list[str]] = {number: [] for _, number in lines}
    paths = sorted((folder / _LISTS).glob(f"*_{part}.txt"))
    if not paths:
        raise SemregError(f"{folder} must have Annotations or {_LISTS}/CLASS_{part}.txt, has neither: unpack them")
    for path in paths:
        name = path.stem.removesuffix(f"_{part}")
        rows = read_lines(path)
        if len(rows) != len(lines):
            raise SemregError(
                f"{path} must have a line for each of the {len(lines)} pictures of {part}.txt, has {len(rows)}: "
                "take both from the same archive"
            )
        for where, line in rows:
            match = _LINE.fullmatch(line)
            if match is None or match[1] not in tags:
                raise SemregError(f"{where}: must be a picture of {part}.txt and -1, 0 or 1, is {line[:40]!r}: mend it")
            if match[2] == "1" or (match[2] == "0" and difficult):
                tags[match[1]].append(name)
    return [tags[number] for _, number in lines]
