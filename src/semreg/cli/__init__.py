"""The command `semreg`: one verb for each thing people do, each a file here, a few lines onto the library.

Data goes to stdout, everything else to stderr. Exit status: 0 done, 1 done but some pictures failed, 2 could not start,
130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from semreg import __version__
from semreg.cli.annotate import annotate
from semreg.cli.bench import bench
from semreg.cli.compare import compare
from semreg.cli.evaluate import evaluate
from semreg.cli.explain import explain
from semreg.cli.export import export
from semreg.cli.info import info
from semreg.cli.options import CANNOT_START, INTERRUPTED
from semreg.cli.prepare import prepare
from semreg.cli.report import report
from semreg.cli.score import score
from semreg.cli.search import search
from semreg.cli.serve import serve
from semreg.cli.train import train
from semreg.cli.tune import tune
from semreg.cli.undo import undo
from semreg.cli.watch import watch
from semreg.errors import SemregError

app = typer.Typer(
    name="semreg",
    help="Tags and captions for pictures, through a layer of named concepts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"semreg {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


VERBS = (annotate, search, undo, watch, train, tune, evaluate, compare, report, explain, export, serve, bench, info)
for verb in VERBS:
    app.command()(verb)
app.add_typer(score)
app.add_typer(prepare, name="prepare")


def main() -> None:
    """The entry point: turns mistakes into one sentence and the right exit status, without a traceback."""
    command = typer.main.get_command(app)
    try:
        status = command.main(standalone_mode=False)  # type: ignore[no-untyped-call,unused-ignore]
    except SemregError as error:
        typer.echo(f"semreg: {error}", err=True)
        status = CANNOT_START
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("semreg: interrupted", err=True)
        status = INTERRUPTED
    except SystemExit as end:  # so typer ends when whoever read our output has seen enough
        status = 0 if isinstance(end.__context__, BrokenPipeError) else end.code
    except OSError as error:  # a full or failing disk
        typer.echo(f"semreg: {error}", err=True)
        status = CANNOT_START
    except Exception as error:
        if not hasattr(error, "format_message"):  # not one of the command line's own usage errors
            raise
        typer.echo(f"semreg: {error.format_message()}", err=True)
        status = getattr(error, "exit_code", CANNOT_START)
    sys.exit(status if isinstance(status, int) else 0)
