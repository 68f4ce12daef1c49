"""The comparison as Markdown: one table a way of training and a form, with spreads, races and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAMES = {"input": "(a) input", "state": "(b) state", "fusion": "(c) fusion", "semantic": "**(d) semantic**"}
TAG_COLUMNS = ("C-P", "C-R", "C-F1", "O-P", "O-R", "O-F1", "N+")
CAPTION_COLUMNS = ("Bleu_1", "Bleu_4", "ROUGE_L", "CIDEr-D", "distinct", "mean length")
SETS = {
    "path": "the RNN's path",
    "own": "what the model tells (path and concepts)",
    "concepts": "the CNN's own head, tuned threshold",
    "concepts at 0.5": "the CNN's own head at 0.5",
    "concepts top 3": "the CNN's own head, top 3",
}
WAY_TITLES = {
    "fine-tuned": "On one CNN that was fine-tuned with L_u before",
    "end-to-end": "End to end from the ImageNet trunk (the semantic interface with its L_u)",
}


def markdown(results: dict[str, Any]) -> str:
    """All tables, from what `results.json` says."""
    machine = results["machine"]
    lines = [
        f"# {results['recipe']}: four interfaces on {results['data']}",
        "",
        f"{results['pictures']} pictures of split `{results['split']}`, {results['seeds']} seeds; mean and standard "
        f"deviation over the seeds. semreg {machine['semreg']}, torch {machine['torch']}, {machine['machine']}.",
        "",
    ]
    for way, found in results["ways"].items():
        lines += [f"## {WAY_TITLES.get(way, way)}", ""]
        lines += _tags(found["interfaces"]) + _captions(found["interfaces"]) + _race(found["interfaces"])
        lines += _differences(found["differences"])
    return "\n".join(lines)


def _tags(interfaces: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, title in SETS.items():
        rows = {key: found["tags"][name] for key, found in interfaces.items() if name in found.get("tags", {})}
        if rows:
            cells = [
                [NAMES[key], *(_cell(row[c], 1 if c == "N+" else 100, 0 if c == "N+" else 1) for c in TAG_COLUMNS)]
                for key, row in rows.items()
            ]
            if name.startswith("concepts") and len({tuple(row[1:]) for row in cells}) == 1 < len(cells):
                cells = [["the same for all", *cells[0][1:]]]
            lines += [f"Tags, percent: {title}.", "", *_grid(["", *TAG_COLUMNS], cells), ""]
    return lines


def _captions(interfaces: dict[str, Any]) -> list[str]:
    rows = {key: found["captions"] for key, found in interfaces.items() if "captions" in found}
    if not rows:
        return []
    whole = {"distinct", "mean length"}
    cells = [
        [NAMES[key], *(_cell(row[c], 1, 1 if c in whole else 3) for c in CAPTION_COLUMNS)] for key, row in rows.items()
    ]
    return ["Captions.", "", *_grid(["", *CAPTION_COLUMNS], cells), ""]


def _race(interfaces: dict[str, Any]) -> list[str]:
    cells = []
    for key, found in interfaces.items():
        curve = found["curve"]
        if "share of its updates" not in curve:
            return []
        reached = curve["reaches the best baseline's best"]
        cells.append(
            [
                NAMES[key],
                _cell(curve["best"], 1, 4),
                " / ".join("never" if point is None else str(point["updates"]) for point in reached),
                " / ".join("never" if point is None else f"{point['seconds']:.0f}" for point in reached),
                " / ".join("-" if share is None else f"{share:.2f}" for share in curve["share of its updates"]),
            ]
        )
    took = next(iter(interfaces.values()))["curve"]["the best baseline took"]
    head = ["", "best validation metric", "updates to the best baseline's best", "seconds", "share of its updates"]
    told = " / ".join(f"{point['updates']} updates" for point in took)
    return [f"The race, seed by seed; the best baseline took {told}.", "", *_grid(head, cells), ""]


def _differences(differences: dict[str, Any]) -> list[str]:
    cells = []
    for key, found in differences["semantic against"].items():
        cells += [[f"(d) - {NAMES[key]}", metric, *_interval(metric, row)] for metric, row in found.items()]
    for key, found in differences["RNN against the CNN's head"].items():
        for name, rows in found.items():
            title = f"{NAMES[key]}: {name} - tuned head"
            cells += [[title, metric, *_interval(metric, row)] for metric, row in rows.items()]
    if not cells:
        return []
    head = ["difference", "metric", "points", "95 percent interval", "p"]
    return ["Paired bootstrap over the test pictures, means over the seeds.", "", *_grid(head, cells), ""]


def _interval(metric: str, row: dict[str, float]) -> list[str]:
    scale, digits = (1, 3) if metric == "CIDEr-D" else (100, 1)
    low, high = (f"{scale * row[key]:+.{digits}f}" for key in ("low", "high"))
    return [f"{scale * row['difference']:+.{digits}f}", f"{low} to {high}", f"{row['p']:.3f}"]


def _cell(figure: dict[str, Any], scale: float, digits: int) -> str:
    mean = f"{scale * figure['mean']:.{digits}f}"
    return mean if len(figure["values"]) < 2 else f"{mean} ± {scale * figure['spread']:.{digits}f}"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]
