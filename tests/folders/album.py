"""Small pictures of every kind, and an annotator that needs no model: what the tests of folders start from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from semreg.annotation import Annotation, Caption, Tag
from semreg.data.images import read_picture
from semreg.errors import PictureError, SemregError
from semreg.folders.changes import settle
from semreg.folders.database import HIDDEN, NAME
from semreg.folders.journal import Journal
from semreg.folders.labels import Labels
from semreg.folders.library import Library
from semreg.folders.targets import Target, XmpTarget
from semreg.folders.walk import find_pictures
from semreg.options import Options
from semreg.reading import ahead

KINDS = ("jpg", "png", "webp", "tif")
WORDS = ("dog", "cat", "horse", "beach", "snow", "kite", "tree", "boat")


@dataclass
class FakeAnnotator:
    """Reads pictures as the real one does; what it says depends on the pixels alone."""

    name: str = "fake@1"
    labels: tuple[str, ...] = WORDS
    asked: list[str] = field(default_factory=list)

    def annotate(self, sources: Iterable[Path], options: Options) -> Iterator[Annotation]:
        for path, found in ahead(_try, sources, 2 * options.batch_size):
            self.asked.append(path.as_posix())
            if isinstance(found, PictureError):
                yield Annotation.failed(path.as_posix(), str(found), self.name)
            else:
                yield said(path, found, self.name)


def _try(path: Path):
    try:
        return path, hashlib.sha256(read_picture(path).tobytes()).digest()
    except PictureError as error:
        return path, error


def said(path: Path, digest: bytes, model: str) -> Annotation:
    words = dict.fromkeys(WORDS[byte % len(WORDS)] for byte in digest[:3])
    tags = tuple(Tag(word, 0.9 - 0.1 * place) for place, word in enumerate(words))
    caption = Caption(f"a {next(iter(words))} at the sea {digest.hex()[:4]}", -0.5)
    return Annotation(path.as_posix(), tags, caption, (caption,), model=model)


def make_album(folder: Path, count: int = 8) -> list[Path]:
    """Small pictures that all differ, in two folders."""
    paths = []
    for number in range(count):
        path = folder / ("a", "b c")[number % 2] / f"{number:03}.{KINDS[number % len(KINDS)]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = (number * 37 % 256, number * 91 % 256, number // 256)
        Image.new("RGB", (24, 16), colour).save(path)
        paths.append(path)
    return paths


def pixels(path: Path) -> bytes:
    with Image.open(path) as picture:
        return picture.convert("RGB").tobytes()


def open_journal(folder: Path, **options) -> Journal:
    journal = Journal(folder / HIDDEN / NAME, **options)
    settle(journal)
    return journal


def run(folder: Path, annotator: FakeAnnotator | None = None, target: Target | None = XmpTarget(), **options):  # noqa: B008
    """One run over the folder; the library with its counts, what it told and what it noted."""
    notes: list[str] = []
    annotator = annotator or FakeAnnotator()
    with open_journal(folder) as journal:
        library = Library(
            journal, target, options.pop("rules", Labels()), annotator.name, "beams=1", note=notes.append, **options
        )
        told = []
        try:
            told = list(library.annotate(find_pictures([folder]), annotator, Options(batch_size=4)))
        except SemregError as error:
            notes.append(str(error))
        library.end()
    return library, told, notes
