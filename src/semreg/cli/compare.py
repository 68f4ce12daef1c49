"""`semreg compare`: the paper's four interfaces side by side on a data set."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from semreg.errors import SemregError


def compare(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as recipes/corel5k.yaml.")],
    interfaces: Annotated[
        str, typer.Option("--interfaces", help="Which to compare, with commas between.")
    ] = "input,state,fusion,semantic",
    ways: Annotated[
        str,
        typer.Option(
            "--ways",
            help="fine-tuned: on one CNN that learnt its concepts before. end-to-end: from the ImageNet trunk.",
        ),
    ] = "fine-tuned,end-to-end",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each.")] = 3,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.", show_default=False),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data set folder instead of the recipe's.", show_default=False)
    ] = None,
    cnn: Annotated[
        str | None,
        typer.Option(
            "--cnn",
            metavar="MODEL",
            help="A finished model whose CNN the fine-tuned variants stand on, instead of training one.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for everything.", show_default="runs/compare-NAME")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Runs side by side.")] = 1,
) -> None:
    """Train the paper's four interfaces on the same data, trunk, updates and seeds, and compare them.

    Writes results.json, table.md, learning curves and index.html. What is finished is not run again: after Ctrl-C,
    give the same command once more; more seeds, interfaces or ways may be added later.

    Examples:

        semreg compare recipes/corel5k.yaml --data ~/sets/corel5k

        semreg compare recipes/coco18.yaml --data ~/sets/coco18 --cnn runs/coco18/model --ways fine-tuned --jobs 2

        semreg compare recipes/corel5k.yaml --interfaces state,semantic --seeds 1 --set stages.0.epochs=2 -o /tmp/try
    """
    from semreg.comparison.compare import TABLE
    from semreg.comparison.compare import compare as run
    from semreg.comparison.page import require_matplotlib
    from semreg.memory import keep_freed_memory
    from semreg.model_folder import find_model
    from semreg.training.recipe import load_recipe

    require_matplotlib()
    changes = [*(set_ or ()), *([f"data.folder={json.dumps(str(data.absolute()))}"] if data else [])]
    settings = load_recipe(recipe, changes)
    if jobs > (cores := os.cpu_count() or 1):
        raise SemregError(f"--jobs must be at most {cores}, the machine's cores, is {jobs}")
    folder = output or Path("runs") / f"compare-{settings.name}"
    keep_freed_memory()
    for number in (signal.SIGINT, signal.SIGTERM):  # both, also where the shell has a background job ignore Ctrl-C
        signal.signal(number, _stop)

    total = finished = 0

    def begin(runs: int) -> None:
        nonlocal total
        total = runs
        typer.echo(f"{runs} runs, {jobs} at a time, in {folder}", err=True)

    def done(name: str) -> None:
        nonlocal finished
        finished += 1
        typer.echo(f"{finished} of {total}: {name} is trained", err=True)

    run(
        settings,
        folder,
        interfaces=_names(interfaces),
        seeds=seeds,
        ways=_names(ways),
        cnn=None if cnn is None else find_model(cnn),
        at_once=jobs,
        begin=begin,
        done=done,
    )
    typer.echo((folder / TABLE).read_text(encoding="utf-8"))
    typer.echo(f"everything is in {folder}", err=True)


def _stop(*_: object) -> None:
    """End by the way of Ctrl-C: the runs write their checkpoints first."""
    raise KeyboardInterrupt


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
