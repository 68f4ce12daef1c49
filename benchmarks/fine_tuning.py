"""200 tagged pictures: a tagger that starts from a finished model beside one that starts from the ImageNet trunk.

    python benchmarks/fine_tuning.py corel5k

Takes the 20 labels of Corel-5k that are most frequent in its training part, writes 200 of the training pictures that
have one into a folder with a .txt file beside each, as many tools keep tags, and trains `recipes/own-tags.yaml` twice
for each seed, with and without `--init`. The test pictures are all 499, with the same 20 labels.
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
from pathlib import Path
from statistics import mean
from typing import Any

from semreg.bench.measure import surroundings

RECIPE = Path(__file__).parents[1] / "recipes" / "own-tags.yaml"
FIGURES = ("C-F1", "O-F1", "N+")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="Corel-5k, a folder with metadata.jsonl")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--init", default="default")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/fine-tuning/own-tags.json"))
    chosen = parser.parse_args()
    records = [json.loads(line) for line in (chosen.data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    counts = Counter(tag for record in records if record["split"] == "train" for tag in record["tags"])
    labels = sorted(label for label, _ in counts.most_common(chosen.labels))
    runs: list[dict[str, Any]] = []
    for seed in range(chosen.seeds):
        with tempfile.TemporaryDirectory() as folder:
            photos = Path(folder) / "photos"
            write_photos(records, set(labels), chosen.data, photos, chosen.pictures, seed)
            semreg("prepare", "txt", str(photos))
            for start in ("imagenet", "init"):
                runs.append(train(photos, Path(folder) / start, seed, chosen.init if start == "init" else None))
                print(json.dumps(runs[-1]), flush=True)
    result = {
        **surroundings("python benchmarks/fine_tuning.py corel5k"),
        "labels": labels,
        "pictures": chosen.pictures,
        "runs": runs,
        "mean": {start: averages([run for run in runs if run["start"] == start]) for start in ("imagenet", "init")},
    }
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["mean"], indent=1))


def write_photos(
    records: list[dict[str, Any]], labels: set[str], data: Path, folder: Path, count: int, seed: int
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


def train(photos: Path, run: Path, seed: int, init: str | None) -> dict[str, Any]:
    """Train once, and what the log says of the test pictures."""
    began = time.monotonic()
    more = [] if init is None else ["--init", init]
    semreg("train", str(RECIPE), "--data", str(photos), "--output", str(run), "--set", f"seed={seed}", *more)
    seconds = time.monotonic() - began
    told = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    tags = next(event for event in told if event["event"] == "test")["result"]["tags"]
    figures = {name: tags["sets"]["own"][name] for name in FIGURES}
    start = "imagenet" if init is None else "init"
    return {"start": start, "seed": seed, **figures, "mAP": tags["mAP"], "seconds": round(seconds, 1)}


def averages(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Means over the seeds."""
    return {name: round(mean(run[name] for run in runs), 4) for name in (*FIGURES, "mAP", "seconds")}


def semreg(*arguments: str) -> None:
    """Run the command; its own words go to the terminal."""
    subprocess.run([sys.executable, "-m", "semreg", *arguments], check=True)


if __name__ == "__main__":
    main()
