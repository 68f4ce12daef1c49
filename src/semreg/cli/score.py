"""`semreg score`: the tags or captions of any model, from a file, against references from a file."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semreg.errors import SemregError
from semreg.terminal import print_caption_score, print_tag_score

if TYPE_CHECKING:
    from semreg.scoring.score import Score

score = typer.Typer(
    name="score",
    help="Score a file of tags or captions, of any model, against a file of references.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

_FORMS = "COCO JSON, metadata.jsonl or its folder, annotations as JSON Lines or CSV."
PredictionsArgument = Annotated[Path, typer.Argument(help=f"What the model says: {_FORMS}")]
ReferencesArgument = Annotated[Path, typer.Argument(help=f"What is right: {_FORMS}")]
FormatOption = Annotated[str, typer.Option("--format", "-f", help="table or json.")]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="Only this part of the references.", show_default="all")
]
OnlyOption = Annotated[
    bool, typer.Option("--only-predicted", help="Leave out pictures without prediction instead of counting them.")
]
PicturesOption = Annotated[
    Path | None,
    typer.Option(
        "--per-picture", help="Also write the figures of each picture, as .csv or .jsonl.", show_default=False
    ),
]


@score.command()
def captions(
    predictions: PredictionsArgument,
    references: ReferencesArgument,
    format: FormatOption = "table",
    split: SplitOption = None,
    training: Annotated[
        Path | None,
        typer.Option("--training", help="Training captions, to count those told word for word.", show_default=False),
    ] = None,
    per_picture: PicturesOption = None,
    only_predicted: OnlyOption = False,
    meteor: Annotated[bool, typer.Option(help="METEOR too, if Java and pycocoevalcap are there.")] = True,
) -> None:
    """Score captions: BLEU, ROUGE-L, CIDEr, CIDEr-D, METEOR, and how varied they are.

    A picture without prediction counts as an empty caption; a prediction for an unknown picture is left out.

    Examples:

        semreg score captions results.json captions_val2017.json

        semreg score captions photos.csv ~/sets/coco18 --split test --training ~/sets/coco18 --format json
    """
    _check(format)
    from semreg.scoring.score import score_captions

    found = score_captions(
        predictions, references, split=split, training=training, only_predicted=only_predicted, with_meteor=meteor
    )
    _tell(found, format, per_picture)
    if format == "table":
        print_caption_score(found.result)


@score.command()
def tags(
    predictions: PredictionsArgument,
    references: ReferencesArgument,
    format: FormatOption = "table",
    split: SplitOption = None,
    threshold: Annotated[
        list[float] | None,
        typer.Option(
            "--threshold", min=0, max=1, help="Also the tags from this score on; repeatable.", show_default=False
        ),
    ] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Also the tags with the so many highest scores.")] = 3,
    per_picture: PicturesOption = None,
    only_predicted: OnlyOption = False,
) -> None:
    """Score tags: precision, recall and F1 per class and overall, N+, mAP, calibration.

    A picture without prediction counts as one without tags; a prediction for an unknown picture is left out.

    Examples:

        semreg score tags tags.jsonl ~/sets/corel5k --split test

        semreg score tags photos.csv truth.csv --threshold 0.5 --top 5 --format json
    """
    _check(format)
    from semreg.scoring.score import score_tags

    found = score_tags(
        predictions, references, split=split, thresholds=threshold or (), top=top, only_predicted=only_predicted
    )
    _tell(found, format, per_picture)
    if format == "table":
        print_tag_score(found.result)


def _check(format: str) -> None:
    if format not in ("table", "json"):
        raise SemregError(f"--format must be table or json, is {format!r}")


def _tell(found: Score, format: str, per_picture: Path | None) -> None:
    if per_picture is not None:
        _write(found, per_picture)
    if format == "json":
        typer.echo(json.dumps(found.result, indent=1, ensure_ascii=False, allow_nan=False))
    for note in found.notes:
        typer.echo(note, err=True)


def _write(found: Score, path: Path) -> None:
    from semreg.files import atomic_write

    with atomic_write(path) as file:
        if path.suffix.lower() != ".csv":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in found.pictures)
            return
        rows = csv.writer(file)
        rows.writerow(found.pictures[0])
        for row in found.pictures:
            rows.writerow("; ".join(cell) if isinstance(cell, list) else cell for cell in row.values())
