"""Whether given tags help to find the others: half of each test picture's true tags given, the other half judged.

    python benchmarks/completion.py corel5k --model runs/corel5k/model

Both sides are judged on the labels that were not given: what the model tells of the picture without them, less the
given ones, and what `Annotator.complete` proposes beside them. Pictures with two known tags or more; which half is
given is drawn by a fixed seed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import semreg
from semreg import Options
from semreg.data.records import of_split, read_records
from semreg.evaluation import tagging_scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results") / "steering")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    annotator = semreg.load(arguments.model)
    place = {label: i for i, label in enumerate(annotator.labels)}
    draw = random.Random(0)
    cases = []
    for record in of_split(read_records(arguments.data), arguments.split):
        known = [tag for tag in record.tags if tag in place]
        if len(known) > 1:
            cases.append((record, draw.sample(known, len(known) // 2), known))
    plain = list(annotator.annotate([record.path for record, _, _ in cases], Options(batch_size=32)))
    true = np.zeros((len(cases), len(place)), dtype=bool)
    tables = {"without": np.zeros_like(true), "with": np.zeros_like(true)}
    for row, ((_, given, known), annotation) in enumerate(zip(cases, plain, strict=True)):
        true[row, [place[tag] for tag in known if tag not in given]] = True
        told = {"without": annotation, "with": annotator.complete(annotation, given)}
        for name, each in told.items():
            tables[name][row, [place[tag.label] for tag in each.tags if tag.label not in given]] = True
    result = {
        "command": f"python benchmarks/completion.py {arguments.data.name} --model MODEL --split {arguments.split}",
        "model": annotator.name,
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "pictures": len(cases),
        "given": sum(len(given) for _, given, _ in cases),
        "to find": int(true.sum()),
    }
    for name, table in tables.items():
        scores = tagging_scores(table, true)
        result[name] = {key: round(float(scores[key]), 4) for key in ("O-P", "O-R", "O-F1", "C-P", "C-R", "C-F1")}
    result["gained, 95 percent of 1000 resamples of the pictures"] = gained(tables, true)
    arguments.output.mkdir(parents=True, exist_ok=True)
    name = "completion" if arguments.split == "test" else f"completion-{arguments.split}"
    (arguments.output / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def gained(tables: dict[str, np.ndarray], true: np.ndarray) -> dict[str, list[float]]:
    """The middle 95 percent of how much the pooled and the per-class F1 gain, over resampled pictures."""
    gains: dict[str, list[float]] = {"O-F1": [], "C-F1": []}
    for rows in np.random.default_rng(0).integers(0, len(true), (1000, len(true))):
        figures = {name: tagging_scores(table[rows], true[rows]) for name, table in tables.items()}
        for key, values in gains.items():
            values.append(figures["with"][key] - figures["without"][key])
    return {key: [round(float(x), 4) for x in np.quantile(values, [0.025, 0.975])] for key, values in gains.items()}


if __name__ == "__main__":
    main()
