"""A data set: a folder with `metadata.jsonl`, one record a picture; broken records are named by file and line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semreg.errors import SemregError

METADATA = "metadata.jsonl"


@dataclass(frozen=True)
class Record:
    """One picture of a data set.

    Attributes:
        path: where the picture lies.
        file_name: the same relative to the set's folder, as written there.
        split: the part of the set it belongs to, such as "train".
        tags: its labels, without repetition, in the order of the file.
        captions: sentences about it.
    """

    path: Path
    file_name: str
    split: str
    tags: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()


def read_records(folder: Path) -> list[Record]:
    """Read a set's `metadata.jsonl`; whether the pictures are there is found out when they are read.

    Raises:
        SemregError: no such folder or file, no record in it, or a broken record (file and line are named).
    """
    path = folder / METADATA
    if not folder.is_dir():
        raise SemregError(f"the data folder {str(folder)!r} does not exist: pass --data FOLDER with a {METADATA} in it")
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except FileNotFoundError:
        raise SemregError(
            f"{str(folder)!r} has no {METADATA}: write one, a JSON object a line with file_name, split, tags, captions"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SemregError(f"{path} cannot be read: {error}") from None
    records = []
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: U+2028 may stand within a caption
        if line.strip():
            records.append(_parse(line, folder, f"{path}, line {number}"))
    if not records:
        raise SemregError(f"{path} has no record: a set needs at least one picture")
    return records


def of_split(records: Sequence[Record], split: str) -> list[Record]:
    """The records of one split.

    Raises:
        SemregError: there is none; the splits that exist are named.
    """
    chosen = [record for record in records if record.split == split]
    if not chosen:
        known = ", ".join(sorted({record.split for record in records}))
        raise SemregError(f"the set has no split {split!r}: it has {known}")
    return chosen


def _parse(line: str, folder: Path, where: str) -> Record:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise SemregError(f"{where}: not JSON ({error.msg} at column {error.colno}): mend the line") from None
    except (ValueError, RecursionError) as error:  # a number too long, brackets too deep
        raise SemregError(f"{where}: not JSON ({error}): mend the line") from None
    if not isinstance(fields, dict):
        raise SemregError(f"{where}: a record must be a JSON object, is {type(fields).__name__}")
    name = fields.get("file_name")
    if not isinstance(name, str) or not name:
        raise SemregError(f"{where}: file_name must be the picture's path in the folder, is {name!r}")
    split = fields.get("split", "train")
    if not isinstance(split, str):
        raise SemregError(f"{where}: split must be a word such as train, is {split!r}")
    return Record(
        path=folder / name,
        file_name=name,
        split=split,
        tags=tuple(dict.fromkeys(_strings(fields, "tags", where))),
        captions=tuple(_strings(fields, "captions", where)),
    )


def _strings(fields: dict[str, Any], key: str, where: str) -> Iterable[str]:
    values = fields.get(key)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise SemregError(f"{where}: {key} must be a list of texts, is {json.dumps(values)[:60]}")
    return (value.strip() for value in values if value.strip())
