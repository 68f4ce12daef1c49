"""The tables of a comparison, from figures made up for them."""

from __future__ import annotations

from typing import Any

from semreg.comparison.summary import TAG_FIGURES, spread
from semreg.comparison.table import markdown


def results(head: dict[str, list[float]]) -> dict[str, Any]:
    """Two interfaces, two seeds; `head` has the values of the concept layer's figures."""

    def row(values: list[float]) -> dict[str, Any]:
        return {key: spread(values) for key in TAG_FIGURES}

    curve = {
        "best": spread([0.5, 0.52]),
        "reaches the best baseline's best": [{"updates": 30, "seconds": 2.5}, None],
        "the best baseline took": [{"updates": 90, "seconds": 7.0}, {"updates": 60, "seconds": 5.0}],
        "share of its updates": [1 / 3, None],
    }
    interfaces = {
        name: {"tags": {"path": row([0.4, 0.5]), "concepts": row(head[name])}, "curve": curve}
        for name in ("state", "semantic")
    }
    difference = {"difference": 0.021, "low": -0.004, "high": 0.05, "p": 0.08}
    differences = {
        "semantic against": {"state": {"C-F1": difference, "CIDEr-D": {**difference, "difference": 0.1234}}},
        "RNN against the CNN's head": {"state": {}, "semantic": {"own": {"O-F1": difference}}},
    }
    machine = {"semreg": "1", "torch": "2", "machine": "a machine"}
    way = {"interfaces": interfaces, "differences": differences}
    facts = {"recipe": "r", "data": "d", "split": "test", "pictures": 7, "seeds": 2}
    return {**facts, "machine": machine, "ways": {"fine-tuned": way}}


def test_figures_races_and_intervals_are_told() -> None:
    text = markdown(results({"state": [0.3, 0.3], "semantic": [0.2, 0.2]}))
    assert "| **(d) semantic** | 45.0 ± 7.1 |" in text
    assert "30 / never | 2 / never | 0.33 / - |" in text and "took 90 updates / 60 updates" in text
    assert "| (d) - (b) state | C-F1 | +2.1 | -0.4 to +5.0 | 0.080 |" in text
    assert "| (d) - (b) state | CIDEr-D | +0.123 | -0.004 to +0.050 | 0.080 |" in text
    assert "| **(d) semantic**: own - tuned head | O-F1 | +2.1 |" in text


def test_a_head_that_all_share_is_told_once() -> None:
    shared = markdown(results({"state": [0.3, 0.3], "semantic": [0.3, 0.3]}))
    own = markdown(results({"state": [0.3, 0.3], "semantic": [0.2, 0.2]}))
    assert shared.count("30.0 ± 0.0") == 6 and "| the same for all | 30.0" in shared
    assert "the same for all" not in own and "20.0 ± 0.0" in own
