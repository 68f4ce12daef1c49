"""200 tagged pictures: a tagger that starts from a finished model beside one that starts from the ImageNet trunk.

    python benchmarks/fine_tuning.py corel5k
    python benchmarks/fine_tuning.py corel5k --labels frequent --output benchmarks/results/fine-tuning/frequent.json

The 20 labels are the most frequent of Corel-5k's training part that the model has as concepts, in any form ("birds" is
its *bird*), or the most frequent of all. 200 of the training pictures that have one are written into a folder with a
.txt file beside each, as many tools keep tags, and `recipes/own-tags.yaml` is trained on them twice for each seed, with
and without `--init`; without it, from the ImageNet weights of the same trunk. The seed also draws the pictures. The
test pictures are all 499, with the same 20 labels, and are looked at when both runs are done.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

import semreg as package
from semreg.bench.measure import surroundings
from semreg.data.records import of_split, read_records
from semreg.evaluate import Tags, predict, tag_tables
from semreg.evaluation import mean_average_precision, tagging_scores
from semreg.evaluation.bootstrap import compare_rankings, compare_tags
from semreg.model_config import ModelConfig
from semreg.model_folder import find_model, fingerprint, read_config

RECIPE = Path(__file__).parents[1] / "recipes" / "own-tags.yaml"
STARTS = ("imagenet", "init")
SETS = ("O-F1", "C-F1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="Corel-5k, a folder with metadata.jsonl")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--labels", choices=("known", "frequent"), default="known")
    parser.add_argument("--count", type=int, default=20, help="of the labels")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--init", default="default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the recipe, in both")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/fine-tuning/own-tags.json"))
    chosen = parser.parse_args()
    init = find_model(chosen.init)
    config = read_config(init)
    records = [json.loads(line) for line in (chosen.data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    labels = frequent_labels(records, config if chosen.labels == "known" else None)[: chosen.count]
    starts = {"imagenet": as_in(config), "init": ["--init", str(init)]}
    runs: list[dict[str, Any]] = []
    tables: dict[str, list[Tags]] = {start: [] for start in STARTS}
    for seed in range(chosen.seeds):
        with tempfile.TemporaryDirectory() as folder:
            photos = Path(folder) / "photos"
            write_photos(records, set(labels), chosen.data, photos, chosen.pictures, seed)
            semreg("prepare", "txt", str(photos))
            for start in STARTS:
                changes = [part for change in chosen.set for part in ("--set", change)]
                seconds = train(photos, Path(folder) / start, seed, [*changes, *starts[start]])
                tables[start].append(look(Path(folder) / start / "model", photos, labels))
                runs.append({"start": start, "seed": seed, **figures(tables[start][-1]), "seconds": seconds})
                print(json.dumps(runs[-1]), flush=True)
    settings = [part for change in chosen.set for part in ("--set", change)]
    command = ["python benchmarks/fine_tuning.py corel5k", f"--labels {chosen.labels}", *settings]
    result = {
        **surroundings(" ".join(command)),
        "model": f"{config.name}@{fingerprint(init)}",
        "trunk": config.trunk.name,
        "labels": labels,
        "pictures": chosen.pictures,
        "runs": runs,
        "mean": {start: averages([run for run in runs if run["start"] == start]) for start in STARTS},
        "init minus imagenet": differences(tables, runs),
    }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: result[key] for key in ("mean", "init minus imagenet")}, indent=1))


def frequent_labels(records: Sequence[dict[str, Any]], config: ModelConfig | None) -> list[str]:
    """The training part's labels, frequent ones first; those alone that a model has as concepts, where one is given."""
    counts = Counter(tag for record in records if record["split"] == "train" for tag in record["tags"])
    known = None if config is None else {*config.concepts, *config.forms}
    return [label for label, _ in counts.most_common() if known is None or label in known]


def as_in(config: ModelConfig) -> list[str]:
    """Settings that give a run without --init the model's trunk and size of pictures; its weights are ImageNet's."""
    size = config.preprocessing
    wanted = {"trunk.name": config.trunk.name, "preprocessing.size": size.size, "preprocessing.resize": size.resize}
    return [part for key, value in wanted.items() for part in ("--set", f"{key}={value}")]


def write_photos(
    records: Sequence[dict[str, Any]], labels: set[str], data: Path, folder: Path, count: int, seed: int
) -> None:
    """Pictures with a .txt beside each: `count` of the training part in train, all of the test part in test."""
    usable = [r for r in records if r["split"] == "train" and labels & set(r["tags"])]
    train = random.Random(seed).sample(usable, count)
    test = [r for r in records if r["split"] == "test"]
    for part, chosen in (("train", train), ("test", test)):
        (folder / part).mkdir(parents=True)
        for record in chosen:
            source = data / record["file_name"]
            shutil.copy(source, folder / part / source.name)
            tags = ", ".join(tag for tag in record["tags"] if tag in labels)
            (folder / part / source.name).with_suffix(".txt").write_text(tags + "\n", encoding="utf-8")


def train(photos: Path, run: Path, seed: int, more: Sequence[str]) -> float:
    """Train once; the seconds that it took."""
    began = time.monotonic()
    settings = ["--set", f"seed={seed}", "--set", "data.test=null"]
    semreg("train", str(RECIPE), "--data", str(photos), "--output", str(run), *settings, *more)
    return round(time.monotonic() - began, 1)


def look(model: Path, photos: Path, labels: Sequence[str]) -> Tags:
    """What a model says of the test pictures, with the classes in the order of `labels`."""
    annotator = package.load(model)
    found = tag_tables(annotator, predict(annotator, of_split(read_records(photos), "test")))
    assert found is not None
    columns = [found.labels.index(label) for label in labels]
    own, true, scores, path = (table[:, columns] for table in (found.own, found.true, found.scores, found.path))
    return Tags(tuple(labels), found.unknown, true, own, path, scores, None, None, None)


def figures(tags: Tags) -> dict[str, float]:
    """Of the tags that the model tells at its thresholds, and of its ranking."""
    told = tagging_scores(tags.own, tags.true)
    return {
        **{name: round(told[name], 4) for name in SETS},
        "mAP": round(mean_average_precision(tags.scores, tags.true), 4),
    }


def averages(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Means over the seeds."""
    return {name: round(mean(run[name] for run in runs), 4) for name in (*SETS, "mAP", "seconds")}


def differences(tables: dict[str, list[Tags]], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of each figure: the mean over the seeds with its bootstrap interval over pictures, and the single seeds'."""
    first, second = tables["init"], tables["imagenet"]
    true = first[0].true
    found = {name: compare_tags([t.own for t in first], [t.own for t in second], true, name) for name in SETS}
    # the mean over all runs' classes is the mean over the runs
    side_by_side = [np.concatenate([t.scores for t in runs_], axis=1) for runs_ in (first, second)]
    found["mAP"] = compare_rankings(*side_by_side, np.tile(true, len(first)))
    result: dict[str, Any] = {}
    for name, difference in found.items():
        by_start = {start: [run[name] for run in runs if run["start"] == start] for start in STARTS}
        seeds = [round(a - b, 4) for a, b in zip(by_start["init"], by_start["imagenet"], strict=True)]
        spread = {"deviation": round(stdev(seeds), 4)} if len(seeds) > 1 else {}
        result[name] = {**{k: round(v, 4) for k, v in asdict(difference).items()}, "seeds": seeds, **spread}
    return result


def semreg(*arguments: str) -> None:
    """Run the command; its own words go to the terminal."""
    subprocess.run([sys.executable, "-m", "semreg", *arguments], check=True)


if __name__ == "__main__":
    main()
