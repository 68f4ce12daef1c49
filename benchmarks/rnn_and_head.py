"""Does the RNN earn its keep? A model's tags, and its RNN's path, against the concept layer that they rest on.

    python benchmarks/rnn_and_head.py corel5k --model runs/corel5k/model

The layer tells the labels above its own tuned thresholds. Paired bootstrap over the test pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import semreg
from semreg.bench.measure import surroundings
from semreg.data.records import of_split, read_records
from semreg.errors import SemregError
from semreg.evaluate import predict, tag_tables
from semreg.evaluation.bootstrap import compare_tags
from semreg.evaluation.tagging import tagging_scores
from semreg.memory import keep_freed_memory
from semreg.terminal import progress_bar

OUTPUT = Path(__file__).with_name("results") / "corel5k" / "rnn-and-head.json"
FIGURES = ("C-P", "C-R", "C-F1", "O-P", "O-R", "O-F1", "N+")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a folder with metadata.jsonl")
    parser.add_argument("--model", help="model folder; without it the default model")
    parser.add_argument("--split", default="test")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    chosen = parser.parse_args()
    keep_freed_memory()
    records, annotator = of_split(read_records(chosen.data), chosen.split), semreg.load(chosen.model)
    with progress_bar(f"annotating with {annotator.name}", len(records)) as advance:
        said = predict(annotator, records, semreg.Options(), advance)
    tables = tag_tables(annotator, said)
    if tables is None or tables.seen is None:
        raise SemregError(f"{annotator.name} has no concept layer that tells labels: take another model")
    sets = {"own": tables.own, "path": tables.path, "concepts": tables.seen}
    result: dict[str, Any] = {
        **surroundings(f"python benchmarks/rnn_and_head.py {chosen.data.name}"),
        "model": annotator.name,
        "pictures": len(said.records),
        "sets": {},
        "against the concept layer": {},
    }
    for name, told in sets.items():
        scores = tagging_scores(told, tables.true)
        result["sets"][name] = {key: round(float(scores[key]), 4) for key in FIGURES}
    for name in ("own", "path"):
        result["against the concept layer"][name] = {
            metric: {key: round(value, 4) for key, value in asdict(found).items()}
            for metric in ("C-F1", "O-F1")
            for found in [compare_tags([sets[name]], [tables.seen], tables.true, metric)]
        }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
