"""`semreg info`: what a model is."""

from __future__ import annotations

import typer

from semreg.cli.options import ModelOption


def info(model: ModelOption = None) -> None:
    """Print what a model is: its parts, sizes and vocabularies, and what it was trained on.

    Examples:

        semreg info

        semreg info --model runs/corel5k/model
    """
    from semreg.model_folder import WEIGHTS, find_model, fingerprint, read_config

    folder = find_model(model)
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
