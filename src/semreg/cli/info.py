"""`semreg info`: what a model is."""

from __future__ import annotations

from pathlib import Path

import typer

from semreg.cli.options import ModelOption


def info(model: ModelOption = None) -> None:
    """Print what a model is: its parts, sizes and vocabularies, what it was trained on and what it reaches.

    The model card, README.md in the model's folder, says more.

    Examples:

        semreg info

        semreg info --model runs/corel5k/model
    """
    from semreg.model_folder import CARD, WEIGHTS, find_model, fingerprint, read_config

    folder = find_model(model)
    config = read_config(folder)
    typer.echo(f"{config.name}@{fingerprint(folder)}")
    typer.echo(f"folder     {folder}")
    typer.echo(f"weights    {(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB, {config.bits} bits each")
    beside = f", beside it {' and '.join(config.trunk.beside)}" if config.trunk.beside else ""
    typer.echo(f"trunk      {config.trunk.name}, {config.preprocessing.size} pixels{beside}")
    typer.echo(f"concepts   {len(config.concepts)}")
    if (asked := config.neighbours) is not None:
        nothing = f" and {asked.strangers} of nothing" if asked.strangers else ""
        typer.echo(f"neighbours {asked.pictures} training pictures{nothing}, {asked.size} numbers each")
    if config.consensus is not None:
        typer.echo(f"consensus  captions of {config.consensus.pictures} training pictures")
    if config.grounding is not None:
        typer.echo("grounding  captions that name what is seen, and imply no label that is not")
    for general in config.general:
        typer.echo(f"general    {general.sentence()}")
    wider = f", {config.candidates} for captions" if config.candidates else ""
    typer.echo(f"search     {config.beams} beams{wider}")
    for form, decoder in config.decoders.items():
        what = "labels" if form == "tags" else "words"
        typer.echo(f"{form:<10} {decoder.interface} interface, LSTM {decoder.hidden}, {len(decoder.words)} {what}")
    for key, value in config.training.items():
        if key != "recipe":
            typer.echo(f"{key}: {value}")
    for told in _figures(folder / CARD):
        typer.echo(told)


def _figures(card: Path) -> list[str]:
    """A line for each data set that the head of a model card has results on; none where there is no such card."""
    import yaml

    try:
        head = yaml.safe_load(card.read_text(encoding="utf-8").split("---\n")[1])
        results = [result for model in head.get("model-index", []) for result in model["results"]]
        lines = []
        for result in results:
            figures = ", ".join(f"{metric['type']} {metric['value']:.3f}" for metric in result["metrics"])
            lines.append(f"reaches    {figures} ({result['dataset']['name']}, split {result['dataset']['split']})")
        return lines
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError):
        return []  # a card is for people, and anybody may write it
