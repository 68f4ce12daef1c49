"""What people see on a terminal: a progress bar on stderr, tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

TAG_COLUMNS = ("C-P", "C-R", "C-F1", "C-F1 mean", "O-P", "O-R", "O-F1", "N+")


@contextmanager
def progress_bar(text: str, total: int | None = None, *, hidden: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a bar with count, rate and, where the total is known, the time left; nothing where stderr is no terminal.

    Args:
        text: what is being done.
        total: how many there are, if known.
        hidden: show nothing, because something else is written to the terminal.

    Yields:
        A function that moves the bar on by a count.
    """
    if hidden or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Pictures a second."""

        def render(self, task: Task) -> Text:
            """The rate once it is known."""
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda count: bar.advance(task, count)


def print_evaluation(result: dict[str, Any]) -> None:
    """Print what `semreg.evaluate.evaluate` found as tables: tags in percent, caption metrics as they are."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"{result['model']} on {result['data']} ({result['split']}, {result['pictures']} pictures)")
    if "tags" in result:
        table = Table(title="tags, percent", title_justify="left")
        table.add_column("set")
        for column in TAG_COLUMNS:
            table.add_column(column, justify="right")
        for name, row in result["tags"]["sets"].items():
            table.add_row(name, *(f"{row[c]:.0f}" if c == "N+" else f"{100 * row[c]:.1f}" for c in TAG_COLUMNS))
        console.print(table)
        console.print("  ".join(f"{key} {_figure(value)}" for key, value in result["tags"].items() if key != "sets"))
    if "captions" in result:
        table = Table(title="captions", title_justify="left", show_header=False)
        table.add_column("metric")
        table.add_column("value", justify="right")
        for key, value in result["captions"].items():
            table.add_row(key, _figure(value))
        console.print(table)


def _figure(value: float | int) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
