"""Time of the CNN with and without freed memory being kept (`semreg.memory`), in turn, in processes of their own.

    python benchmarks/freed_memory.py

The trunk lite0 at 224 pixels, batch 32: a look at pictures, and an update with its first four parts fixed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

BATCH = 32
CASES = ("look", "update")


def measure(keep: bool, rounds: int) -> dict[str, float]:
    """Median seconds a picture, in this process."""
    import torch

    from semreg.memory import keep_freed_memory
    from semreg.model.trunks import build_trunk, freeze

    if keep and not keep_freed_memory():
        raise SystemExit("this C library cannot be told to keep memory")
    trunk = build_trunk("lite0", pretrained=True, folded=True)
    pictures = torch.randint(0, 256, (BATCH, 3, 224, 224), dtype=torch.uint8)

    def look() -> None:
        with torch.inference_mode():
            trunk(pictures)

    def update() -> None:
        freeze(trunk, 4)
        trunk(pictures).square().mean().backward()

    result = {}
    for name, work in zip(CASES, (look, update), strict=True):
        times = []
        for _ in range(rounds + 2):  # two to warm up
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        result[name] = median(times[2:]) / BATCH
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results") / "memory" / "lite0.json")
    parser.add_argument("--child", choices=["keep", "return"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments.child == "keep", arguments.rounds)))
        return
    found: dict[str, list[dict[str, float]]] = {"keep": [], "return": []}
    for _ in range(arguments.repeats):
        for word, runs in found.items():
            command = [sys.executable, __file__, "--child", word, "--rounds", str(arguments.rounds)]
            runs.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    figures = {
        case: {
            "pictures a second, memory kept": round(1 / median(run[case] for run in found["keep"]), 1),
            "pictures a second, memory returned": round(1 / median(run[case] for run in found["return"]), 1),
            "ratio": round(median(b[case] / a[case] for a, b in zip(found["keep"], found["return"], strict=True)), 2),
        }
        for case in CASES
    }
    surroundings = {
        "command": "python benchmarks/freed_memory.py",
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "repeats": arguments.repeats,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps({**surroundings, **figures}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
