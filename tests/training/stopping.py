"""A run that somebody stops."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from semreg.training import run
from semreg.training.recipe import Recipe


def stop(recipe: Recipe, folder: Path, looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a run that is asked to stop when it has looked so many times whether it should."""
    left = iter(range(looks))
    with monkeypatch.context() as patch:
        patch.setattr(run, "stop_on_signal", lambda: nullcontext(lambda: next(left, None) is None))
        with pytest.raises(run.Interrupted):
            run.train(recipe, folder)
