"""Learning curves from logs, and the race between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semreg.comparison.curves import Curve, race, read_curve
from semreg.errors import SemregError

CURVE = Curve((0, 10, 20, 30), (0.0, 1.0, 2.0, 3.0), (0.1, 0.5, 0.4, 0.6))


def test_a_curve_begins_at_its_first_look(tmp_path: Path) -> None:
    events = [
        {"event": "run", "name": "x"},
        {"event": "epoch", "update": 0, "seconds": 62.5, "metric": 0.1},
        {"event": "update", "update": 1, "loss": 3.0},
        {"event": "epoch", "update": 10, "seconds": 64.0, "metric": 0.5},
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    assert read_curve(tmp_path / "log.jsonl") == Curve((0, 10), (0.0, 1.5), (0.1, 0.5))


def test_reaching_is_the_first_point_that_is_as_good() -> None:
    assert CURVE.best == 0.6
    assert CURVE.reaches(0.45) == (10, 1.0)
    assert CURVE.reaches(0.5) == (10, 1.0)
    assert CURVE.reaches(0.55) == (30, 3.0)
    assert CURVE.reaches(0.61) is None


def test_the_race_is_against_the_best_baseline_of_the_same_seed() -> None:
    slow, good, hopeless = (Curve((0, 5), (0.0, 1.0), (0.0, value)) for value in (0.3, 0.5, 0.9))
    assert race([CURVE, CURVE], [[slow, slow], [good, hopeless]]) == [(10, 1.0), None]


@pytest.mark.parametrize("text", ["", '{"event": "run"}', "no JSON", '{"event": "epoch", "update": 3}'])
def test_what_is_no_finished_log_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(SemregError, match=r"log\.jsonl"):
        read_curve(tmp_path / "log.jsonl")
    with pytest.raises(SemregError, match="is not the log of a run"):
        read_curve(tmp_path / "missing.jsonl")
