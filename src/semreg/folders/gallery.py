"""A folder's annotations as a page to look at, from disk: it needs no server and nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import time
from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import quote

from semreg.annotation import Annotation
from semreg.data.thumbnails import thumbnail
from semreg.files import atomic_write

_THUMBNAIL = 480  # width of a picture on the page, in pixels
_CONCEPTS = 12  # how many of the strongest concepts a card lists

_SMALL = 320  # the same on a page of many
_FEW = 200  # up to so many pictures are inside the page itself


def write_gallery(
    annotations: Iterable[Annotation], path: Path, *, base: Path | None = None, title: str = "Pictures"
) -> None:
    """Write one HTML page with a card for every annotation, as they come; the failed ones stand at its end.

    Up to 200 pictures are embedded (JPEG, 480 pixels wide, turned upright), so that the page can be sent by itself. For
    more the page stays light: smaller ones lie in a folder beside it, `NAME.thumbnails`, which is made again where
    it was and is to be moved with it; the browser reads them when they come into sight.
    Pictures are read from `file_name`, below `base` when given; one that can no longer be read gets a card without
    picture. An older page stays as it was until the new one is complete.

    Raises:
        SemregError: the page cannot be written.
    """
    rest = iter(annotations)
    first = list(itertools.islice(rest, _FEW + 1))
    thumbnails: _Thumbnails = _Inside() if len(first) <= _FEW else _Beside(path)
    failed: list[Annotation] = []
    models: set[str] = set()
    with atomic_write(path) as page:
        page.write(_head(title))
        for annotation in itertools.chain(first, rest):
            models.add(annotation.model)
            if annotation.error is not None:
                failed.append(annotation)
            else:
                page.write(_card(annotation, base, thumbnails))
        page.write('</main>\n<p id="none" role="status" hidden>No picture fits.</p>\n')
        if failed:
            page.write(f'<section class="failed"><h2>Not read ({len(failed)})</h2>\n<ul>\n')
            page.writelines(_failure(annotation) for annotation in failed)
            page.write("</ul></section>\n")
        page.write(f"<footer>{_text(', '.join(sorted(models - {''})))}</footer>\n")
        page.write(f"<script>{_part('gallery.js')}</script>\n</body>\n</html>\n")
    thumbnails.finish()


class _Inside:
    """Thumbnails that are part of the page."""

    detailed = True

    def source(self, picture: Path) -> tuple[str, int, int] | None:
        """What the page calls the picture's thumbnail, and its width and height; None when it cannot be read."""
        small = thumbnail(picture, _THUMBNAIL)
        return (small.uri, small.width, small.height) if small else None

    def finish(self) -> None:
        """Called when the page is complete."""


class _Beside:
    """Thumbnails in a folder beside the page; those that are there already, of the same files, are not made again."""

    detailed = False

    def __init__(self, page: Path) -> None:
        self._folder = page.with_name(f"{page.stem}.thumbnails")
        self._began = time.time()

    def source(self, picture: Path) -> tuple[str, int, int] | None:
        """What the page calls the picture's thumbnail, and its width and height; None when it cannot be read."""
        try:
            status = picture.stat()
        except (OSError, ValueError):
            return None
        key = f"{picture.absolute()}\0{status.st_size}\0{status.st_mtime_ns}".encode("utf-8", "surrogateescape")
        name = hashlib.sha256(key).hexdigest()[:24]
        file = self._folder / name[:2] / f"{name}.jpg"
        size = _reused(file) or _made(picture, file)
        return size and (f"{quote(self._folder.name)}/{name[:2]}/{name}.jpg", *size)

    def finish(self) -> None:
        """Remove what no card of the new page shows: thumbnails of an older one."""
        for file in self._folder.glob("??/*.jpg"):
            if re.fullmatch(r"[0-9a-f]{24}\.jpg", file.name) and file.stat().st_mtime < self._began - 2:
                file.unlink(missing_ok=True)


_Thumbnails = _Inside | _Beside


def _reused(file: Path) -> tuple[int, int] | None:
    from PIL import Image

    try:
        with Image.open(file) as small:
            size = small.size
        file.touch()
    except OSError:
        return None
    return size


def _made(picture: Path, file: Path) -> tuple[int, int] | None:
    small = thumbnail(picture, _SMALL, quality=78)
    if small is None:
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file, binary=True) as stream:
        stream.write(small.data)
    return small.width, small.height


@cache
def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _head(title: str) -> str:
    # The policy lets nothing load and nothing run but the one script of this page, whatever a file name
    # holds.
    digest = base64.b64encode(hashlib.sha256(_part("gallery.js").encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data: 'self' file:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(title)}</title>
<style>{_part("gallery.css")}</style>
</head>
<body>
<header>
<div><h1>{_text(title)}</h1><p id="count" role="status"></p></div>
<div id="filters">
<input id="search" type="search" placeholder="Search  /" aria-label="Search captions, tags and file names">
<label>tags from <input id="least" type="range" min="0" max="100" value="0" step="5"
  aria-label="Least probability of a tag, percent"> <output id="shown-least">0%</output></label>
</div>
<div id="frequent" role="group" aria-label="Show only pictures with these tags"></div>
</header>
<main>
"""


def _card(annotation: Annotation, base: Path | None, thumbnails: _Thumbnails) -> str:
    name = annotation.file_name or ""
    caption = annotation.caption.text if annotation.caption else ""
    tags = ", ".join(tag.label for tag in annotation.tags)
    image = _image(thumbnails, (base or Path()) / name, alt=caption or tags or name) if name else None
    parts = [f'<p class="caption">{_text(caption)}</p>'] if caption else []
    if annotation.tags:
        buttons = (f"<li><button>{_scored(tag.label, tag.score)}</button></li>" for tag in annotation.tags)
        parts.append(f'<ul class="tags">{"".join(buttons)}</ul>\n')
    if annotation.concepts and thumbnails.detailed:
        strongest = sorted(annotation.concepts, key=lambda item: -item.score)[:_CONCEPTS]
        items = "".join(f"<li>{_scored(item.concept, item.score)}</li>" for item in strongest)
        parts.append(f'<details><summary>Concepts</summary>\n<ul class="concepts">{items}</ul></details>')
    if name:
        parts.append(f'<p class="name">{_text(name)}</p>')
    image = image or '<div class="blank">no picture</div>'
    return f'<article>\n{image}\n<div class="text">{"".join(parts)}</div>\n</article>\n'


def _scored(label: str, score: float) -> str:
    return f"{_text(label)} <small>{score:.0%}</small>"


def _failure(annotation: Annotation) -> str:
    name = _text(annotation.file_name or "a picture without name")
    return f"<li>{name}<p>{_text(annotation.error or '')}</p></li>\n"


def _text(text: str) -> str:
    return escape(text, quote=True)


def _image(thumbnails: _Thumbnails, path: Path, alt: str) -> str | None:
    """Return the picture's element with a small upright JPEG in it, or None when it cannot be read."""
    small = thumbnails.source(path)
    if small is None:
        return None
    source, width, height = small
    fits = 1.15 < width / height < 1.6  # any other shape would lose too much in a 4:3 frame and is shown whole
    shape = "" if fits else ' class="whole"'
    lazy = "" if source.startswith("data:") else ' loading="lazy" decoding="async"'
    return f'<img{shape}{lazy} width="{width}" height="{height}" alt="{_text(alt)}" src="{_text(source)}">'
