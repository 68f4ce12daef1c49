"""NUS-WIDE with its 81 concepts: the official split, or any other that is given by list files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semreg.data.readers.gathering import Gathering, base_of
from semreg.data.readers.sources import first_of, read_lines, read_text
from semreg.data.records import Record
from semreg.errors import SemregError

_LISTS = {"train": "TrainImagelist.txt", "test": "TestImagelist.txt"}
_FOLDERS = ("Flickr", "images", "")
_FLAGS = {"0", "1"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ListedSplit:
    """A split given by files, as re-splits of NUS-WIDE circulate.

    Attributes:
        name: of the split.
        pictures: a picture a line; what stands behind its name is read only where `labels` is None.
        labels: a line a picture, with 0 or 1 for each concept; None where these stand behind the name.
    """

    name: str
    pictures: Path
    labels: Path | None = None


def read_nuswide(pictures: Path, annotations: Path, *, unlabelled: bool = False) -> list[Record]:
    """Read the official split: ImageList/, Groundtruth/ (TrainTestLabels or AllLabels) and Concepts81.txt.

    Args:
        pictures: folder with Flickr/, or what is in that.
        annotations: folder with ImageList, Groundtruth and Concepts81.txt.
        unlabelled: keep pictures without any of the labels; the field leaves them out.

    Raises:
        SemregError: a file is missing, of the wrong length or damaged.
    """
    concepts = _concepts(first_of(annotations, "Concepts81.txt", "ConceptsList/Concepts81.txt"))
    lists = first_of(annotations, "ImageList", "TrainImagelist.txt")
    lists = lists if lists.is_dir() else annotations
    splits = {split: read_lines(lists / name) for split, name in _LISTS.items()}
    truth = first_of(
        annotations,
        *("Groundtruth/TrainTestLabels", "TrainTestLabels", "Groundtruth/AllLabels", "AllLabels"),
    )
    if truth.name == "TrainTestLabels":
        tags = {split: _by_concept(truth, f"_{split.title()}", concepts, len(splits[split])) for split in splits}
    else:
        tags = _from_all(truth, read_lines(lists / "Imagelist.txt"), splits, concepts)
    return _gather(pictures, splits, tags, unlabelled, annotations)


def read_nuswide_lists(
    pictures: Path, splits: Sequence[ListedSplit], concepts: Path, *, unlabelled: bool = False
) -> list[Record]:
    """Read splits that are given by list files, such as the 150,000 and 59,347 pictures of Gong et al. 2013.

    Args:
        pictures: folder that the lists' names are relative to, or with Flickr/ or images/ that they are relative to.
        splits: the files.
        concepts: the concepts, one a line, in the order of the labels' columns.
        unlabelled: keep pictures without any of the labels.

    Raises:
        SemregError: a file is missing, of the wrong length or damaged.
    """
    names = _concepts(concepts)
    listed: dict[str, list[tuple[str, str]]] = {}
    tags: dict[str, list[list[str]]] = {}
    for split in splits:
        lines = read_lines(split.pictures)
        listed[split.name] = [(where, line.split()[0]) for where, line in lines]
        if split.labels is None:
            rows = [(where, line.split()[1:]) for where, line in lines]
        else:
            rows = [(where, line.replace(",", " ").split()) for where, line in read_lines(split.labels)]
            _same_length(split.labels, len(rows), split.pictures, len(lines))
        tags[split.name] = [_flagged(row, names, where) for where, row in rows]
    return _gather(pictures, listed, tags, unlabelled, splits[0].pictures)


def _concepts(path: Path) -> list[str]:
    lines = read_lines(path)
    seen: set[str] = set()
    for where, name in lines:
        if name in seen:
            raise SemregError(f"{where}: a concept must be named once, {name!r} is named before: take the line out")
        seen.add(name)
    return [name for _, name in lines]


def _by_concept(folder: Path, ending: str, concepts: Sequence[str], pictures: int) -> list[list[str]]:
    """Tags of each picture from a file a concept with a 0 or 1 a line: millions of lines, so they are read whole."""
    tags: list[list[str]] = [[] for _ in range(pictures)]
    for concept in concepts:
        path = folder / f"Labels_{concept}{ending}.txt"
        flags = read_text(path).split()
        _same_length(path, len(flags), "the picture list", pictures)
        if not _FLAGS.issuperset(flags):
            where, wrong = next((where, line) for where, line in read_lines(path) if line not in _FLAGS)
            raise SemregError(f"{where}: a label must be 0 or 1, is {wrong[:20]!r}: unpack the file again")
        for row, flag in enumerate(flags):
            if flag == "1":
                tags[row].append(concept)
    return tags


def _from_all(
    folder: Path,
    everything: Sequence[tuple[str, str]],
    splits: dict[str, list[tuple[str, str]]],
    concepts: Sequence[str],
) -> dict[str, list[list[str]]]:
    tags = dict(zip((name for _, name in everything), _by_concept(folder, "", concepts, len(everything)), strict=True))
    for lines in splits.values():
        for where, name in lines:
            if name not in tags:
                raise SemregError(f"{where}: the picture must stand in Imagelist.txt, {name!r} does not: unpack again")
    return {split: [tags[name] for _, name in lines] for split, lines in splits.items()}


def _flagged(flags: Sequence[str], concepts: Sequence[str], where: str) -> list[str]:
    if len(flags) != len(concepts):
        raise SemregError(
            f"{where}: must have a 0 or 1 for each of the {len(concepts)} concepts, has {len(flags)} values: "
            "pass the labels' file (--train-labels, --test-labels) and the concepts that belong to it"
        )
    if wrong := set(flags) - _FLAGS:
        raise SemregError(f"{where}: a label must be 0 or 1, is {min(wrong)[:20]!r}: mend the line")
    return [concept for concept, flag in zip(concepts, flags, strict=True) if flag == "1"]


def _same_length(path: Path, lines: int, other: object, pictures: int) -> None:
    if lines != pictures:
        raise SemregError(
            f"{path} must have a line for each of the {pictures} pictures of {other}, has {lines}: "
            "take both from the same archive"
        )


def _gather(
    pictures: Path,
    splits: dict[str, list[tuple[str, str]]],
    tags: dict[str, list[list[str]]],
    unlabelled: bool,
    source: Path,
) -> list[Record]:
    gathering = Gathering(pictures)
    names = [name.replace("\\", "/") for lines in splits.values() for _, name in lines[:25]]
    base = base_of(pictures, names, _FOLDERS)
    left = 0
    for split, lines in splits.items():
        for (where, name), labels in zip(lines, tags[split], strict=True):
            if labels or unlabelled:
                gathering.add(base + name.replace("\\", "/"), split, where, tags=labels)
            else:
                left += 1
    if left:
        _log.warning("%d pictures have none of the labels: left out (--unlabelled keeps them)", left)
    return gathering.done(source)
