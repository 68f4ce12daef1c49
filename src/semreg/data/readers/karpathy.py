"""Karpathy's splits: dataset_coco.json, dataset_flickr8k.json, dataset_flickr30k.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from semreg.data.readers.gathering import Gathering, base_of
from semreg.data.readers.sources import entries, field, read_json
from semreg.data.records import Record
from semreg.errors import SemregError

SPLITS = ("train", "restval", "val", "test")
_FOLDERS = ("flickr30k-images", "flickr30k_images", "Flicker8k_Dataset", "Flickr8k_Dataset", "Images", "images", "")


def read_karpathy(pictures: Path, path: Path, *, restval: str | None = "train") -> list[Record]:
    """Read one of the three files.

    Args:
        pictures: folder with train2014/ and val2014/, or with Flickr's pictures.
        path: the file.
        restval: the split that COCO's restval (the rest of the official val part) joins; None leaves it out.

    Raises:
        SemregError: the file is damaged, or a picture has another split or no sentence.
    """
    rows = list(entries(read_json(path, frozenset({"tokens"})), "images", path))
    plain = [str(entry.get("filename")) for _, entry in rows if "filepath" not in entry]
    base = base_of(pictures, plain, _FOLDERS) if plain else ""
    gathering = Gathering(pictures)
    for where, entry in rows:
        split = field(entry, "split", str, where)
        if split not in SPLITS:
            raise SemregError(f"{where}: split must be one of {', '.join(SPLITS)}, is {split!r}: mend it")
        part = restval if split == "restval" else split
        captions = _captions(entry, where)
        if part is not None:
            gathering.add(_name(entry, where, base), part, where, captions=captions)
    return gathering.done(path)


def _name(entry: dict[str, Any], where: str, base: str) -> str:
    name = field(entry, "filename", str, where)
    return f"{field(entry, 'filepath', str, where)}/{name}" if "filepath" in entry else base + name


def _captions(entry: dict[str, Any], where: str) -> list[str]:
    captions = [field(sentence, "raw", str, place) for place, sentence in entries(entry, "sentences", where)]
    if not captions:
        raise SemregError(f"{where}: a picture must have a sentence, has none: add one or take the picture out")
    return captions
