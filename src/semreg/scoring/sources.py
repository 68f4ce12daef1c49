"""Predictions and references from files: COCO JSON, metadata.jsonl, annotations in JSON Lines or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semreg.errors import SemregError

METADATA = "metadata.jsonl"
_NAME_KEYS = ("file_name", "image_id", "image", "filename", "id")  # by the first of these a picture is called
_FORMULA = re.compile(r"'[=+\-@\t\r]")
_FORMS = "COCO JSON, JSON Lines with file_name and tags or captions, or CSV with such columns"


@dataclass(frozen=True)
class Row:
    """What a file says of one picture.

    Attributes:
        names: what the picture is called there: file name, image id, or both.
        where: file and line, for messages.
        tags: labels with their scores (None where they have none); None where the file does not speak of tags.
        captions: sentences, best first; None where the file does not speak of captions.
        split: the part of the set it belongs to; None where the file does not say.
        failed: whether the picture could not be read when the file was made.
    """

    names: tuple[str, ...]
    where: str
    tags: tuple[tuple[str, float | None], ...] | None = None
    captions: tuple[str, ...] | None = None
    split: str | None = None
    failed: bool = False


@dataclass(frozen=True)
class Source:
    """A file of predictions or references: its rows, and the names of COCO's categories by their id."""

    path: Path
    rows: list[Row]
    categories: Mapping[str, str]


def read_source(path: Path, categories: Mapping[str, str] | None = None) -> Source:
    """Read a file, or the metadata.jsonl of a folder.

    Args:
        path: COCO results (``[{"image_id", "caption"}]``, or with ``category_id`` and ``score``), COCO captions or
            instances, `metadata.jsonl`, annotations in JSON Lines or CSV as `semreg annotate` writes them.
        categories: names of COCO's categories, for results that give only their ids.

    Raises:
        SemregError: no such file, another form (file and line are named), or nothing in it.
    """
    file = path / METADATA if path.is_dir() else path
    text = _read(file)
    named = dict(categories or {})
    start = text.lstrip()[:1]
    rows: list[Row] = []
    if start == "[":
        rows = _coco(_json(text, file), {}, named, file)
    elif start == "{":
        whole = _whole_object(text)
        if whole is None:
            rows = list(_json_lines(text, file))
        else:
            named |= {str(item.get("id")): str(item.get("name")) for item in _objects(whole, "categories", file)}
            images = {str(item.get("id")): item.get("file_name") for item in _objects(whole, "images", file)}
            rows = _coco(_objects(whole, "annotations", file), images, named, file)
    elif start:
        rows = list(_csv(text, file))
    if not rows:
        raise SemregError(f"{file} is empty: it must be {_FORMS}")
    return Source(file, rows, named)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SemregError(f"{str(file)!r} does not exist: pass a file that is {_FORMS}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SemregError(f"{file} cannot be read: {error}") from None


def _json(text: str, where: object) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise SemregError(f"{where}: not JSON ({error.msg} at {place}): mend the file") from None
    except (ValueError, RecursionError) as error:  # a number too long, brackets too deep
        raise SemregError(f"{where}: not JSON ({error}): mend the file") from None


def _whole_object(text: str) -> dict[str, Any] | None:
    """The text as one COCO object; None where it is lines of JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("annotations"), list) else None


def _objects(whole: Mapping[str, Any], key: str, file: Path) -> list[dict[str, Any]]:
    items = whole.get(key) or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise SemregError(f"{file}: '{key}' must be a list of objects, as in COCO's files")
    return items


def _coco(items: Any, images: Mapping[str, Any], categories: Mapping[str, str], file: Path) -> list[Row]:
    """Results or annotations: one row an entry, but the categories of a picture in one row; images without any too."""
    rows: list[Row] = []
    tagged: dict[str, dict[str, float | None]] = {}
    seen: set[str] = set()
    for number, item in enumerate(items, 1):
        where = f"{file}, entry {number}"
        if not isinstance(item, dict):
            raise SemregError(f"{where}: must be an object with image_id and caption, is {_shown(item)}")
        if "category_id" not in item:
            rows.append(_row(item, where, images))
            seen.add(rows[-1].names[-1])
            continue
        key = _names(item, where, {})[0]
        label = categories.get(str(item["category_id"]), str(item["category_id"]))
        score, known = _score(item.get("score"), where), tagged.setdefault(key, {})
        before = known.get(label)  # of several boxes of one category the surest counts
        known[label] = score if before is None else max(before, score or 0.0)
        seen.add(key)
    for key in [*tagged, *(key for key in images if key not in seen)] if tagged else []:
        name = images.get(key)
        names = (str(name), key) if name else (key,)
        rows.append(Row(names, str(file), tags=tuple(tagged.get(key, {}).items())))
    return rows


def _json_lines(text: str, file: Path) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: U+2028 may stand within a caption
        if line.strip():
            where = f"{file}, line {number}"
            item = _json(line, where)
            if not isinstance(item, dict):
                raise SemregError(f"{where}: must be a JSON object, is {_shown(item)}")
            yield _row(item, where, {})


def _csv(text: str, file: Path) -> Iterator[Row]:
    """Rows as `semreg annotate --format csv` writes them: tags and their scores joined by `; `."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = reader.fieldnames or []
        if not set(_NAME_KEYS) & set(columns) or not {"tags", "caption"} & set(columns):
            raise SemregError(f"{file} has no known form (it begins {_shown(text[:40])}): it must be {_FORMS}")
        for cells in reader:
            where = f"{file}, line {reader.line_num}"
            item: dict[str, Any] = {key: cells[key] for key in (*_NAME_KEYS, "split", "error") if cells.get(key)}
            if "caption" in columns:
                item["caption"] = _plain(cells["caption"] or "")
            if "tags" in columns:
                labels = [part.strip() for part in _plain(cells["tags"] or "").split(";") if part.strip()]
                scores = [part.strip() for part in (cells.get("tag_scores") or "").split(";") if part.strip()]
                if scores and len(scores) != len(labels):
                    raise SemregError(f"{where}: has {len(labels)} tags and {len(scores)} tag_scores: give one each")
                pairs = [{"label": label, "score": score} for label, score in zip(labels, scores, strict=False)]
                item["tags"] = pairs if scores else labels
            yield _row(item, where, {})
    except csv.Error as error:
        raise SemregError(f"{file}, line {reader.line_num}: not CSV ({error}): mend the line") from None


def _row(item: Mapping[str, Any], where: str, images: Mapping[str, Any]) -> Row:
    """One picture from an object with any of file_name, image_id, tags, caption, captions, split, error."""
    captions = tags = None
    if item.get("captions"):
        captions = tuple(_texts(item["captions"], "captions", "text", where))
    elif item.get("caption") is not None:
        captions = tuple(_texts([item["caption"]], "caption", "text", where))
    elif {"caption", "captions"} & set(item):
        captions = ()
    if item.get("tags") is not None:
        tags = tuple(_scored(item["tags"], where))
    split = item.get("split")
    return Row(
        _names(item, where, images), where, tags, captions, str(split) if split else None, bool(item.get("error"))
    )


def _names(item: Mapping[str, Any], where: str, images: Mapping[str, Any]) -> tuple[str, ...]:
    found = next((item[key] for key in _NAME_KEYS if item.get(key) is not None), None)
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        raise SemregError(f"{where}: a picture needs a file_name or an image_id, has {_shown(found)}")
    known = images.get(str(found))
    return (str(known), str(found)) if known else (str(found),)


def _texts(items: object, key: str, inner: str, where: str) -> Iterator[str]:
    if not isinstance(items, list):
        raise SemregError(f"{where}: {key} must be a list, is {_shown(items)}")
    for item in items:
        text = item.get(inner) if isinstance(item, dict) else item
        if not isinstance(text, str):
            raise SemregError(f"{where}: {key} must hold texts, holds {_shown(item)}")
        yield text


def _scored(items: object, where: str) -> Iterator[tuple[str, float | None]]:
    for label, item in zip(_texts(items, "tags", "label", where), items, strict=True):  # type: ignore[call-overload]
        yield label.strip(), _score(item.get("score") if isinstance(item, dict) else None, where)


def _score(value: object, where: str) -> float | None:
    if value is None:
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise SemregError(f"{where}: a score must be a finite number, is {_shown(value)}")
    return number


def _plain(text: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from computing it."""
    return text[1:] if _FORMULA.match(text) else text


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def training_captions(source: Source) -> Iterable[str]:
    """The captions of a source; of a set with a split "train" those of that."""
    rows = source.rows
    if any(row.split == "train" for row in rows):
        rows = [row for row in rows if row.split == "train"]
    return [caption for row in rows for caption in row.captions or ()]
