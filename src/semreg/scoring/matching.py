"""Which picture a prediction is of: by file name or image id, with or without folders, ending and COCO's prefix."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from semreg.errors import SemregError

_COCO_NUMBER = re.compile(r"(?:COCO_[a-z]+\d*_)?0*(\d{1,18})", re.IGNORECASE)
_EXACT, _STEM, _NUMBER = 1000, 0.5, 0.25  # how sure a match is; between them the number of common last path parts


@dataclass(frozen=True)
class Match:
    """Predictions matched with pictures.

    Attributes:
        of_picture: for each picture the index of its prediction, or None.
        unknown: indices of predictions that are of no picture.
    """

    of_picture: list[int | None]
    unknown: list[int]


def match(pictures: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> Match:
    """Find each prediction's picture, the surest way that gives one.

    In this order: the whole name; the longest common end of the paths, in whole parts (``x/images/1.jpg`` and
    ``images/1.jpg``, or bare names); the bare name without ending; the number in it (``391895`` and
    ``COCO_val2014_000000391895.jpg``). Of two predictions of one picture the surer is taken and the other is
    unknown.

    Args:
        pictures: for each picture its names.
        predictions: for each prediction the names of its picture.

    Raises:
        SemregError: a name fits several pictures, or a picture has several predictions.
    """
    index = _index(pictures)
    best: dict[int, tuple[float, int]] = {}
    unknown = []
    for number, names in enumerate(predictions):
        picture, sure = _find(index, pictures, names)
        if picture is None:
            unknown.append(number)
        elif picture not in best or sure > best[picture][0]:
            if picture in best:
                unknown.append(best[picture][1])
            best[picture] = sure, number
        elif sure == best[picture][0]:
            other = predictions[best[picture][1]][0]
            raise SemregError(
                f"the picture {pictures[picture][0]!r} must have one prediction, has two ({other!r} and "
                f"{names[0]!r}): keep one"
            )
        else:
            unknown.append(number)
    chosen = [best[picture][1] if picture in best else None for picture in range(len(pictures))]
    return Match(chosen, sorted(unknown))


def _index(pictures: Sequence[Sequence[str]]) -> dict[tuple[float, str], set[int]]:
    """The pictures that each key may stand for."""
    index: dict[tuple[float, str], set[int]] = {}
    for picture, names in enumerate(pictures):
        for key in _keys(names):
            index.setdefault(key, set()).add(picture)
    return index


def _find(
    index: dict[tuple[float, str], set[int]], pictures: Sequence[Sequence[str]], names: Sequence[str]
) -> tuple[int | None, float]:
    for sure, key in sorted(_keys(names), reverse=True):
        found = index.get((sure, key), set())
        if len(found) > 1:
            some = " or ".join(repr(pictures[picture][0]) for picture in sorted(found)[:2])
            raise SemregError(f"{names[0]!r} may be {some}: give names with their folders on both sides")
        if found:
            return next(iter(found)), sure
    return None, 0.0


def _keys(names: Iterable[str]) -> Iterator[tuple[float, str]]:
    """How sure and by what: the names as a whole, their last parts, and what a bare name may be short for."""
    for name in names:
        path = PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/"))
        parts = [part for part in path.parts if part != path.anchor]
        yield _EXACT, str(path)
        for count in range(1, len(parts) + 1):
            yield count, "/".join(parts[-count:])
        stem = path.stem if path.suffix[1:].isalnum() and not path.suffix[1:].isdigit() else path.name
        yield _STEM, stem.casefold()
        number = _COCO_NUMBER.fullmatch(stem)
        if number:
            yield _NUMBER, number[1]
