"""`semreg annotate`: pictures and folders in, tags and captions out."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semreg.cli.options import FAILED, BatchOption, BeamOption, DeviceOption, ModelOption, load_annotator
from semreg.errors import SemregError
from semreg.terminal import progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semreg.annotation import Annotation


def annotate(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Pictures, and folders that are searched for them.", metavar="PATH"),
    ],
    model: ModelOption = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="table, jsonl, csv or txt. [default: table on a terminal, else jsonl]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File, or for txt also a folder: one text file a picture.",
            show_default=False,
        ),
    ] = None,
    beam: BeamOption = 3,
    captions: Annotated[int, typer.Option("--captions", min=1, help="Captions for each picture, best first.")] = 1,
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            min=0,
            max=1,
            help="Tell tags from this probability on.",
            show_default="the model's own",
        ),
    ] = None,
    max_tags: Annotated[
        int | None, typer.Option("--max-tags", min=0, help="Tell at most so many tags.", show_default="all")
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option("--gallery", help="Also write a web page with pictures, tags and captions.", show_default=False),
    ] = None,
    batch: BatchOption = 16,
    device: DeviceOption = "cpu",
) -> None:
    """Tag and caption pictures.

    Examples:

        semreg annotate cat.jpg

        semreg annotate ~/photos --output photos.csv --gallery photos.html

        semreg annotate ~/photos --format jsonl | grep '"dog"'
    """
    from semreg.folders.gallery import write_gallery
    from semreg.folders.outputs import open_writer
    from semreg.folders.walk import find_pictures

    chosen = format or _format_of(output)
    # Everything that can be wrong with the arguments is found out before the model is loaded.
    found = find_pictures(paths)
    first = next(found, None)
    if first is None:
        raise SemregError("there is no picture to annotate: name pictures, or folders with some")
    writer = open_writer(chosen, output, base=paths[0] if len(paths) == 1 and paths[0].is_dir() else None)
    annotator = load_annotator(model, device)
    from semreg.annotator import Options

    options = Options(
        beams=max(beam, captions), n_best=captions, min_score=min_score, max_tags=max_tags, batch_size=batch
    )

    def sources() -> Iterator[Path]:
        yield first.path
        for picture in found:
            yield picture.path

    total = failed = 0

    def told() -> Iterator[Annotation]:
        nonlocal total, failed
        for annotation in annotator.annotate(sources(), options):
            writer.write(annotation)
            total += 1
            if annotation.error is not None:
                failed += 1
                if chosen != "table":
                    typer.echo(annotation.error, err=True)
            advance(1)
            yield annotation

    with writer, progress_bar("annotating", hidden=chosen == "table" and output is None) as advance:
        if gallery is None:
            deque(told(), maxlen=0)
        else:
            write_gallery(told(), gallery)
    for kept in getattr(writer, "left", []):
        typer.echo(f"kept the text file that was there already: {kept}", err=True)
    if failed:
        typer.echo(f"{failed} of {total} pictures could not be read", err=True)
        raise typer.Exit(FAILED)


def _format_of(output: Path | None) -> str:
    if output is None:
        return "table" if sys.stdout.isatty() else "jsonl"
    known = {".csv": "csv", ".txt": "txt", ".jsonl": "jsonl", ".json": "jsonl", "": "txt"}
    return known.get(output.suffix.lower(), "jsonl")
