"""`semreg search`: find pictures in a folder by what was said of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semreg.errors import SemregError

if TYPE_CHECKING:
    from semreg.folders.search import Hit

FORMATS = ("table", "jsonl", "paths")


def search(
    folder: Annotated[Path, typer.Argument(help="A folder that was annotated into, or with --journal.")],
    words: Annotated[list[str], typer.Argument(help="What to look for; all words must fit.", metavar="WORDS")],
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", help="table, jsonl or paths.", show_default="table on a terminal, else paths"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Pictures at most, the best ones.")] = 100,
    journal: Annotated[
        Path | None, typer.Option("--journal", help="The journal, if it is not in the folder.", show_default=False)
    ] = None,
) -> None:
    """Find pictures by their tags, captions and names, in what was said of them before; no model is needed.

    "dog on grass" in quotes stands together, beach* is how a word begins, -cat must not occur, dog OR cat takes either.

    Examples:

        semreg search ~/photos dog beach

        semreg search ~/photos '"black dog" -cat' --format paths | xargs -d '\\n' cp -t /tmp/dogs

        semreg search ~/photos dog --format jsonl --limit 10
    """
    from semreg.folders.database import find_journal
    from semreg.folders.formats import open_writer
    from semreg.folders.journal import Journal
    from semreg.folders.search import search as look

    chosen = format or ("table" if sys.stdout.isatty() else "paths")
    if chosen not in FORMATS:
        raise SemregError(f"format must be one of {', '.join(FORMATS)}, is {chosen!r}")
    file = journal or find_journal(folder)
    if file is None:
        raise SemregError(f"{folder} has no journal: semreg annotate --format xmp, or with --journal FILE, makes one")
    with Journal(file, reading=True) as opened:
        hits = list(look(opened, folder, " ".join(words), limit))
        if chosen == "table":
            with open_writer("table") as writer:
                for hit in hits:
                    writer.write(hit.annotation)
        else:
            for hit in hits:
                typer.echo(_line(hit, chosen))
    if not hits:
        typer.echo(f"no picture in {folder} has {' '.join(words)!r}", err=True)


def _line(hit: Hit, form: str) -> str:
    if form == "paths":
        return hit.annotation.file_name or ""
    return json.dumps({**hit.annotation.to_dict(), "relevance": round(hit.relevance, 3)}, ensure_ascii=True)
