"""Whether the probabilities that are shown of concepts mean what they say, on pictures that they were not fitted to.

    python benchmarks/concept_probabilities.py coco18

A concept is true where the labels or the caption of the picture name it. ECE: the distance between a probability and
the share of answers that are true, in 15 bins by the probability, weighted by the answers in each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import semreg
from semreg.data.records import of_split, read_records
from semreg.evaluation import expected_calibration_error, reliability


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, default=None, help="without it the default model")
    parser.add_argument("--split", default="test")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results") / "steering")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    annotator = semreg.load(arguments.model)
    records = of_split(read_records(arguments.data), arguments.split)
    vocabulary, scale = annotator.config.concept_vocabulary(), annotator.config.scale()
    true = np.zeros((len(records), len(vocabulary)), dtype=bool)
    for row, record in enumerate(records):
        true[row, vocabulary.find(record.tags, record.captions)] = True
    batches = annotator.read([record.path for record in records], 32)
    values = torch.cat([annotator.encode(batch.pictures).concepts for batch in batches])
    shown = scale.shown(values).numpy()
    seen = shown >= scale.seen_from.numpy()
    alone = expected_calibration_error(shown[seen][:, None], true[seen][:, None])
    bins = reliability(shown, true, 10)
    result = {
        "command": f"python benchmarks/concept_probabilities.py {arguments.data.name} --split {arguments.split}",
        "model": annotator.name,
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "pictures": len(records),
        "concepts": len(vocabulary),
        "ECE": {
            "the concept layer's own values": round(expected_calibration_error(values.numpy(), true), 4),
            "as shown": round(expected_calibration_error(shown, true), 4),
            "as shown, what counts as seen alone": round(alone, 4),
        },
        "seen": {
            "from": sorted({round(bar, 4) for bar in scale.seen_from.tolist()}),
            "answers": int(seen.sum()),
            "mean probability": round(float(shown[seen].mean()), 4),
            "true": round(float(true[seen].mean()), 4),
        },
        "by tenths of the probability": [
            {"answers": count, "mean probability": round(probability, 4), "true": round(frequency, 4)}
            for count, probability, frequency in zip(
                bins.counts.tolist(), bins.probability.tolist(), bins.frequency.tolist(), strict=True
            )
        ],
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "concepts.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
