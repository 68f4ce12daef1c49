"""A run's log as curves: resumed, cut short, or of no training at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semreg.errors import SemregError
from semreg.report.learning import read_learning


def write(folder: Path, events: list[dict[str, object]], end: str = "") -> Path:
    (folder / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events) + end, "utf-8")
    return folder


def test_the_loss_is_averaged_and_metrics_are_those_of_the_epochs(tmp_path: Path) -> None:
    updates = [{"event": "update", "stage": "1-concepts", "update": n, "loss": float(n)} for n in range(1, 11)]
    epochs = [
        {
            "event": "epoch",
            "stage": "1-concepts",
            "epoch": 1,
            "update": 5,
            "loss": 3.0,
            "metric": 0.2,
            "concept mAP": 0.2,
        },
        {
            "event": "epoch",
            "stage": "1-concepts",
            "epoch": 2,
            "update": 10,
            "loss": 8.0,
            "metric": 0.3,
            "concept mAP": 0.3,
        },
    ]
    found = read_learning(write(tmp_path, [{"event": "run", "time": 1}, *updates, *epochs]), points=5)
    assert found is not None
    assert found.loss == {"1-concepts": [(1.5, 1.5), (3.5, 3.5), (5.5, 5.5), (7.5, 7.5), (9.5, 9.5)]}
    assert found.metrics == {"concept mAP": [(5, 0.2), (10, 0.3)]}
    assert read_learning(tmp_path / "log.jsonl") is not None


def test_a_resumed_run_and_a_line_cut_short(tmp_path: Path) -> None:
    events = [
        {"event": "update", "stage": "s", "update": n, "loss": loss} for n, loss in ((1, 9.0), (2, 8.0), (2, 6.0))
    ]
    events.append({"event": "update", "stage": "s", "update": 3, "loss": "nan"})
    found = read_learning(write(tmp_path, events, end='{"event": "upd'))
    assert found is not None and found.loss == {"s": [(1, 9.0), (2, 6.0)]}


def test_no_training_and_no_log(tmp_path: Path) -> None:
    with pytest.raises(SemregError, match=r"log\.jsonl cannot be read .*pass --run with the folder of a run"):
        read_learning(tmp_path)
    assert read_learning(write(tmp_path, [{"event": "run"}])) is None


def test_a_real_run(run_folder: Path) -> None:
    found = read_learning(run_folder)
    assert found is not None
    assert len(found.loss) == 3 and {"concept mAP", "O-F1", "CIDEr-D"} <= set(found.metrics)
