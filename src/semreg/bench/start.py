"""Where the time of a cold start goes: `semreg annotate one.jpg`, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

STAGES = """
import sys, time
began = float(sys.argv[1]); told = [("python", time.time() - began)]
def stage(name):
    told.append((name, time.time() - began))
import semreg.cli; stage("command line")
import numpy; stage("numpy")
import torch; stage("torch")
import semreg.annotator; stage("semreg")
from semreg.cli.options import load_annotator
annotator = load_annotator(None if sys.argv[3] == "-" else sys.argv[3], "cpu", sys.argv[4]); stage("model")
picture = annotator.read_one(sys.argv[2]); stage("picture")
encoding = annotator.encode(picture[None]); stage("CNN")
annotator.tell(encoding, [None]); stage("tags and caption")
import json; print(json.dumps(told))
"""


def cold_start(picture: Path, model: str | None, engine: str, rounds: int = 5) -> dict[str, Any]:
    """Seconds of the whole command (median, least, most), and of its stages (median)."""
    command = [sys.executable, "-m", "semreg", "annotate", str(picture), "--format", "jsonl", "--engine", engine]
    command += ["--model", model] if model else []
    whole, stages = [], []
    for _ in range(rounds + 1):  # one to bring the files into memory
        began = time.time()
        subprocess.run(command, check=True, capture_output=True)
        whole.append(time.time() - began)
        arguments = [repr(time.time()), str(picture), model or "-", engine]
        done = subprocess.run([sys.executable, "-c", STAGES, *arguments], check=True, capture_output=True, text=True)
        stages.append(_differences(json.loads(done.stdout.splitlines()[-1])))
    whole, stages = whole[1:], stages[1:]
    return {
        "seconds": {"median": round(median(whole), 3), "least": round(min(whole), 3), "most": round(max(whole), 3)},
        "stages": {name: round(median(stage[name] for stage in stages), 3) for name in stages[0]},
    }


def _differences(told: list[tuple[str, float]]) -> dict[str, float]:
    found, before = {}, 0.0
    for name, since in told:
        found[name], before = since - before, since
    return found
