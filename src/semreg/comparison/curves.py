"""Learning curves from the logs of runs: the validation metric against updates and seconds, and who got where first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from semreg.errors import SemregError


@dataclass(frozen=True)
class Curve:
    """How one run's validation metric went, one point an epoch, the start included.

    Attributes:
        updates: of the weights, since the run began.
        seconds: of training and validation, since the first look at the validation pictures.
        values: the metric that the run's stages maximise: the mean of both F1 of the path, CIDEr-D, or their mean.
    """

    updates: tuple[int, ...]
    seconds: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def best(self) -> float:
        """The highest value."""
        return max(self.values)

    def reaches(self, value: float) -> tuple[int, float] | None:
        """Updates and seconds at the first point that is at least `value`; None where none is."""
        for updates, seconds, found in zip(self.updates, self.seconds, self.values, strict=True):
            if found >= value:
                return updates, seconds
        return None


def read_curve(log: Path) -> Curve:
    """The curve of a run from its `log.jsonl`.

    Raises:
        SemregError: the file is missing, is none of a run, or the run has not finished an epoch.
    """
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
        events = [json.loads(line) for line in lines]
        epochs = [event for event in events if event["event"] == "epoch"]
        points = {event["update"]: (float(event["seconds"]), float(event["metric"])) for event in epochs}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SemregError(f"{log} is not the log of a run ({error}): train the variant anew") from None
    if not points:
        raise SemregError(f"{log} has no epoch: finish the run first")
    updates = tuple(sorted(points))
    began = points[updates[0]][0]
    return Curve(updates, tuple(points[u][0] - began for u in updates), tuple(points[u][1] for u in updates))


def race(curves: Iterable[Curve], baselines: Iterable[Iterable[Curve]]) -> list[tuple[int, float] | None]:
    """When each curve first reaches the best value of the best baseline with the same seed.

    Args:
        curves: of one interface, seed by seed.
        baselines: for each baseline its curves, seed by seed.
    """
    rivals: Sequence[Sequence[Curve]] = [list(runs) for runs in baselines]
    return [curve.reaches(max(runs[seed].best for runs in rivals)) for seed, curve in enumerate(curves)]
