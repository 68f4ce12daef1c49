"""`semreg explain`: which concepts carried the tags and words of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semreg.cli.options import BeamOption, DeviceOption, ModelOption, load_annotator
from semreg.errors import SemregError


def explain(
    picture: Annotated[Path, typer.Argument(help="A picture.", metavar="PICTURE")],
    model: ModelOption = None,
    format: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="CONCEPT", help="Set a concept to 1 first; repeatable.", show_default=False),
    ] = None,
    off: Annotated[
        list[str] | None,
        typer.Option("--off", metavar="CONCEPT", help="Set a concept to 0 first; repeatable.", show_default=False),
    ] = None,
    beam: BeamOption = None,
    device: DeviceOption = "cpu",
) -> None:
    """Say why: which concepts carried each tag and each content word, and where the RNN overruled the CNN.

    Numbers in brackets say what a concept's value changed against its mean over the training pictures: log odds for
    tags, log-probability for words.

    Examples:

        semreg explain dog.jpg

        semreg explain dog.jpg --on frisbee --off cat

        semreg explain dog.jpg --format json
    """
    if format not in ("text", "json"):
        raise SemregError(f"--format must be text or json, is {format!r}")
    annotator = load_annotator(model, device)
    from semreg.options import Options

    options = Options(beams=beam)
    annotation = annotator(picture, options)
    if on or off:
        values = {**dict.fromkeys(on or (), 1.0), **dict.fromkeys(off or (), 0.0)}
        annotation = annotator.steer(annotation, values, options=options)
    reasons = annotator.explain(annotation, options)
    typer.echo(reasons.to_json() if format == "json" else str(reasons))
