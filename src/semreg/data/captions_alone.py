"""Captions without pictures: from text files, a sentence a line, or from files in COCO's form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semreg.data.readers.sources import entries, field, read_json, read_lines


def read_captions_alone(files: Sequence[Path]) -> list[str]:
    """The sentences of some files, in their order.

    Args:
        files: JSON files have the captions at annotations[].caption, as COCO's do. Others are text, a sentence a line;
            of a line with tabs it is what stands behind the last one (Flickr8k.token.txt).

    Raises:
        SemregError: a file cannot be read or holds no sentence; file and place are named.
    """
    found: list[str] = []
    for path in files:
        if path.suffix.lower() == ".json":
            found += [
                field(entry, "caption", str, where) for where, entry in entries(read_json(path), "annotations", path)
            ]
        else:
            found += [line.rpartition("\t")[2].strip() for _, line in read_lines(path)]
    return found
