"""`semreg undo`: take back what a run wrote into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semreg.cli.annotating import continuing
from semreg.cli.options import FAILED
from semreg.errors import SemregError
from semreg.terminal import progress_bar

if TYPE_CHECKING:
    from semreg.folders.changes import Contents
    from semreg.folders.journal import Journal


def undo(
    run: Annotated[
        str | None, typer.Argument(help="Number of the run, as annotate told it and --list shows it.", metavar="RUN")
    ] = None,
    last: Annotated[
        Path | None,
        typer.Option("--last", metavar="FOLDER", help="Take back the latest run in this folder.", show_default=False),
    ] = None,
    show: Annotated[
        Path | None,
        typer.Option("--list", metavar="FOLDER", help="Only list the runs in this folder.", show_default=False),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="The folder that RUN was in.", show_default="this one")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option("--journal", help="The journal, if it is not in the folder.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")] = False,
) -> None:
    """Take back what a run wrote into a folder.

    A file that nobody has touched since becomes byte for byte what it was, also if it has another name now; from one
    that somebody has edited, only what the machine wrote is taken out.

    Examples:

        semreg undo --list ~/photos

        semreg undo --last ~/photos

        semreg undo 20260314-2 --folder ~/photos --dry-run
    """
    from semreg.folders.changes import settle
    from semreg.folders.undo import Undo, last_run

    if sum(choice is not None for choice in (run, last, show)) != 1:
        raise SemregError("name one run, --last FOLDER, or --list FOLDER: semreg undo --last ~/photos")
    place = last or show or folder or Path()
    with _open(place, journal, reading=show is not None, dry=dry_run) as opened:
        if show is not None:
            _show(opened)
            return
        if not dry_run:
            settle(opened)
        number = run or last_run(opened)
        work = Undo(opened, number, _say, _foretell if dry_run else None)
        total = sum(item.writes for item in opened.runs(number))
        with continuing(), progress_bar("taking back", total) as advance:
            for count in work.take_back():
                advance(count)
    done = work.done
    files = "1 file" if done.files == 1 else f"{done.files} files"
    touched = f", {done.touched} of them edited since and left without the machine's part" if done.touched else ""
    _say(f"{files} {'would be ' if dry_run else ''}taken back{touched}")
    if done.failed:
        _say(f"{done.failed} could not be taken back")
        raise typer.Exit(FAILED)


def _open(folder: Path, named: Path | None, *, reading: bool, dry: bool) -> Journal:
    from semreg.folders.database import find_journal
    from semreg.folders.journal import Journal

    if not folder.is_dir():
        raise SemregError(f"{folder} is no folder: name the one that was annotated")
    file = named or find_journal(folder)
    if file is None or not file.is_file():
        raise SemregError(f"{file or folder} has no journal: nothing was written there, or --journal FILE keeps it")
    return Journal(file, reading=reading, dry=dry)


def _show(journal: Journal) -> None:
    for run in journal.runs():
        if run.command == "undo":
            continue
        state = "" if run.ended else ", stopped before its end"
        undone = f", {run.undone} taken back" if run.undone else ""
        typer.echo(f"{run.id}  {run.date[:16].replace('T', ' ')} UTC  {run.model}  {run.writes} written{undone}{state}")


def _foretell(contents: Contents) -> None:
    if contents.after is None:
        typer.echo(f"remove {contents.target}")
    else:
        typer.echo(f"restore {contents.target}: {len(contents.before or b'')} to {len(contents.after)} bytes")


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
