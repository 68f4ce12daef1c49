"""Runs to figures: means and spreads over the seeds, who got there first, and which differences are no chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from semreg.comparison.curves import Curve, race
from semreg.comparison.outcome import Outcome
from semreg.evaluation import tagging_scores
from semreg.evaluation.bootstrap import compare_means, compare_tags

TAG_FIGURES = ("C-P", "C-R", "C-F1", "C-F1 mean", "O-P", "O-R", "O-F1", "N+")
CAPTION_FIGURES = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr-D", "distinct", "mean length")
COMPARED = ("C-F1", "O-F1")  # tag metrics whose differences are tested
METHOD = "semantic"


@dataclass(frozen=True)
class Run:
    """One finished variant."""

    way: str
    interface: str
    seed: int
    outcome: Outcome
    curve: Curve


def summarise(runs: Sequence[Run]) -> dict[str, Any]:
    """The figures of one way of training.

    Args:
        runs: of all interfaces, each with the same seeds.

    Returns:
        `interfaces`: for each the figures of its tag sets and captions, `mean`, `spread` (the standard deviation
        over the seeds) and `values`; `curve`: best values and what the race took. `differences`: of the semantic
        interface against each other, and of each interface's tags against the CNN's own head, with bootstrap
        intervals, where there are such.
    """
    by_interface: dict[str, list[Run]] = {}
    for run in runs:
        by_interface.setdefault(run.interface, []).append(run)
    baselines = [[run.curve for run in group] for name, group in by_interface.items() if name != METHOD]
    return {
        "interfaces": {
            name: {
                **_figures([run.outcome for run in group]),
                "curve": _curve([run.curve for run in group], baselines),
            }
            for name, group in by_interface.items()
        },
        "differences": {
            "semantic against": _against(by_interface),
            "RNN against the CNN's head": {name: _rnn_against_head(group) for name, group in by_interface.items()},
        },
    }


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Mean and standard deviation (of the sample; 0 for one value), and the values themselves."""
    array = np.asarray(values, dtype=np.float64)
    deviation = float(array.std(ddof=1)) if len(array) > 1 else 0.0
    return {"mean": float(array.mean()), "spread": deviation, "values": array.tolist()}


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    true = outcomes[0].true
    if true is not None:
        result["tags"] = {}
        for name in outcomes[0].tags:
            scores = [tagging_scores(found.tags[name], true) for found in outcomes]
            result["tags"][name] = {key: spread([row[key] for row in scores]) for key in TAG_FIGURES}
        for key in ("mAP", "concept mAP"):
            if key in outcomes[0].figures["tags"]:
                result[key] = spread([found.figures["tags"][key] for found in outcomes])
    if "captions" in outcomes[0].figures:
        rows = [found.figures["captions"] for found in outcomes]
        result["captions"] = {key: spread([float(row[key]) for row in rows]) for key in CAPTION_FIGURES}
    return result


def _curve(curves: Sequence[Curve], baselines: Sequence[Sequence[Curve]]) -> dict[str, Any]:
    result: dict[str, Any] = {"best": spread([curve.best for curve in curves])}
    if baselines:
        reached = race(curves, baselines)
        bests = [max((runs[seed] for runs in baselines), key=lambda c: c.best) for seed in range(len(curves))]
        took = [curve.reaches(curve.best) for curve in bests]
        result["reaches the best baseline's best"] = [
            None if found is None else {"updates": found[0], "seconds": round(found[1], 1)} for found in reached
        ]
        result["the best baseline took"] = [
            {"updates": found[0], "seconds": round(found[1], 1)} for found in took if found is not None
        ]
        result["share of its updates"] = [
            None if found is None or theirs is None or not theirs[0] else found[0] / theirs[0]
            for found, theirs in zip(reached, took, strict=True)
        ]
    return result


def _against(groups: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    if METHOD not in groups:
        return {}
    return {
        name: _differences(groups[METHOD], group, "path", "path") | _captions(groups[METHOD], group)
        for name, group in groups.items()
        if name != METHOD
    }


def _rnn_against_head(group: Sequence[Run]) -> dict[str, Any]:
    """The RNN's path, and the tags told, against the same CNN's concept layer at its tuned threshold."""
    if "concepts" not in group[0].outcome.tags:
        return {}
    return {name: _differences(group, group, name, "concepts") for name in ("path", "own")}


def _differences(first: Sequence[Run], second: Sequence[Run], mine: str, theirs: str) -> dict[str, Any]:
    true = first[0].outcome.true
    if true is None:
        return {}
    one, other = [run.outcome.tags[mine] for run in first], [run.outcome.tags[theirs] for run in second]
    result = {metric: asdict(compare_tags(one, other, true, metric)) for metric in COMPARED}
    if mine == "path" == theirs:  # between interfaces: also of what the whole model tells
        one, other = ([run.outcome.tags["own"] for run in runs] for runs in (first, second))
        result |= {f"{metric} of own": asdict(compare_tags(one, other, true, metric)) for metric in COMPARED}
    return result


def _captions(first: Sequence[Run], second: Sequence[Run]) -> dict[str, Any]:
    one, other = ([run.outcome.cider_d for run in runs] for runs in (first, second))
    scores = [[values for values in runs if values is not None] for runs in (one, other)]
    return {"CIDEr-D": asdict(compare_means(scores[0], scores[1]))} if scores[0] and scores[1] else {}
