"""Tables: CSV or TSV with a column each for the picture, its tags, its captions and its split."""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from semreg.data.readers.gathering import Gathering
from semreg.data.readers.sources import read_text
from semreg.data.records import Record
from semreg.errors import SemregError

FILE_NAMES = ("file_name", "filename", "file", "image", "filepath", "path")
TAGS, CAPTIONS, SPLITS = ("tags", "labels", "label"), ("captions", "caption"), ("split", "split_name")


@dataclass(frozen=True)
class Columns:
    """Which columns hold what; None takes the first that is there of the usual names.

    Attributes:
        file_name: the picture's path in the pictures' folder.
        tags: its labels, with `separator` between them, or as a list in brackets.
        captions: a sentence each; several columns may be named.
        split: the part of the set; where there is no such column, all is "train".
        separator: what stands between tags.
    """

    file_name: str | None = None
    tags: str | None = None
    captions: tuple[str, ...] = ()
    split: str | None = None
    separator: str = ","


@dataclass
class _Picture:
    where: str
    split: str
    tags: list[str]
    captions: list[str]


def read_table(
    pictures: Path, path: Path, columns: Columns | None = None, delimiter: str | None = None
) -> list[Record]:
    """Read a table with a header line; rows of one picture are put together, as where each has one caption.

    Args:
        pictures: folder that the file names are relative to.
        path: the table.
        columns: which columns hold what.
        delimiter: between cells; None takes a tab for .tsv and .tab, else a comma.

    Raises:
        SemregError: a column is missing, a row malformed, or two rows of a picture name two splits.
    """
    columns = columns or Columns()
    rows = _rows(path, delimiter or ("\t" if path.suffix.lower() in (".tsv", ".tab") else ","))
    _, header = next(rows, (1, []))
    place = _places(header, columns, path)
    found: dict[str, _Picture] = {}
    for line, row in rows:
        where = f"{path}, line {line}"
        if len(row) != len(header):
            raise SemregError(
                f"{where}: must have {len(header)} cells as the header has, has {len(row)}: put cells with "
                "separators in quotes, or pass --delimiter"
            )
        name = row[place["file_name"][0]].strip()
        split = row[place["split"][0]].strip() if place["split"] else "train"
        picture = found.setdefault(name, _Picture(where, split, [], []))
        if picture.split != split or not split:
            raise SemregError(f"{where}: a picture must have one split, {name!r} has {picture.split!r} and {split!r}")
        picture.tags += [tag for at in place["tags"] for tag in _listed(row[at], columns.separator, where)]
        picture.captions += [text for at in place["captions"] for text in _listed(row[at], None, where)]
    gathering = Gathering(pictures)
    for name, picture in found.items():
        gathering.add(name, picture.split, picture.where, tags=picture.tags, captions=picture.captions)
    return gathering.done(path)


def _rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with the line that they end on."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise SemregError(f"{path}, line {reader.line_num}: not a table ({error}): mend the quotes") from None
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _places(header: Sequence[str], columns: Columns, path: Path) -> dict[str, list[int]]:
    names = [name.strip() for name in header]
    lower = [name.lower() for name in names]

    def find(wanted: str | None, usual: Sequence[str], option: str) -> list[int]:
        if wanted is None:
            return [lower.index(name) for name in usual if name in lower][:1]
        if wanted not in names:
            raise SemregError(f"{path} must have a column {wanted!r}, has {', '.join(names)}: pass {option} COLUMN")
        return [names.index(wanted)]

    place = {
        "file_name": find(columns.file_name, FILE_NAMES, "--file-name"),
        "tags": find(columns.tags, TAGS, "--tags"),
        "split": find(columns.split, SPLITS, "--split"),
        "captions": [at for name in columns.captions or (None,) for at in find(name, CAPTIONS, "--caption")],
    }
    if not place["file_name"]:
        raise SemregError(f"{path} must have a column file_name, has {', '.join(names)}: pass --file-name COLUMN")
    if not place["tags"] and not place["captions"]:
        raise SemregError(
            f"{path} must have a column of tags or captions, has {', '.join(names)}: pass --tags or --caption COLUMN"
        )
    return place


def _listed(cell: str, separator: str | None, where: str) -> list[str]:
    """The texts of a cell: a list in brackets, as pandas and JSON write it, or separated, or the cell itself."""
    text = cell.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return text.split(separator) if separator else [text]
    try:
        values = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise SemregError(f"{where}: a list in brackets must hold texts in quotes, is {text[:60]!r}: mend the cell")
    return values
