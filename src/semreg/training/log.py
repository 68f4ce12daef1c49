"""What a run tells: a progress bar on a terminal, JSON Lines always, TensorBoard beside them."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LOG = "log.jsonl"


class RunLog:
    """The log of one run; use as a context manager.

    Args:
        folder: the run's folder; `log.jsonl` in it is appended to.
        quiet: write nothing at all (processes other than the first).
    """

    def __init__(self, folder: Path, quiet: bool = False) -> None:
        self.quiet = quiet
        self.console = Console(stderr=True, quiet=quiet)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last = 0.0
        if quiet:
            return
        from tensorboardX import SummaryWriter

        self._lines = (folder / LOG).open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"))

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_bar()
        if not self.quiet:
            self._lines.close()
            self._board.close()

    def event(self, event: str, **fields: Any) -> None:
        """One line of JSON; figures with an `update` number also go to TensorBoard."""
        if self.quiet:
            return
        clean = {k: _plain(v) for k, v in fields.items()}
        self._lines.write(json.dumps({"event": event, "time": round(time.time(), 1), **clean}) + "\n")
        self._lines.flush()
        if "update" in fields:
            for key, value in fields.items():
                if isinstance(value, float) and math.isfinite(value):
                    self._board.add_scalar(f"{fields.get('stage', event)}/{key}", value, fields["update"])

    def say(self, text: str) -> None:
        """A sentence for whoever watches, on stderr."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def start_bar(self, text: str, total: int, done: int = 0) -> None:
        """Start a progress bar; silent where stderr is no terminal."""
        self.end_bar()
        if self.quiet or not sys.stderr.isatty():
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, TextColumn("{task.fields[status]}"), console=self.console, transient=True)
        self._bar.start()
        self._task = self._bar.add_task(text, total=total, completed=done, status="")

    def advance(self, count: int = 1, status: str = "") -> None:
        """Move the bar on."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=count, status=status)

    def end_bar(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._task = None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else str(value)
    return value
