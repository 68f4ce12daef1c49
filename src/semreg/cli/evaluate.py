"""`semreg evaluate`: a model against a data set's truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from semreg.cli.options import FAILED, BatchOption, BeamOption, DeviceOption, EngineOption, ModelOption, load_annotator
from semreg.errors import SemregError
from semreg.terminal import print_evaluation, progress_bar


def evaluate(
    data: Annotated[Path, typer.Option("--data", help="Data set folder with metadata.jsonl.")],
    model: ModelOption = None,
    split: Annotated[str, typer.Option("--split", help="Which part of the set.")] = "test",
    format: Annotated[str, typer.Option("--format", "-f", help="table or json.")] = "table",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Also write the JSON to this file.", show_default=False),
    ] = None,
    beam: BeamOption = None,
    batch: BatchOption = 32,
    device: DeviceOption = "cpu",
    engine: EngineOption = "torch",
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
    annotator = load_annotator(model, device, engine)
    from semreg.evaluate import evaluate as compare
    from semreg.options import Options

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
    if "alarm" in result:
        typer.echo(result["alarm"], err=True)
    for problem in result["unreadable"]:
        typer.echo(problem, err=True)
    if result["unreadable"]:
        raise typer.Exit(FAILED)
