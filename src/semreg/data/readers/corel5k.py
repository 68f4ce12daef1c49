"""Corel-5k in both forms in circulation: train.json and test.json, or words with training_label and test_label."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from semreg.data.readers.gathering import Gathering, base_of
from semreg.data.readers.sources import entries, field, first_of, read_json, read_lines
from semreg.data.records import Record
from semreg.errors import SemregError

_LABELS = {"train": "training_label", "test": "test_label"}
_NUMBER = re.compile("[0-9]{1,9}")
_SUFFIXES = (".jpeg", ".jpg", ".JPEG", ".JPG")


def read_corel5k(pictures: Path, annotations: Path, *, all_words: bool = False) -> list[Record]:
    """Read the JSON files where they are, else the word numbers.

    Args:
        pictures: folder with the pictures, or with images/train and images/test.
        annotations: folder with the label files.
        all_words: keep every word of the second form (374), not only those that both parts use: the usual 260.

    Raises:
        SemregError: there is neither form, a file is missing or damaged, or a word number is out of range.
    """
    if first_of(annotations, "train.json", "words").name == "train.json":
        if all_words:
            raise SemregError("--all-words wants words, training_label and test_label: train.json has the usual 260")
        return _from_json(pictures, annotations)
    return _from_numbers(pictures, annotations, all_words)


def _from_json(pictures: Path, annotations: Path) -> list[Record]:
    gathering = Gathering(pictures)
    for split in _LABELS:
        path = annotations / f"{split}.json"
        table = read_json(path)
        rows = list(entries(table, "samples", path))
        names = [field(row, "image_name", str, where) for where, row in rows]
        base = base_of(pictures, names, _folders(split))
        labels = field(table, "labels", list, str(path)) if "labels" in table else None
        known = None if labels is None else {label for label in labels if isinstance(label, str)}
        for name, (where, row) in zip(names, rows, strict=True):
            gathering.add(base + name, split, where, tags=_tags(row, where, known))
    return gathering.done(annotations)


def _tags(row: dict[str, Any], where: str, known: set[str] | None) -> list[str]:
    tags = field(row, "image_labels", list, where)
    for tag in tags:
        if not isinstance(tag, str) or (known is not None and tag not in known):
            raise SemregError(f"{where}: a label must stand in labels, {tag!r} does not: add it there or mend it")
    return tags


def _from_numbers(pictures: Path, annotations: Path, all_words: bool) -> list[Record]:
    words = [word for _, word in read_lines(annotations / "words")]
    parts = {split: _numbers(annotations / name, len(words)) for split, name in _LABELS.items()}
    used = [{number for _, _, numbers in rows for number in numbers} for rows in parts.values()]
    kept = set.union(*used) if all_words else set.intersection(*used)
    gathering = Gathering(pictures)
    for split, rows in parts.items():
        base, suffix = _naming(pictures, [name for _, name, _ in rows], _folders(split))
        for where, name, numbers in rows:
            tags = [words[number - 1] for number in sorted(numbers & kept)]
            gathering.add(base + name + suffix, split, where, tags=tags)
    return gathering.done(annotations)


def _numbers(path: Path, words: int) -> list[tuple[str, str, set[int]]]:
    """Place, picture and word numbers of each line."""
    rows = []
    for where, line in read_lines(path):
        name, *numbers = line.split()
        for number in numbers:
            if not _NUMBER.fullmatch(number) or not 1 <= int(number) <= words:
                raise SemregError(f"{where}: a word number must lie in 1..{words}, is {number!r}: mend it or words")
        rows.append((where, name, {int(number) for number in numbers}))
    return rows


def _naming(pictures: Path, names: list[str], folders: Iterable[str]) -> tuple[str, str]:
    """Folder and suffix of pictures of which only the number is known."""
    for suffix in _SUFFIXES:
        full = [name + suffix for name in names]
        base = base_of(pictures, full, tuple(folders))
        if any((pictures / (base + name)).exists() for name in full[:50]):
            return base, suffix
    return base_of(pictures, names, tuple(folders)), _SUFFIXES[0]


def _folders(split: str) -> tuple[str, ...]:
    return (f"images/{split}", split, "images", "")
