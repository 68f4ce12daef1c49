"""One model against another on the same test pictures: objects, concepts and captions, by paired bootstrap.

    python benchmarks/two_models.py coco18 --second OLD_MODEL

Objects are the data set's labels, concepts all that both models have and the pictures' labels or captions name; both
are ranked by the concept layer and judged by mean average precision. Captions are judged by CIDEr-D.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import semreg
from semreg.bench.measure import surroundings
from semreg.data.records import of_split, read_records
from semreg.evaluate import Predictions, predict
from semreg.evaluation import caption_scores, mean_average_precision
from semreg.evaluation.bootstrap import Difference, compare_means, compare_rankings
from semreg.memory import keep_freed_memory
from semreg.terminal import progress_bar

OUTPUT = Path(__file__).with_name("results") / "coco18" / "two-models.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a folder with metadata.jsonl")
    parser.add_argument("--first", help="model folder; without it the default model")
    parser.add_argument("--second", required=True, help="model folder")
    parser.add_argument("--split", default="test")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    chosen = parser.parse_args()
    keep_freed_memory()
    records = of_split(read_records(chosen.data), chosen.split)
    annotators = [semreg.load(folder) for folder in (chosen.first, chosen.second)]
    said: list[Predictions] = []
    for annotator in annotators:
        with progress_bar(f"annotating with {annotator.name}", len(records)) as advance:
            said.append(predict(annotator, records, semreg.Options(), advance))
    vocabularies = [annotator.config.concept_vocabulary() for annotator in annotators]
    shared = sorted(set(annotators[0].concepts) & set(annotators[1].concepts))
    objects = [name for name in shared if any(name in record.tags for record in records)]
    true = np.zeros((len(records), len(vocabularies[0])), dtype=bool)
    for row, record in enumerate(said[0].records):
        true[row, vocabularies[0].find(record.tags, record.captions)] = True
    place = {name: column for column, name in enumerate(annotators[0].concepts)}
    result: dict[str, Any] = {
        **surroundings(f"python benchmarks/two_models.py {chosen.data.name} --second {annotators[1].name}"),
        "models": [annotator.name for annotator in annotators],
        "beams": [predictions.beams for predictions in said],
        "pictures": len(said[0].records),
    }
    for group, names in (("objects", objects), ("concepts", shared)):
        scores = [
            predictions.concepts[:, [annotator.concepts.index(name) for name in names]]
            for annotator, predictions in zip(annotators, said, strict=True)
        ]
        wanted = true[:, [place[name] for name in names]]
        result[group] = {
            "names": len(names),
            "mAP": [round(mean_average_precision(values, wanted), 4) for values in scores],
            **difference(compare_rankings(*scores, wanted)),
        }
    result["captions"] = captions(said)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    json.dump(result, sys.stdout, indent=1)


def captions(said: list[Predictions]) -> dict[str, Any]:
    """CIDEr-D of both, and whether the first model's captions are of use: varied, none empty, none cut off."""
    references = [list(record.captions) for record in said[0].records]
    told = [predictions.captions or [] for predictions in said]
    found = [caption_scores(sentences, references) for sentences in told]
    apart = compare_means(*([scores.per_picture["CIDEr-D"]] for scores in found))
    return {
        "CIDEr-D": [round(scores.corpus["CIDEr-D"], 4) for scores in found],
        **difference(apart),
        "distinct": [len(set(sentences)) for sentences in told],
        "empty": [sum(not sentence for sentence in sentences) for sentences in told],
        "cut off": [sum(not ended for ended in predictions.ended or []) for predictions in said],
    }


def difference(found: Difference) -> dict[str, Any]:
    """Rounded, for the log."""
    return {name: round(value, 4) for name, value in asdict(found).items()}


if __name__ == "__main__":
    main()
