"""Reading the files that benchmarks come as: text, lines and JSON, each fault named by file and place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from semreg.errors import SemregError

_T = TypeVar("_T")
_KINDS: dict[type, str] = {int: "a whole number", str: "a text", list: "a list", dict: "an object"}
_SHOWN = 60  # characters of a wrong value that are told


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Raises:
        SemregError: no such file, or it is not UTF-8 (the line is named).
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise SemregError(f"{path} does not exist: name the folder or file that holds it") from None
    except OSError as error:
        raise SemregError(f"{path} cannot be read ({error.strerror or error}): check the path and its rights") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{raw[error.start]:02x}"
        raise SemregError(f"{path}, line {line}: must be UTF-8, has {wrong}: convert the file to UTF-8") from None


def read_lines(path: Path) -> list[tuple[str, str]]:
    """The lines that are not blank, stripped, each with its place for messages ("FILE, line 3").

    Raises:
        SemregError: the file cannot be read, or has no such line.
    """
    text = read_text(path)
    lines = [(f"{path}, line {number}", line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    found = [(where, line) for where, line in lines if line]
    if not found:
        raise SemregError(f"{path} is empty: unpack it again from its archive")
    return found


def read_json(path: Path, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The object in a JSON file.

    Args:
        path: the file.
        without: keys, at any depth, whose values are dropped at once; outlines of objects fill most of COCO's files.

    Raises:
        SemregError: the file cannot be read, is not JSON (line and column are named), or holds no object.
    """
    text = read_text(path)
    try:
        found = json.loads(text, object_pairs_hook=lambda pairs: {k: v for k, v in pairs if k not in without})
    except json.JSONDecodeError as error:
        place = f"{path}, line {error.lineno} column {error.colno}"
        raise SemregError(
            f"{place}: not JSON ({error.msg}): the file is cut short or damaged, unpack it again from its archive"
        ) from None
    except (ValueError, RecursionError) as error:  # a number too long, brackets too deep
        raise SemregError(f"{path}: not JSON ({error}): unpack it again from its archive") from None
    if not isinstance(found, dict):
        raise SemregError(f"{path} must hold a JSON object, holds {type(found).__name__}: name the official file")
    return found


def entries(table: Mapping[str, Any], key: str, place: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list in JSON, each with its place ("FILE, annotations[17]").

    Args:
        table: the object that has the list.
        key: the list's name in it.
        place: where the object stands: the file, or a place in it.

    Raises:
        SemregError: there is no such list, or something in it is no object.
    """
    rows = field(table, key, list, str(place))
    joint = "." if isinstance(place, str) else ", "
    for number, row in enumerate(rows):
        where = f"{place}{joint}{key}[{number}]"
        if not isinstance(row, dict):
            raise SemregError(f"{where} must be an object, is {shown(row)}: mend the entry or take the official file")
        yield where, row


def field(entry: Mapping[str, Any], key: str, kind: type[_T], where: str) -> _T:
    """One value of an object in JSON.

    Raises:
        SemregError: it is missing or of another type; the place is named.
    """
    value = entry.get(key)
    if type(value) is not kind:  # a bool is no number here
        what = shown(value) if key in entry else "missing"
        raise SemregError(f"{where}: {key} must be {_KINDS[kind]}, is {what}: mend it or take the official file")
    return value


def shown(value: object) -> str:
    """A wrong value as messages tell it: as JSON, cut to a few words."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def first_of(folder: Path, *names: str) -> Path:
    """The first of several places in a folder where a file or folder may lie.

    Raises:
        SemregError: there is none of them; all are named.
    """
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise SemregError(f"{folder} must have {' or '.join(names)}, has none of them: name the folder that has")
