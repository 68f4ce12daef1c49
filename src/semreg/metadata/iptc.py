"""IPTC-IIM datasets: keywords (2:25) and caption (2:120), in the character set that the block declares."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from semreg.metadata.entry import Entry, MetadataError

_KEYWORD, _CAPTION, _CHARSET = (2, 25), (2, 120), (1, 90)
_UTF8 = b"\x1b%G"
_LIMITS = {_KEYWORD: 64, _CAPTION: 2000}  # bytes, IPTC-IIM 4.2


@dataclass(frozen=True)
class _Dataset:
    """One dataset: its record and number, its value, and all its bytes."""

    kind: tuple[int, int]
    value: bytes
    raw: bytes


def keywords(block: bytes) -> tuple[str, ...]:
    """The keywords, in their order."""
    datasets, _ = _parsed(block)
    charset = _charset(datasets)
    return tuple(_decoded(item.value, charset) for item in datasets if item.kind == _KEYWORD)


def caption(block: bytes) -> str | None:
    """The caption, or None."""
    datasets, _ = _parsed(block)
    found = (_decoded(item.value, _charset(datasets)) for item in datasets if item.kind == _CAPTION)
    return next((text for text in found if text.strip()), None)


def changed(block: bytes, old: Entry, new: Entry) -> bytes:
    """Turn a block that holds the machine's part `old` into one that holds `new`; every other dataset stays.

    A keyword or caption that the block's character set cannot express, or that is longer than IPTC-IIM
    allows, is left to XMP. A caption is written only where there is none.
    """
    datasets, rest = _parsed(block)
    if not datasets:
        return block
    charset = _charset(datasets)
    if old.tags != new.tags:
        datasets = _without(datasets, _KEYWORD, old.tags, charset)
        there = {item.value for item in datasets if item.kind == _KEYWORD}
        added = [item for item in _made(_KEYWORD, new.tags, charset) if item.value not in there]
        datasets = _inserted(datasets, added)
    if old.caption != new.caption:
        datasets = _without(datasets, _CAPTION, [old.caption] if old.caption else [], charset)
        if not any(item.kind == _CAPTION and item.value.strip() for item in datasets):
            datasets = _inserted(datasets, list(_made(_CAPTION, [new.caption] if new.caption else [], charset)))
    return b"".join(item.raw for item in datasets) + rest


def _parsed(block: bytes) -> tuple[list[_Dataset], bytes]:
    """The datasets, and what follows them (padding)."""
    datasets, position = [], 0
    while position < len(block) and block[position] == 0x1C:
        if position + 5 > len(block):
            break
        record, number, size = struct.unpack_from(">xBBH", block, position)
        start = position + 5
        if size & 0x8000:
            width = size & 0x7FFF
            size = int.from_bytes(block[start : start + width], "big")
            start += width
        if start + size > len(block):
            raise MetadataError(
                f"its IPTC dataset {record}:{number} reaches {start + size - len(block)} bytes beyond the block: "
                "mend it with exiftool, or write a sidecar"
            )
        datasets.append(_Dataset((record, number), block[start : start + size], block[position : start + size]))
        position = start + size
    return datasets, block[position:]


def _charset(datasets: list[_Dataset]) -> str:
    """UTF-8 where it is declared, or where nothing is and all text is plainly UTF-8; else Latin-1 (Windows-1252)."""
    declared = next((item.value for item in datasets if item.kind == _CHARSET), None)
    if declared is not None:
        return "utf-8" if declared == _UTF8 else "cp1252"
    values = [item.value for item in datasets if item.kind in _LIMITS]
    if all(value.isascii() for value in values):
        return "cp1252"
    try:
        b"\0".join(values).decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _decoded(value: bytes, charset: str) -> str:
    try:
        return value.rstrip(b"\0").decode(charset)
    except UnicodeDecodeError:
        return value.rstrip(b"\0").decode("latin-1")


def _made(kind: tuple[int, int], texts: Iterable[str], charset: str) -> Iterator[_Dataset]:
    for text in texts:
        try:
            value = text.encode(charset)
        except UnicodeEncodeError:
            continue
        if len(value) <= _LIMITS[kind]:
            yield _Dataset(kind, value, struct.pack(">BBBH", 0x1C, *kind, len(value)) + value)


def _without(datasets: list[_Dataset], kind: tuple[int, int], texts: Iterable[str], charset: str) -> list[_Dataset]:
    left = list(datasets)
    for made in _made(kind, texts, charset):
        for index in reversed(range(len(left))):
            if left[index].kind == kind and left[index].value == made.value:
                del left[index]
                break
    return left


def _inserted(datasets: list[_Dataset], added: list[_Dataset]) -> list[_Dataset]:
    """Put datasets of one kind after the last of their kind, or where their number belongs."""
    if not added:
        return datasets
    place = max((index + 1 for index, item in enumerate(datasets) if item.kind <= added[0].kind), default=0)
    return [*datasets[:place], *added, *datasets[place:]]
