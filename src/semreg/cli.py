"""The command `semreg`: one verb for each thing people do, each a few lines onto the library.

Data goes to stdout, everything else to stderr. Exit status: 0 done, 1 done but some pictures failed, 2 could not start,
130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semreg import __version__
from semreg.errors import SemregError
from semreg.terminal import print_evaluation, progress_bar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from semreg.annotation import Annotation
    from semreg.annotator import Annotator

FAILED, CANNOT_START, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="semreg",
    help="Tags and captions for pictures, through a layer of named concepts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Model folder, or hf:OWNER/NAME; without it the default model of the package.",
        show_default=False,
    ),
]
BeamOption = Annotated[int, typer.Option("--beam", min=1, max=100, help="Width of the search; 1 is greedy.")]
BatchOption = Annotated[int, typer.Option("--batch", min=1, help="Pictures that go through the model together.")]
DeviceOption = Annotated[str, typer.Option("--device", help="Where to compute: cpu, cuda, ...")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"semreg {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
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
    annotator = _load(model, device)
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


@app.command()
def train(
    recipe: Annotated[
        Path | None, typer.Argument(help="A recipe, such as recipes/corel5k.yaml.", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Data set folder instead of the recipe's.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the run.", show_default="runs/NAME")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="Go on with a run that was stopped.", show_default=False),
    ] = None,
) -> None:
    """Train a model from a recipe, or go on with a run.

    Ctrl-C and SIGTERM write a checkpoint first; `--resume` goes on to the same weights as without a break.

    Examples:

        semreg train recipes/corel5k.yaml --data ~/sets/corel5k

        semreg train recipes/corel5k.yaml --set seed=1 --set stages.0.epochs=3 --output runs/try

        semreg train --resume runs/try
    """
    from semreg.training import run
    from semreg.training.recipe import load_recipe

    if resume is not None:
        if recipe or set_ or data or output:
            raise SemregError("--resume RUN goes on as the run began: leave out the recipe, --set, --data and --output")
        settings, folder = None, resume
    elif recipe is None:
        raise SemregError("there is nothing to train: name a recipe, or a run with --resume")
    else:
        changes = [*(set_ or ()), *([f"data.folder={json.dumps(str(data))}"] if data else [])]
        settings = load_recipe(recipe, changes)
        folder = output or Path("runs") / settings.name
    try:
        model = run.resume(folder) if settings is None else run.train(settings, folder)
    except run.Interrupted:
        typer.echo(f"stopped; go on with: semreg train --resume {folder}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(model)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option("--data", help="Data set folder with metadata.jsonl.")],
    model: ModelOption = None,
    split: Annotated[str, typer.Option("--split", help="Which part of the set.")] = "test",
    format: Annotated[str, typer.Option("--format", "-f", help="table or json.")] = "table",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write the JSON to this file.", show_default=False),
    ] = None,
    beam: BeamOption = 3,
    batch: BatchOption = 32,
    device: DeviceOption = "cpu",
) -> None:
    """Compare a model's tags and captions with a data set's.

    Examples:

        semreg evaluate --model runs/corel5k/model --data ~/sets/corel5k

        semreg evaluate --data ~/sets/coco18 --split val --format json
    """
    if format not in ("table", "json"):
        raise SemregError(f"--format must be table or json, is {format!r}")
    from semreg.data.records import of_split, read_records

    records = of_split(read_records(data), split)
    annotator = _load(model, device)
    from semreg.annotator import Options
    from semreg.evaluate import evaluate as compare

    with progress_bar("evaluating", len(records)) as advance:
        result = compare(annotator, records, Options(beams=beam, batch_size=batch), advance)
    result = {"data": data.name, "split": split, **result}
    if output is not None:
        from semreg.files import atomic_write

        with atomic_write(output) as file:
            file.write(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    if format == "json":
        typer.echo(json.dumps(result, indent=1, ensure_ascii=False))
    else:
        print_evaluation(result)
    for problem in result["unreadable"]:
        typer.echo(problem, err=True)
    if result["unreadable"]:
        raise typer.Exit(FAILED)


@app.command()
def info(model: ModelOption = None) -> None:
    """Print what a model is: its parts, sizes and vocabularies, and what it was trained on.

    Examples:

        semreg info

        semreg info --model runs/corel5k/model
    """
    from semreg.annotator import DEFAULT_MODEL
    from semreg.model_folder import WEIGHTS, find_model, fingerprint, read_config

    folder = DEFAULT_MODEL if model is None else find_model(model)
    config = read_config(folder)
    typer.echo(f"{config.name}@{fingerprint(folder)}")
    typer.echo(f"folder     {folder}")
    typer.echo(f"weights    {(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB")
    typer.echo(f"trunk      {config.trunk.name}, {config.preprocessing.size} pixels")
    typer.echo(f"concepts   {len(config.concepts)}")
    for form, decoder in config.decoders.items():
        what = "labels" if form == "tags" else "words"
        typer.echo(f"{form:<10} {decoder.interface} interface, LSTM {decoder.hidden}, {len(decoder.words)} {what}")
    for key, value in config.training.items():
        if key != "recipe":
            typer.echo(f"{key}: {value}")


def main() -> None:
    """The entry point: turns mistakes into one sentence and the right exit status, without a traceback."""
    command = typer.main.get_command(app)
    try:
        status = command.main(standalone_mode=False)  # type: ignore[no-untyped-call,unused-ignore]
    except SemregError as error:
        typer.echo(f"semreg: {error}", err=True)
        status = CANNOT_START
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("semreg: interrupted", err=True)
        status = INTERRUPTED
    except SystemExit as end:  # so typer ends when whoever read our output has seen enough
        status = 0 if isinstance(end.__context__, BrokenPipeError) else end.code
    except OSError as error:  # a full or failing disk
        typer.echo(f"semreg: {error}", err=True)
        status = CANNOT_START
    except Exception as error:
        if not hasattr(error, "format_message"):  # not one of the command line's own usage errors
            raise
        typer.echo(f"semreg: {error.format_message()}", err=True)
        status = getattr(error, "exit_code", CANNOT_START)
    sys.exit(status if isinstance(status, int) else 0)


def _load(model: str | None, device: str) -> Annotator:
    from semreg.annotator import Annotator

    return Annotator.load(model, device)


def _format_of(output: Path | None) -> str:
    if output is None:
        return "table" if sys.stdout.isatty() else "jsonl"
    known = {".csv": "csv", ".txt": "txt", ".jsonl": "jsonl", ".json": "jsonl", "": "txt"}
    return known.get(output.suffix.lower(), "jsonl")
