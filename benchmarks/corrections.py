"""What 20 corrections on one concept gain on other pictures of the same kind, and what they cost elsewhere.

    python benchmarks/corrections.py corel5k coco18

The default model learnt from COCO photographs. Corel-5k's are other pictures: its tags correct the model. For each
concept that 20 of 500 of its training pictures correct, a copy of the model learns from these 20 (the truth of that one
concept; the rest of each record is what the model saw), as `semreg train --init MODEL --data CORRECTIONS` does. Judged
on Corel-5k's test pictures (the concept), and on the test pictures of the model's own kind (all concepts).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semreg.annotator import Annotator
from semreg.data.records import Record, of_split, read_records
from semreg.evaluation import mean_average_precision, tagging_scores
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_folder import DEFAULT_MODEL, load_model
from semreg.training.corrections import learn_corrections

CORRECTIONS, POOL, POSITIVES = 20, 500, 10


def look(annotator: Annotator, records: Sequence[Record]) -> tuple[Tensor, np.ndarray]:
    """Features (N, D), and which concepts each picture has (N, K)."""
    vocabulary = annotator.config.concept_vocabulary()
    batches = annotator.read([record.path for record in records], 32)
    features = torch.cat([annotator.encode(batch.pictures).features for batch in batches]).clone()
    truth = np.zeros((len(records), len(vocabulary)), dtype=bool)
    for row, record in enumerate(records):
        truth[row, vocabulary.find([vocabulary.forms.get(t, t) for t in record.tags], record.captions)] = True
    return features, truth


def write(folder: Path, annotator: Annotator, cases: Sequence[tuple[Record, np.ndarray, bool]], concept: int) -> None:
    """A folder of corrections: what the model saw (from its thresholds on), with one concept put right."""
    folder.mkdir()
    lines = []
    for record, seen, right in cases:
        has = seen.copy()
        has[concept] = right
        tags = [annotator.concepts[k] for k in np.flatnonzero(has)]
        lines.append(json.dumps({"file_name": str(record.path.absolute()), "tags": tags}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(new: Path, old: Path) -> dict[str, Any]:
    annotator = Annotator.load(DEFAULT_MODEL)
    thresholds = np.array(annotator.config.concept_thresholds())
    draw = random.Random(0)
    pool = draw.sample(of_split(read_records(new), "train"), POOL)
    own = of_split(read_records(old), "test")[:500]
    seen, judged, kept = (look(annotator, each) for each in (pool, of_split(read_records(new), "test"), own))

    def scores(model: CnnRnn, features: Tensor) -> np.ndarray:
        with torch.no_grad():
            return torch.cat([model.recognise(some).concepts for some in features.split(500)]).numpy()

    old_model = annotator.model
    above = scores(old_model, seen[0]) >= thresholds
    before, before_kept = scores(old_model, judged[0]), scores(old_model, kept[0])
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for k, name in enumerate(annotator.concepts):
            wrong = np.flatnonzero(above[:, k] != seen[1][:, k])[:CORRECTIONS]
            if len(wrong) < CORRECTIONS or seen[1][:, k].sum() < POSITIVES or judged[1][:, k].sum() < POSITIVES:
                continue
            folder = Path(work) / str(k)
            write(folder, annotator, [(pool[i], above[i], bool(seen[1][i, k])) for i in wrong], k)
            model, _ = load_model(learn_corrections(DEFAULT_MODEL, folder, Path(work) / f"run{k}"))
            after, after_kept = scores(model, judged[0]), scores(model, kept[0])
            cut, one = slice(k, k + 1), judged[1][:, k : k + 1]
            others = [c for c in range(len(thresholds)) if c != k]
            rows.append(
                {
                    "concept": name,
                    "missed, of the 20": int(seen[1][wrong, k].sum()),
                    "test pictures with it": int(one.sum()),
                    "AP": [ap(before[:, cut], one), ap(after[:, cut], one)],
                    "F1": [f1(before[:, cut] >= thresholds[k], one), f1(after[:, cut] >= thresholds[k], one)],
                    "own kind, mAP of all concepts": [ap(before_kept, kept[1]), ap(after_kept, kept[1])],
                    "own kind, O-F1 of all concepts": [
                        f1(before_kept >= thresholds, kept[1]),
                        f1(after_kept >= thresholds, kept[1]),
                    ],
                    "other concepts on the test pictures, largest change of a score": round(
                        float(np.abs(after[:, others] - before[:, others]).max()), 4
                    ),
                }
            )
    mean = {key: [round(float(x), 4) for x in np.mean([row[key] for row in rows], 0)] for key in list(rows[0])[3:7]}
    worse = {
        key: round(max(1 - row[key][1] / row[key][0] for row in rows), 4)
        for key in ("own kind, mAP of all concepts", "own kind, O-F1 of all concepts")
    }
    better = {key: sum(row[key][1] > row[key][0] for row in rows) for key in ("AP", "F1")}
    return {
        "concepts": len(rows),
        "mean, before and after": mean,
        "concepts that got better": better,
        "largest relative loss": worse,
        "rows": rows,
    }


def ap(scores: np.ndarray, true: np.ndarray) -> float:
    return round(float(mean_average_precision(scores, true)), 4)


def f1(told: np.ndarray, true: np.ndarray) -> float:
    return round(float(tagging_scores(told, true)["O-F1"]), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new", type=Path, help="data set that corrects")
    parser.add_argument("old", type=Path, help="data set of the kind that the model learnt from")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results") / "steering")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    result = {
        "command": f"python benchmarks/corrections.py {arguments.new.name} {arguments.old.name}",
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        **measure(arguments.new, arguments.old),
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    (arguments.output / "corrections.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
