"""`semreg bench`: how fast a model is on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semreg.cli.options import ModelOption
from semreg.terminal import print_rows

if TYPE_CHECKING:
    from collections.abc import Iterator


def bench(
    paths: Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.", metavar="PATH")],
    model: ModelOption = None,
    engine: Annotated[
        list[str] | None,
        typer.Option("--engine", help="Engine to measure; may be given several times.", show_default="torch"),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Pictures that go through the model together.")] = 32,
    rounds: Annotated[int, typer.Option("--rounds", min=3, help="Goes of each case; they take turns.")] = 7,
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part",
            help="decode, model, files, training, metrics or start; may be given several times.",
            show_default="all",
        ),
    ] = None,
    small: Annotated[int, typer.Option("--small", min=1, help="Small files of each kind.")] = 64,
    large: Annotated[int, typer.Option("--large", min=1, help="12-megapixel files of each kind.")] = 6,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Threads to compute with.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the JSON to this file.", show_default=False)
    ] = None,
) -> None:
    """Measure decoding, the CNN, the searches, files to annotations, training steps, metrics and a cold start.

    Cases take turns; the figures are medians with quartiles. "plain" is the way without any care: Pillow, torch's own
    memory layout, one thing after the other.

    Examples:

        semreg bench ~/photos

        semreg bench ~/photos --engine torch --engine openvino:int8 --part model --part files --output speed.json
    """
    import torch

    from semreg.bench.run import PARTS, Plan, run
    from semreg.folders.walk import find_pictures
    from semreg.memory import keep_freed_memory

    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)
    engines, parts = tuple(engine or ["torch"]), tuple(part or PARTS)
    photographs = [found.path for found in find_pictures(paths)]
    plan = Plan(photographs, engines, model, batch, small, large, rounds, parts)
    words = ["semreg bench PHOTOGRAPHS", *(f"--engine {name}" for name in engines), f"--batch {batch}"]
    words += [f"--rounds {rounds}", *(f"--part {name}" for name in part or []), f"--small {small} --large {large}"]
    words += [f"--threads {threads}"] if threads else []
    result = run(plan, " ".join(words), lambda text: typer.echo(text, err=True))
    for name in parts:
        if name == "start":
            _print_start(result[name])
        else:
            print_rows(name, ["case", "a second", "median ms", "quartiles"], list(_rows(result[name])))
    print_rows("ratios", ["ratio", "times"], [[name, f"{value:.2f}"] for name, value in result["ratios"].items()])
    typer.echo(f"peak memory {result['memory']} MB; {result['machine']}; {result['threads']} threads")
    if output is not None:
        from semreg.files import atomic_write

        with atomic_write(output) as file:
            file.write(json.dumps(result, indent=1) + "\n")


def _rows(cases: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    for name, found in cases.items():
        low, median, high = (1000 * found["seconds"][key] for key in ("low", "median", "high"))
        yield [name, f"{found['rate']:.1f}", f"{median:.1f}", f"{low:.1f} to {high:.1f}"]


def _print_start(found: dict[str, dict[str, Any]]) -> None:
    for engine, start in found.items():
        rows = [[name, f"{1000 * seconds:.0f}"] for name, seconds in start["stages"].items()]
        rows.append(["the whole command", f"{1000 * start['seconds']['median']:.0f}"])
        print_rows(f"cold start, {engine}", ["stage", "ms"], rows)
