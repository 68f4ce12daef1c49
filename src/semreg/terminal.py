"""What people see on a terminal: a progress bar on stderr, tables on stdout."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.table import Table
    from rich.text import Text

TAG_COLUMNS = ("C-P", "C-R", "C-F1", "C-F1 mean", "O-P", "O-R", "O-F1", "N+")


@contextmanager
def progress_bar(
    text: str, total: int | Callable[[], int] | None = None, *, hidden: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a bar with count, rate and, where the total is known, the time left; nothing where stderr is no terminal.

    Args:
        text: what is being done.
        total: how many there are, if known, or a function that finds out, beside the work.
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
        task = bar.add_task(text, total=None if callable(total) else total)
        if callable(total):
            count = total
            threading.Thread(target=lambda: bar.update(task, total=count()), daemon=True).start()
        yield lambda count: bar.advance(task, count)


def print_evaluation(result: dict[str, Any]) -> None:
    """Print what `semreg.evaluate.evaluate` found as tables: tags in percent, caption metrics as they are."""
    print(f"{result['model']} on {result['data']} ({result['split']}, {result['pictures']} pictures)")
    if "tags" in result:
        tags = result["tags"]
        _print_sets(tags["sets"])
        print("  ".join(f"{key} {_figure(value)}" for key, value in tags.items() if key != "sets"))
    if "captions" in result:
        _print_captions(result["captions"])


def print_tag_score(result: dict[str, Any]) -> None:
    """Print what `semreg score tags` found: the sets and the classes in percent."""
    _print_heading(result)
    _print_sets(result["sets"])
    print("  ".join(f"{key} {_figure(result[key])}" for key in ("mAP", "ECE") if result[key] is not None))
    print(
        f"{result['classes']:.0f} classes; without positives, left out of the means: "
        f"{result['classes without positives']:.0f}"
    )
    if result["thresholds"]:
        rows = {f"{row['threshold']:.2f}": row for row in result["thresholds"]}
        _print_sets(rows, title="over thresholds, percent", first="from")
    table = _table("classes, percent", "class")
    for column in ("positives", "predicted", "hits", "precision", "recall", "F1", "AP"):
        table.add_column(column, justify="right")
    for row in result["per class"]:
        counts = (str(row[column]) for column in ("positives", "predicted", "hits"))
        table.add_row(row["label"], *counts, *(_percent(row[c]) for c in ("precision", "recall", "F1", "AP")))
    _print(table)


def print_caption_score(result: dict[str, Any]) -> None:
    """Print what `semreg score captions` found."""
    _print_heading(result)
    hidden = ("predictions", "against", "pictures", "alarm")
    _print_captions({key: value for key, value in result.items() if key not in hidden and value is not None})


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column names the rows, the others are figures."""
    table = _table(title, columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    _print(table)


def _print_heading(result: dict[str, Any]) -> None:
    print(f"{result['predictions']} against {result['against']} ({result['pictures']} pictures)")


def _print_sets(sets: dict[str, dict[str, float]], title: str = "tags, percent", first: str = "set") -> None:
    table = _table(title, first)
    for column in TAG_COLUMNS:
        table.add_column(column, justify="right")
    for name, row in sets.items():
        table.add_row(name, *(f"{row[c]:.0f}" if c == "N+" else _percent(row[c]) for c in TAG_COLUMNS))
    _print(table)


def _print_captions(figures: dict[str, Any]) -> None:
    table = _table("captions", "metric")
    table.show_header = False
    table.add_column("value", justify="right")
    for key, value in figures.items():
        table.add_row(key, _figure(value))
    _print(table)


def _table(title: str, first: str) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column(first)
    return table


def _print(table: Table) -> None:
    from rich.console import Console

    Console(highlight=False, markup=False).print(table)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _figure(value: float | int | str | None) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)
