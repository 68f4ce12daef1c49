"""A run that is stopped at every single step, and continued each time, does what one that is never stopped does."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from album import make_album, open_journal, pixels, run
from test_library import contents
from test_undo import undo

from semreg.folders import changes, place
from semreg.folders.journal import Journal
from semreg.folders.undo import Undo, last_run

STEPS = [(Journal, name) for name in ("keep", "write", "done", "seen", "begin", "end")]
STEPS += [(changes, name) for name in ("place", "remove", "overwrite", "sync_folders", "tick_off")]
STEPS += [(place, name) for name in ("_keep_everything_else", "overwrite")]


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it, and what was not committed is lost."""


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the process die before or after the step of this number."""
    left = [0]

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            for result in (None, function):
                left[0] -= 1
                if left[0] == 0:
                    raise Killed
                if result is not None:
                    found = result(*arguments, **options)
            return found

        return step

    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, dying(getattr(owner, name)))

    def after(number: int) -> None:
        left[0] = number

    return after


def until_it_ends(steps: Callable[[int], None], work: Callable[[], object], stride: int) -> int:
    """Kill the first try at the first step, the second at a later one, ...; how many tries it took."""
    for tries in range(1, 400):
        steps(tries * stride)
        try:
            work()
        except Killed:
            continue
        steps(0)
        return tries
    raise AssertionError("it makes no headway")


@pytest.mark.parametrize("stride", [1, 5])
def test_killed_anywhere_everything_is_done_once_and_can_be_taken_back(
    tmp_path: Path, steps: Callable[[int], None], stride: int
) -> None:
    album, twin = tmp_path / "album", tmp_path / "twin"
    paths = make_album(album, 14)
    (album / "hard.jpg").hardlink_to(paths[0])
    shutil.copytree(album, twin)
    (twin / "hard.jpg").unlink()
    (twin / "hard.jpg").hardlink_to(twin / paths[0].relative_to(album))
    originals, looks = contents(album), {path: pixels(path) for path in paths}
    assert until_it_ends(steps, lambda: run(album), stride) > 10
    run(twin)
    assert contents(album).keys() == contents(twin).keys()
    assert {path: pixels(path) for path in paths} == looks
    assert (album / "hard.jpg").samefile(paths[0])
    with sqlite3.connect(album / ".semreg" / "journal.sqlite") as database:
        rows = database.execute("SELECT target, state FROM writes").fetchall()
    assert len({target for target, _ in rows}) == len(rows) == 15 and {state for _, state in rows} == {"done"}
    assert run(album)[0].counts.annotated == 0
    with open_journal(album) as journal:
        number = last_run(journal)
    assert until_it_ends(steps, lambda: undo(album, number), stride) > 5
    assert contents(album) == originals


def test_an_undo_stopped_between_batches_continues(tmp_path: Path) -> None:
    make_album(tmp_path, 40)
    originals = contents(tmp_path)
    run(tmp_path)
    with open_journal(tmp_path) as journal:
        next(Undo(journal, last_run(journal), print).take_back())
    undo(tmp_path)
    assert contents(tmp_path) == originals
