"""`semreg annotate`: pictures and folders in, tags and captions out."""

from __future__ import annotations

import os
import shlex
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semreg.cli.annotating import Shared, Work, common_folder, continuing, journal_file, target_of
from semreg.cli.options import FAILED
from semreg.cli.spread import spread
from semreg.errors import SemregError
from semreg.terminal import progress_bar

if TYPE_CHECKING:
    from semreg.annotation import Annotation
    from semreg.folders.changes import Contents
    from semreg.folders.journal import Journal
    from semreg.folders.library import Library
    from semreg.folders.outputs import Content, Writer
    from semreg.folders.walk import Found


@spread(Shared, "shared")
def annotate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Pictures, and folders that are searched for them.", metavar="PATH"),
    ],
    shared: Shared,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File, or for txt also a folder: one text file a picture.",
            show_default=False,
        ),
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option("--gallery", help="Also write a web page with pictures, tags and captions.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written; change nothing.")] = False,
) -> None:
    """Tag and caption pictures.

    Examples:

        semreg annotate cat.jpg

        semreg annotate ~/photos --output photos.csv --gallery photos.html

        semreg annotate ~/photos --format jsonl | grep '"dog"'

        semreg annotate ~/photos --format xmp --dry-run

        semreg annotate ~/photos --format xmp --rename names.csv --exclude person
    """
    from semreg.folders.walk import Patterns, find_pictures

    # Everything that can be wrong with the arguments is found out before the model is loaded.
    folder = common_folder(paths)
    settings = shared.settings(folder)
    patterns = Patterns(settings.include, settings.ignore)
    closed = _Closed()
    found = find_pictures(paths, patterns, closed)
    first = next(found, None)
    if first is None:
        raise SemregError("there is no picture to annotate: name pictures, or folders with some")
    form = settings.format or _format_of(output)
    base = paths[0] if len(paths) == 1 and paths[0].is_dir() else None
    target = target_of(settings.model_copy(update={"format": form}), output, base)
    with ExitStack() as stack:
        journal = _journal(folder, base, shared.journal, needed=target is not None, dry=dry_run)
        if journal:
            stack.enter_context(journal)
        writer = None if target else _writer(form, output, base, settings.text, dry=dry_run)
        work = Work.prepared(settings)
        library = work.library(journal, target, refresh=shared.refresh) if journal else None
        if library:
            stack.enter_context(continuing())
            library.everything = gallery is not None
            library.foretell = _foretell if dry_run else None
        hidden = form == "table" and output is None
        total = lambda: sum(1 for _ in find_pictures(paths, patterns, str))  # noqa: E731
        bar = progress_bar("annotating", total, hidden=hidden)
        told = _Told(work, library, writer and stack.enter_context(writer), stack.enter_context(bar), quiet=hidden)
        pictures = told.of(chain([first], found))
        _take(pictures, None if dry_run else gallery)
        if library:
            library.end()
    for kept in getattr(writer, "left", []):
        typer.echo(f"kept the text file that was there already: {kept}", err=True)
    if library and target and not dry_run:
        _sum_up(library, folder)
    unwritten = library.counts.failed - told.failed if library else 0
    if told.failed:
        typer.echo(f"{told.failed} of {told.total} pictures could not be read", err=True)
    if unwritten:
        typer.echo(f"{_pictures(unwritten)} could not be written", err=True)
    if told.failed or unwritten or closed.folders:
        raise typer.Exit(FAILED)


class _Closed:
    """Names folders that cannot be read, and counts them."""

    folders = 0

    def __call__(self, sentence: str) -> None:
        self.folders += 1
        typer.echo(sentence, err=True)


def _take(pictures: Iterator[Annotation], gallery: Path | None) -> None:
    """Take all pictures, into a gallery if there is to be one."""
    if gallery is None:
        deque(pictures, maxlen=0)
        return
    from semreg.folders.gallery import write_gallery

    write_gallery(pictures, gallery)


class _Told:
    """Pictures annotated, written where the user wants to see them, and counted."""

    def __init__(
        self, work: Work, library: Library | None, writer: Writer | None, advance: Callable[[int], None], *, quiet: bool
    ) -> None:
        self.total = self.failed = 0
        self._work, self._library, self._writer, self._advance = work, library, writer, advance
        self._quiet = quiet or library is not None  # a library names what failed by itself

    def of(self, found: Iterator[Found]) -> Iterator[Annotation]:
        """What is told of the pictures, one by one."""
        for annotation in self._annotations(found):
            self._advance(1)
            if self._writer:
                self._writer.write(annotation)
            self.total += 1
            if annotation.error is not None:
                self.failed += 1
                if not self._quiet:
                    typer.echo(annotation.error, err=True)
            yield annotation

    def _annotations(self, found: Iterator[Found]) -> Iterator[Annotation]:
        if self._library:
            self._library.passed = self._advance
            return self._library.annotate(found, self._work.annotator, self._work.options)
        said = self._work.annotator.annotate((picture.path for picture in found), self._work.options)
        return (self._work.labels.told(annotation) for annotation in said)


def _journal(folder: Path, base: Path | None, named: Path | None, *, needed: bool, dry: bool) -> Journal | None:
    """The journal, with what an earlier run left open settled; None where none is needed and none is there."""
    from semreg.folders.changes import settle
    from semreg.folders.journal import Journal

    file = journal_file(folder, named)
    if not needed and named is None and (base is None or not _usable(file)):
        return None
    try:
        journal = Journal(file, folder if named or not file.exists() else None, dry=dry)
    except SemregError:
        if needed or named:
            raise
        return None  # another run is at work in the folder: looking at its pictures need not wait
    if not dry:
        settle(journal)
    return journal


def _usable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _writer(form: str, output: Path | None, base: Path | None, text: Content, *, dry: bool) -> Writer:
    from semreg.folders.formats import open_writer

    if dry:
        return open_writer("jsonl" if form == "jsonl" else "table")
    return open_writer(form, output, content=text, base=base)


def _foretell(contents: Contents, told: Annotation) -> None:
    tags = ", ".join(tag.label for tag in told.tags)
    caption = f'; "{told.caption.text}"' if told.caption else ""
    typer.echo(f"{'new ' if contents.before is None else ''}{contents.target}: {tags or 'no tags'}{caption}")


def _sum_up(library: Library, folder: Path) -> None:
    """Say on stderr what a run did to a folder, and how to take it back."""
    counts = library.counts
    lines = [f"{_pictures(counts.annotated)} annotated, {_files(counts.written)} written"]
    if counts.needless:
        lines.append(f"{_files(counts.needless)} needed no change")
    if counts.unchanged:
        edited = f", {counts.edited} of them edited since by a program that kept our record" if counts.edited else ""
        lines.append(f"{_pictures(counts.unchanged)} done before and left alone{edited}")
    if counts.stale:
        lines.append(
            f"{_pictures(counts.stale)} written with another model or other settings: --refresh writes them again"
        )
    if counts.written:
        lines.append(f"to take it back: semreg undo {library.run} --folder {shlex.quote(str(folder))}")
    for line in lines:
        typer.echo(line, err=True)


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count} pictures"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _format_of(output: Path | None) -> str:
    if output is None:
        return "table" if sys.stdout.isatty() else "jsonl"
    known = {".csv": "csv", ".txt": "txt", ".jsonl": "jsonl", ".json": "jsonl", ".parquet": "parquet", "": "txt"}
    return known.get(output.suffix.lower(), "jsonl")
