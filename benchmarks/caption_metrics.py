"""Time from raw text to BLEU, ROUGE-L, CIDEr and CIDEr-D: semreg and pycocoevalcap in turn, in one run.

    python benchmarks/caption_metrics.py captions_val2017.json

The first caption of each picture is the prediction, the others are its references. pycocoevalcap's time includes its
PTBTokenizer (Java); it has no CIDEr beside CIDEr-D, so it computes one metric less. Needs `pip install semreg[eval]`,
Java, and a pycocoevalcap that may write into its own folder.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from semreg.evaluation import caption_scores

Captions = tuple[list[str], list[list[str]]]


def read(path: Path) -> Captions:
    """Predictions and references from a COCO captions file."""
    groups: dict[int, list[str]] = {}
    for entry in json.loads(path.read_text(encoding="utf-8"))["annotations"]:
        groups.setdefault(entry["image_id"], []).append(entry["caption"])
    kept = [group for group in groups.values() if len(group) > 1]
    return [group[0] for group in kept], [group[1:] for group in kept]


def ours(predictions: list[str], references: list[list[str]]) -> dict[str, float]:
    return caption_scores(predictions, references).corpus


def theirs(predictions: list[str], references: list[list[str]]) -> dict[str, float]:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenizer = PTBTokenizer()
    with contextlib.redirect_stderr(io.StringIO()):
        truth = tokenizer.tokenize({i: [{"caption": c} for c in group] for i, group in enumerate(references)})
        told = tokenizer.tokenize({i: [{"caption": c}] for i, c in enumerate(predictions)})
    bleus = Bleu(4).compute_score(truth, told, verbose=0)[0]
    scores = {f"Bleu_{order}": value for order, value in enumerate(bleus, 1)}
    scores["ROUGE_L"] = float(Rouge().compute_score(truth, told)[0])
    scores["CIDEr-D"] = float(Cider().compute_score(truth, told)[0])
    return scores


def timed(metric: Callable[[list[str], list[list[str]]], dict[str, float]], captions: Captions) -> tuple[float, Any]:
    start = time.perf_counter()
    scores = metric(*captions)
    return time.perf_counter() - start, scores


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("captions", type=Path, help="a COCO captions file")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "metrics")
    arguments = parser.parse_args()
    captions = read(arguments.captions)
    seconds: dict[str, list[float]] = {"semreg": [], "pycocoevalcap": []}
    scores: dict[str, dict[str, float]] = {}
    for _ in range(arguments.repeats):  # in turn, so that other work on the machine slows both alike
        for name, metric in (("semreg", ours), ("pycocoevalcap", theirs)):
            took, scores[name] = timed(metric, captions)
            seconds[name].append(round(took, 3))
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr.split("\n")[0]
    result = {
        "command": f"python benchmarks/caption_metrics.py {arguments.captions.name} --repeats {arguments.repeats}",
        "pictures": len(captions[0]),
        "captions": len(captions[0]) + sum(map(len, captions[1])),
        "seconds": seconds,
        "median seconds": {name: median(values) for name, values in seconds.items()},
        "ratio of medians": round(median(seconds["pycocoevalcap"]) / median(seconds["semreg"]), 2),
        "smallest ratio": round(
            min(b / a for a, b in zip(seconds["semreg"], seconds["pycocoevalcap"], strict=True)), 2
        ),
        "scores": scores,
        "largest difference": max(abs(scores["semreg"][m] - value) for m, value in scores["pycocoevalcap"].items()),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("semreg", "numpy", "pycocoevalcap")},
            "java": java,
        },
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1)
    (arguments.output / f"{arguments.captions.stem}.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
