"""A run over 2,000 pictures that is killed (SIGKILL) at 50 random moments, and continued each time.

    python benchmarks/folders/kill.py

Pictures: crops of the sample photographs as JPEG, PNG, WebP and TIFF; XMP is written into them. In the end every
picture must be annotated exactly once, with the same pixels, no file cut off and none left behind.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

import semreg.annotator  # noqa: F401  so that the forked processes have it
from semreg import cli
from semreg.folders.journal import HIDDEN, NAME
from semreg.metadata import read

KINDS = ("jpg", "png", "webp", "tif")
SAMPLES = Path(__file__).parents[2] / "demo" / "pictures"


def make_pictures(folder: Path, count: int) -> None:
    """Small crops, all different, a hundred a folder."""
    draw = random.Random(0)
    samples = [Image.open(path).convert("RGB") for path in sorted(SAMPLES.glob("*.jpg"))]
    for number in range(count):
        sample = samples[number % len(samples)]
        size = draw.randrange(40, 100)
        left, top = draw.randrange(sample.width - size), draw.randrange(sample.height - size)
        path = folder / f"{number // 100:02}" / f"{number:05}.{KINDS[number % len(KINDS)]}"
        path.parent.mkdir(exist_ok=True)
        sample.crop((left, top, left + size, top + size)).save(path)


def pixels(path: Path) -> str:
    with Image.open(path) as picture:
        return hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and HIDDEN not in path.parts)


def written(folder: Path) -> int:
    """How many writes the journal holds; 0 as long as there is none."""
    try:
        with sqlite3.connect(f"{(folder / HIDDEN / NAME).as_uri()}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM writes WHERE state = 'done'").fetchone()[0])
    except sqlite3.Error:
        return 0


class Process:
    """The command in a process of its own, forked from this one, which has imported everything: it starts at once."""

    def __init__(self, *arguments: str) -> None:
        self.told = tempfile.TemporaryFile()  # noqa: SIM115
        self.status: int | None = None
        self.number = os.fork()
        if self.number == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(self.told.fileno(), 2)
            sys.argv = ["semreg", *arguments]
            try:
                cli.main()
            except SystemExit as end:
                sys.stderr.flush()
                os._exit(int(end.code or 0))
            except BaseException:
                traceback.print_exc()
            os._exit(99)

    def running(self) -> bool:
        """Whether it has not ended by itself."""
        if self.status is None:
            number, status = os.waitpid(self.number, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if number else None
        return self.status is None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.running():
            os.kill(self.number, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])

    def end(self) -> list[str]:
        """Wait for its end; what it told on stderr."""
        while self.running():
            time.sleep(0.01)
        self.told.seek(0)
        return self.told.read().decode().splitlines()


def start(folder: Path, model: str | None) -> Process:
    chosen = ["--model", model] if model else []
    return Process("annotate", str(folder), "--format", "xmp", "--beam", "1", "--batch", "4", *chosen)


def killed_runs(folder: Path, kills: int, count: int, model: str | None, limit: float) -> list[dict[str, Any]]:
    """Start, wait until a write is done, kill a random moment later; until so many kills, or the pictures are done."""
    draw = random.Random(time.time_ns())
    log = []
    began = time.monotonic()
    while len(log) < kills and time.monotonic() - began < limit:
        before = written(folder)
        if before >= count:
            break
        process = start(folder, model)
        # The share of the rest that is to be done by then; and within it a moment of up to a tenth of a second.
        goal = before + draw.randrange(1, max(2, 2 * (count - before) // (kills - len(log) + 1)))
        while process.running() and written(folder) < goal:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.1))
        process.kill()
        if process.status != -signal.SIGKILL:
            break
        temporaries = len(list(folder.rglob("*semreg-tmp*")))
        with sqlite3.connect(folder / HIDDEN / NAME) as database:
            intended = database.execute("SELECT count(*) FROM writes WHERE state = 'intended'").fetchone()[0]
        log.append({"done": written(folder), "left open": intended, "temporaries": temporaries})
    return log


def faults(folder: Path, originals: dict[Path, str]) -> dict[str, int]:
    """What is wrong in the end; all must be 0."""
    found = dict.fromkeys(("missing", "left behind", "other pixels", "cut off", "not annotated", "not exactly once"), 0)
    found["left behind"] = len(set(files(folder)) - set(originals))
    for path, before in originals.items():
        if not path.exists():
            found["missing"] += 1
            continue
        try:
            found["other pixels"] += pixels(path) != before
        except OSError:
            found["cut off"] += 1
        found["not annotated"] += read(path.read_bytes()).machine is None
    with sqlite3.connect(folder / HIDDEN / NAME) as database:
        query = "SELECT count(*) FROM (SELECT target FROM writes GROUP BY target HAVING count(*) <> 1)"
        found["not exactly once"] = database.execute(query).fetchone()[0]
        found["not exactly once"] += abs(len(originals) - database.execute("SELECT count(*) FROM writes").fetchone()[0])
        found["not exactly once"] += database.execute("SELECT count(*) FROM writes WHERE state <> 'done'").fetchone()[0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--model", help="without it the default model")
    parser.add_argument("--seconds", type=float, default=1500, help="no further kill after that")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "results" / "folders" / "kill.json")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve() / "album"
        folder.mkdir()
        make_pictures(folder, arguments.pictures)
        originals = {path: pixels(path) for path in files(folder)}
        data = {path: path.read_bytes() for path in originals}
        log = killed_runs(folder, arguments.kills, arguments.pictures, arguments.model, arguments.seconds)
        last = start(folder, arguments.model)
        told = last.end()
        found = faults(folder, originals)
        undo = Process("undo", "--last", str(folder))
        undo.end()
        same = sum(path.read_bytes() == before for path, before in data.items())
    result = {
        "command": f"python benchmarks/folders/kill.py --pictures {arguments.pictures} --kills {arguments.kills}"
        + (" --model TINY" if arguments.model else ""),
        "python": platform.python_version(),
        "torch": version("torch"),
        "sqlite": sqlite3.sqlite_version,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "seconds": round(time.monotonic() - began),
        "pictures": arguments.pictures,
        "kills": len(log),
        "kills that left writes open": sum(entry["left open"] > 0 for entry in log),
        "kills that left a temporary file": sum(entry["temporaries"] > 0 for entry in log),
        "exit status of the last run": last.status,
        "told by the last run": [line for line in told if str(folder) not in line],
        "faults": found,
        "pictures that are byte for byte what they were after undo": same,
        "exit status of undo": undo.status,
        "after each kill": log,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "after each kill"}, indent=1))
    sys.exit(any(found.values()) or same != arguments.pictures)


if __name__ == "__main__":
    main()
