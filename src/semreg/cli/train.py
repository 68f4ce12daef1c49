"""`semreg train`: a recipe in, a model folder out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from semreg.cli.options import INTERRUPTED
from semreg.errors import SemregError


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
    init: Annotated[
        str | None,
        typer.Option(
            "--init",
            metavar="MODEL",
            help="Start from a model (default: the package's own): what fits of trunk, concepts and words is "
            "carried over.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="Go on with a run that was stopped.", show_default=False),
    ] = None,
) -> None:
    """Train a model from a recipe, or go on with a run; or teach a model what people corrected.

    Ctrl-C and SIGTERM write a checkpoint first; `--resume` goes on to the same weights as without a break.

    Without a recipe, `--init MODEL --data CORRECTIONS` teaches the model's concept layer the corrected tags and
    captions of a folder with metadata.jsonl, and keeps what it knows; this takes seconds.

    Examples:

        semreg train recipes/corel5k.yaml --data ~/sets/corel5k

        semreg train recipes/corel5k.yaml --set seed=1 --set stages.0.epochs=3 --output runs/try

        semreg train recipes/own-tags.yaml --data ~/photos --init default

        semreg train --resume runs/try

        semreg train --init runs/corel5k/model --data ~/corrections --output runs/corrected
    """
    from semreg.memory import keep_freed_memory
    from semreg.model_folder import find_model
    from semreg.training import run
    from semreg.training.recipe import load_recipe

    if resume is not None:
        if recipe or set_ or data or output or init:
            raise SemregError("--resume RUN goes on as the run began: leave out everything else")
        settings, folder = None, resume
    elif recipe is None and init and data:
        if set_:
            raise SemregError("--set changes a recipe, and learning from corrections has none: leave it out")
        from semreg.training.corrections import learn_corrections

        keep_freed_memory()
        typer.echo(learn_corrections(find_model(init), data, output or Path("runs") / "corrections"))
        return
    elif recipe is None:
        raise SemregError("there is nothing to train: name a recipe, a run with --resume, or --init MODEL with --data")
    else:
        changes = [*(set_ or ()), *([f"data.folder={json.dumps(str(data))}"] if data else [])]
        if init is not None:
            changes.append(f"init={json.dumps(str(find_model(init).absolute()))}")
        settings = load_recipe(recipe, changes)
        folder = output or Path("runs") / settings.name
    keep_freed_memory()
    try:
        model = run.resume(folder) if settings is None else run.train(settings, folder)
    except run.Interrupted:
        typer.echo(f"stopped; go on with: semreg train --resume {folder}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(model)
