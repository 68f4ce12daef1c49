"""`semreg export`: annotations for the programs that people already work with, and models for other engines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semreg.errors import SemregError
from semreg.terminal import progress_bar

if TYPE_CHECKING:
    from semreg.annotation import Annotation

ANNOTATIONS = ("labelstudio", "fiftyone", "coco", "hf")
MODELS = ("onnx", "openvino")


def export(
    to: Annotated[str, typer.Option("--to", help="labelstudio, fiftyone, coco or hf; onnx or openvino.")],
    source: Annotated[
        str | None,
        typer.Argument(
            help="Annotations, as `semreg annotate --format jsonl` writes them; for onnx and openvino a model folder.",
            metavar="ANNOTATIONS.jsonl | MODEL",
            show_default="the default model",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File (labelstudio) or folder (the others); by default a model's export goes into its folder.",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[Path, typer.Option("--pictures", help="Folder that the file names start from.")] = Path(),
    prefix: Annotated[
        str,
        typer.Option("--prefix", help="labelstudio: what stands before a file name in the picture's address."),
    ] = "/data/local-files/?d=",
    int8: Annotated[bool, typer.Option("--int8", help="onnx, openvino: 8-bit graphs too; needs --calibrate.")] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            "--calibrate",
            help="onnx, openvino: pictures such as the model will see; a data set's val split also judges the export.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write what others import.

    A model: **onnx** and **openvino** write what it sees, how its decoders begin and one step of each as graphs that
    need no torch, and check them against it. `semreg annotate --engine` finds them.

    Annotations: **labelstudio** writes tasks with predictions, and the labelling configuration beside them;
    **fiftyone** a `fiftyone.types.FiftyOneDataset` folder; **coco** captions.json and categories.json;
    **hf** an imagefolder with metadata.jsonl, pictures copied into it unless they lie there.

    Examples:

        semreg export --to labelstudio photos.jsonl --output tasks.json

        semreg export --to hf photos.jsonl --output set

        semreg export --to openvino runs/corel5k/model --int8 --calibrate ~/sets/corel5k
    """
    if to in MODELS:
        from semreg.cli.export_model import export_model

        export_model(source, to, output, int8=int8, calibrate=calibrate)
        return
    if to not in ANNOTATIONS:
        raise SemregError(f"--to must be one of {', '.join((*ANNOTATIONS, *MODELS))}, is {to!r}")
    if source is None:
        raise SemregError(f"--to {to} needs annotations: name the file that semreg annotate --format jsonl wrote")
    if output is None:
        raise SemregError(f"--to {to} needs a place: name one with --output")
    _annotations(to, Path(source), output, pictures, prefix)


def _annotations(to: str, source: Path, output: Path, pictures: Path, prefix: str) -> None:
    from semreg.interchange import Export, write_export

    told, failed = _read(source)
    with progress_bar("exporting", len(told)) as advance:
        for path in write_export(to, Export(told, output, pictures, prefix), advance):
            typer.echo(path)
    if failed:
        typer.echo(f"{failed} pictures that could not be read when annotated were left out", err=True)


def _read(source: Path) -> tuple[list[Annotation], int]:
    """The annotations of a file, and how many of them were of pictures that could not be read."""
    from semreg.annotation import Annotation

    try:
        lines = source.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SemregError(f"{source} cannot be read: {error}") from None
    told, failed = [], 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            annotation = Annotation.from_json(line)
        except SemregError as error:
            raise SemregError(f"{source}, line {number}: {error}") from None
        if annotation.error is not None:
            failed += 1
        elif annotation.file_name is None:
            raise SemregError(f"{source}, line {number}: an annotation must have a file_name to be exported")
        else:
            told.append(annotation)
    if not told:
        raise SemregError(f"{source} has no annotation to export")
    return told, failed
