"""A run's log as curves: the loss from update to update, and how good each epoch was on the validation pictures."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semreg.errors import SemregError

LOG = "log.jsonl"
Points = list[tuple[float, float]]

_NO_METRICS = {"time", "epoch", "update", "metric", "best", "best_epoch", "seconds", "loss", "stage", "event", "rate"}


@dataclass(frozen=True)
class Learning:
    """The curves of one run; every x is the number of updates.

    Attributes:
        loss: for each stage, by its name, the mean loss of neighbouring updates.
        metrics: for each metric the value after each epoch.
    """

    loss: dict[str, Points]
    metrics: dict[str, Points]


def read_learning(run: Path, points: int = 120) -> Learning | None:
    """Read a run's log; None where it tells of no training.

    Args:
        run: the run's folder, or its log.jsonl.
        points: of the loss at most, over all stages.

    Raises:
        SemregError: there is no log, or it cannot be read.
    """
    path = run / LOG if run.is_dir() else run
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SemregError(f"{path} cannot be read ({reason}): pass --run with the folder of a run") from None
    updates: dict[str, dict[int, float]] = {}
    metrics: dict[str, dict[int, float]] = {}
    for event in filter(None, map(_event, lines)):
        update, stage = event.get("update"), event.get("stage")
        if not isinstance(update, int) or not isinstance(stage, str):
            continue
        if event["event"] == "update" and _is_number(event.get("loss")):
            updates.setdefault(stage, {})[update] = event["loss"]  # after a resumption the later one counts
        elif event["event"] == "epoch":
            for name in event.keys() - _NO_METRICS:
                if _is_number(event[name]):
                    metrics.setdefault(name, {})[update] = event[name]
    if not updates and not metrics:
        return None
    size = max(1, math.ceil(sum(map(len, updates.values())) / points))
    loss = {stage: _averaged(sorted(values.items()), size) for stage, values in updates.items()}
    return Learning(loss, {name: [*sorted(values.items())] for name, values in sorted(metrics.items())})


def _averaged(points: list[tuple[int, float]], size: int) -> Points:
    """Means of `size` neighbours each."""
    groups = [points[first : first + size] for first in range(0, len(points), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _event(line: str) -> dict[str, Any] | None:
    """The event of a line; None where a run was killed while writing it."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "event" in found else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
