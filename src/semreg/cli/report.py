"""`semreg report`: one page about a model on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semreg.cli.options import FAILED, BatchOption, BeamOption, DeviceOption, ModelOption, load_annotator
from semreg.errors import SemregError
from semreg.terminal import progress_bar


def report(
    data: Annotated[Path, typer.Option("--data", help="Data set folder with metadata.jsonl.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page.")] = Path("report.html"),
    model: ModelOption = None,
    split: Annotated[str, typer.Option("--split", help="Which part of the set.")] = "test",
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", help="Run folder, for the learning curves.", show_default="the model folder's own, if it is there"
        ),
    ] = None,
    beam: BeamOption = None,
    batch: BatchOption = 32,
    device: DeviceOption = "cpu",
) -> None:
    """Write one HTML page about a model on a data set: figures, plots, best and worst pictures.

    The page holds everything it shows and asks nothing from the network.

    Examples:

        semreg report --model runs/corel5k/model --data ~/sets/corel5k -o report.html

        semreg report --data ~/sets/coco18 --split val --run runs/coco18
    """
    from semreg.data.records import of_split, read_records

    if output.is_dir():
        raise SemregError(f"cannot write {output}: it is a folder, pass the name of a file in it")
    records = of_split(read_records(data), split)
    annotator = load_annotator(model, device)
    from semreg.evaluate import predict
    from semreg.options import Options
    from semreg.report.report import find_run, write_report

    own = find_run(Path(model)) if model is not None and Path(model).is_dir() else None
    with progress_bar("annotating", len(records)) as advance:
        predictions = predict(annotator, records, Options(beams=beam, batch_size=batch), advance)
    write_report(output, annotator, predictions, data=data.resolve().name, split=split, run=run or own)
    for problem in predictions.problems:
        typer.echo(problem, err=True)
    if predictions.problems:
        raise typer.Exit(FAILED)
