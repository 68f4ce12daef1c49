"""`semreg tune`: thresholds of a model, chosen again on pictures whose tags are known."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from semreg.cli.options import BatchOption, BeamOption, DeviceOption, load_annotator
from semreg.errors import SemregError
from semreg.terminal import progress_bar

METRICS = ("mean", "O-F1", "C-F1", "C-F1 mean")


def tune(
    data: Annotated[Path, typer.Option("--data", help="Data set folder with metadata.jsonl.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Model folder; without it the default model.", show_default=False),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="Pictures to choose on; never the ones the model is judged by.")
    ] = "val",
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            help="To maximise: O-F1, C-F1, 'C-F1 mean', or mean (of the first two).",
        ),
    ] = "mean",
    probability: Annotated[
        float | None,
        typer.Option(
            "--probability", help="In place of a metric: how probable a tag must be to be told.", show_default=False
        ),
    ] = None,
    per: Annotated[
        str,
        typer.Option("--per", help="One threshold for all, by the frequency of a tag in training, or one per class."),
    ] = "all",
    lift: Annotated[
        float,
        typer.Option(
            "--lift",
            help="With --probability and --per class: how many times what is seen must raise the odds with which "
            "any of these pictures has a tag.",
        ),
    ] = 1.0,
    train: Annotated[str, typer.Option("--train", help="Split that says how frequent tags are.")] = "train",
    keep: Annotated[
        bool,
        typer.Option(
            "--keep-thresholds", help="Only fit the probabilities that are shown of concepts; thresholds stay."
        ),
    ] = False,
    general: Annotated[
        float | None,
        typer.Option(
            "--general",
            help="How sure captions must be of particular words, such as man or woman, not to say general or none: "
            "0..1; 0 says what is likeliest.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Save as a new model folder instead of changing the model.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    beam: BeamOption = None,
    batch: BatchOption = 32,
    device: DeviceOption = "cpu",
) -> None:
    """Choose the thresholds of a model's tags and concepts on pictures whose tags are known, and save them with it.

    The probabilities that are shown of concepts are fitted to the same pictures; ECE is how far they are off.

    Examples:

        semreg tune --model runs/corel5k/model --data ~/sets/mine --split val --metric O-F1

        semreg tune --data ~/sets/mine --per class --output models/mine

        semreg tune --data ~/sets/mine --probability 0.6 --per class --lift 4 --output models/sure

        semreg tune --model runs/corel5k/model --data ~/sets/mine --keep-thresholds

        semreg tune --data ~/sets/mine --keep-thresholds --general 0.9 --output models/careful
    """
    from semreg.data.records import of_split, read_records

    if metric not in METRICS:
        raise SemregError(f"--metric must be one of {', '.join(METRICS)}, is {metric!r}")
    if probability is not None and not 0 < probability < 1:
        raise SemregError(f"--probability must lie between 0 and 1, is {probability:g}")
    if lift < 1:
        raise SemregError(f"--lift must be at least 1, is {lift:g}")
    if lift > 1 and (probability is None or per != "class"):
        raise SemregError("--lift is for a given probability per class: take --probability 0.5 --per class with it")
    if general is not None and not 0 <= general <= 1:
        raise SemregError(f"--general must lie in 0..1, is {general:g}")
    if per not in ("all", "frequency", "class"):
        raise SemregError(f"--per must be all, frequency or class, is {per!r}")
    if probability is not None and per == "frequency":
        raise SemregError("--probability is for all tags or per class: take --per all or --per class")
    if output is not None and output.exists():
        raise SemregError(f"{str(output)!r} is there already: name a new folder for --output")
    if model is None and output is None and not dry_run:
        raise SemregError("the default model is part of the package and stays as it is: name a folder with --output")
    everything = read_records(data)
    records = of_split(everything, split)
    annotator = load_annotator(model, device)
    if general is not None and not annotator.config.general:
        raise SemregError(f"{annotator.name} has no general words: leave --general out, or train with captions.general")
    from semreg.model_folder import find_model, save_config
    from semreg.options import Options
    from semreg.tuning import tune as choose

    known = [record for record in everything if record.split == train] or records
    with progress_bar("looking at the pictures", len(records)) as advance:
        options = Options(beams=beam, batch_size=batch)
        wanted = metric if probability is None else probability
        tuned = choose(
            annotator, records, known, wanted=wanted, per=per, lift=lift, keep=keep, options=options, done=advance
        )
    for name, after in tuned.after.items():
        before = tuned.before[name]
        told = (
            f"{key} {100 * before[key]:.1f} -> {100 * after[key]:.1f}"
            for key in ("C-F1", "O-F1", "ECE")
            if key in after
        )
        typer.echo(f"{name}: {', '.join(told)} (percent, on the pictures tuned on)")
    if dry_run:
        return
    folder = find_model(model)
    if output is not None:
        shutil.copytree(folder, output)
        folder = output
    config = tuned.config
    if general is not None:
        groups = tuple(group.model_copy(update={"share": general}) for group in config.general)
        config = config.model_copy(update={"general": groups})
    save_config(config, folder)
    typer.echo(f"saved in {folder}", err=True)
