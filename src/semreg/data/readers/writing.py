"""Writing a data set's `metadata.jsonl`: a part held out, missing pictures found, names relative to its folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from semreg.data.records import METADATA, Record
from semreg.errors import SemregError
from semreg.files import atomic_write

LINK = "pictures"
_ORDER = ("train", "val", "test")


def hold_out(records: Sequence[Record], share: float, seed: int = 0) -> list[Record]:
    """Make a share of the training pictures the split "val".

    Which ones is decided by a hash of the seed and the file name: the same on every machine, and hardly different
    when pictures are added.

    Args:
        records: a set without a split "val".
        share: of the pictures of "train", above 0 and below 1; at least one is held out, and one left.
        seed: another one chooses others.

    Raises:
        SemregError: the share is out of range, there is a validation part already, or there are too few pictures.
    """
    if not 0 < share < 1:
        raise SemregError(f"--holdout must lie above 0 and below 1, is {share}: pass --holdout 0.1 for a tenth")
    train = [record.file_name for record in records if record.split == "train"]
    if any(record.split == "val" for record in records):
        raise SemregError("--holdout is for sets without a validation part, this one has a split 'val': leave it out")
    if len(train) < 2:
        raise SemregError(f"--holdout needs two training pictures at least, there are {len(train)}: leave it out")
    train.sort(key=lambda name: (hashlib.sha256(f"{seed} {name}".encode(errors="backslashreplace")).digest(), name))
    chosen = set(train[: min(max(round(share * len(train)), 1), len(train) - 1)])
    return [replace(record, split="val") if record.file_name in chosen else record for record in records]


def find_missing(records: Sequence[Record], advance: Callable[[int], None] = lambda count: None) -> list[Record]:
    """The records whose pictures are not on disk; `advance` is called with 1 for each that was looked for."""
    missing = []
    for record in records:
        if not record.path.exists():
            missing.append(record)
        advance(1)
    return missing


def write_set(records: Sequence[Record], pictures: Path, folder: Path | None = None, *, force: bool = False) -> Path:
    """Write `metadata.jsonl`; the pictures stay where they are.

    Args:
        records: what to write; file names are relative to `pictures`.
        pictures: the pictures' folder.
        folder: where to write; None is the pictures' folder. In a folder that is not above the pictures a symbolic
            link named "pictures" leads to them: mend that one link when they move.
        force: overwrite a file that is there.

    Returns:
        The file written. On any failure nothing is left half written.

    Raises:
        SemregError: there is a file already, or it, the folder or the link cannot be written.
    """
    folder = pictures if folder is None else folder
    refuse_overwriting(folder, force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SemregError(f"cannot make the folder {folder} ({error.strerror or error}): name another one") from None
    prefix, new_link = _way(folder, pictures, force)
    keys = [key for key in ("tags", "captions") if any(getattr(record, key) for record in records)]
    try:
        with atomic_write(folder / METADATA) as file:
            for record in records:
                row = {"file_name": prefix + record.file_name, "split": record.split}
                texts = {key: list(getattr(record, key)) for key in keys}
                file.write(json.dumps(row | texts, ensure_ascii=False) + "\n")
    except BaseException:
        if new_link:
            (folder / LINK).unlink(missing_ok=True)
        raise
    return folder / METADATA


def refuse_overwriting(folder: Path, force: bool) -> None:
    """Refuse to write where there is a `metadata.jsonl` already.

    Raises:
        SemregError: there is one, and `force` is not set.
    """
    if (folder / METADATA).exists() and not force:
        raise SemregError(f"{folder / METADATA} exists already: pass --force to overwrite it, or --output FOLDER")


def describe(records: Sequence[Record]) -> list[str]:
    """What a set holds, in a few lines: pictures, tags and captions of each split, and how many different tags."""
    splits = sorted(
        {record.split for record in records},
        key=lambda split: (_ORDER.index(split) if split in _ORDER else len(_ORDER), split),
    )
    lines = [f"{'split':<10}{'pictures':>10}{'tags':>10}{'captions':>10}"]
    for split in splits:
        chosen = [record for record in records if record.split == split]
        tags, captions = sum(len(record.tags) for record in chosen), sum(len(record.captions) for record in chosen)
        lines.append(f"{split:<10}{len(chosen):>10,}{tags:>10,}{captions:>10,}")
    labels = Counter(tag for record in records for tag in record.tags)
    if labels:
        lines.append(f"{len(labels):,} different tags; most frequent: {', '.join(t for t, _ in labels.most_common(5))}")
    if labels and (without := sum(not record.tags for record in records)):
        lines.append(f"{without:,} pictures without a tag")
    return lines


def _way(folder: Path, pictures: Path, force: bool) -> tuple[str, bool]:
    """What file names begin with, and whether a link was made for it."""
    here, there = Path(os.path.realpath(folder)), Path(os.path.realpath(pictures))
    if there.is_relative_to(here):
        between = there.relative_to(here).as_posix()
        return ("" if between == "." else f"{between}/"), False
    link = folder / LINK
    if link.is_symlink() and Path(os.path.realpath(link)) == there:
        return f"{LINK}/", False
    if os.path.lexists(link) and not (force and link.is_symlink()):
        raise SemregError(f"{link} must be a link to {there}, is something else: remove it, or pass another --output")
    try:
        link.unlink(missing_ok=True)
        link.symlink_to(there, target_is_directory=True)
    except OSError as error:
        raise SemregError(
            f"cannot link {link} to the pictures ({error.strerror or error}): leave out --output, "
            "or name a folder above the pictures"
        ) from None
    return f"{LINK}/", True
