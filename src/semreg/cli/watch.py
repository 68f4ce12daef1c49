"""`semreg watch`: annotate what arrives in a folder, until stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from semreg.cli.annotating import Shared, Work, journal_file, target_of
from semreg.cli.spread import spread
from semreg.errors import SemregError


class _Stopped(BaseException):
    """Somebody asked the process to end; what is half done goes on at the next start."""


@spread(Shared, "shared")
def watch(
    folder: Annotated[Path, typer.Argument(help="The folder; all that is below it counts too.")],
    shared: Shared,
    every: Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks.")] = 5.0,
) -> None:
    """Annotate what is in a folder and what arrives there, until stopped.

    A file counts as complete when nobody has touched it for two seconds. Without --format, or with jsonl, annotations
    go to stdout as they come; with xmp or txt into the folder. Ctrl-C ends with status 130, SIGTERM with 0.

    Examples:

        semreg watch ~/photos --format xmp

        semreg watch ~/inbox | while read -r line; do echo "$line"; done
    """
    from semreg.folders.changes import settle
    from semreg.folders.formats import open_writer
    from semreg.folders.journal import Journal
    from semreg.folders.walk import Patterns
    from semreg.folders.watch import complete
    from semreg.folders.watch import watch as look_again

    if not folder.is_dir():
        raise SemregError(f"{folder} is no folder: name one that pictures arrive in")
    settings = shared.settings(folder)
    form = settings.format or "jsonl"
    if form not in ("xmp", "txt", "jsonl"):
        raise SemregError(f"what arrives can be written as xmp, txt or jsonl, not {form}: leave out --format for jsonl")
    patterns = Patterns(settings.include, settings.ignore)
    target = target_of(settings.model_copy(update={"format": form}), folder if form == "txt" else None, folder)
    file = journal_file(folder, shared.journal)
    with Journal(file, folder if shared.journal else None) as journal, _ended_by_sigterm():
        settle(journal)
        work = Work.prepared(settings)
        library = work.library(journal, target, refresh=shared.refresh)
        library = replace(library, command="watch", news_only=True)
        typer.echo(f"watching {folder}: Ctrl-C stops", err=True)
        once = cache(lambda sentence: typer.echo(sentence, err=True))  # the folder is looked through again and again
        with nullcontext() if target else open_writer("jsonl") as writer:

            def look() -> int:
                nonlocal library
                done = 0
                for annotation in library.annotate(complete(folder, patterns, once), work.annotator, work.options):
                    done += 1
                    if writer and annotation.error is None:
                        writer.write(annotation)
                library = replace(library, retry=False)
                return done

            try:
                look_again(look, every)
            finally:
                library.end()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stopped

    before = signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has background jobs ignore it
    try:
        yield
    except _Stopped:
        typer.echo("stopped", err=True)
    finally:
        signal.signal(signal.SIGTERM, before)
