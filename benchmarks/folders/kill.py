"""A run over 2,000 pictures that is killed (SIGKILL) at 50 random moments, and continued each time.

    python benchmarks/folders/kill.py

Pictures: crops of the sample photographs as JPEG, PNG, WebP and TIFF; XMP is written into them. In the end every
picture must be annotated exactly once, with the same pixels, no file cut off and none left behind.

A tenth of the kills fall into the start (settling, loading the model), half at any moment of the work, the rest
while files are being written: between the journal's announcement of a batch and its word that all is done. The
journal is read beside the run; what stood on the disk at each kill is in the log.
"""

from __future__ import annotations

import argparse
import collections
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
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

import semreg.annotator  # noqa: F401  so that the forked processes have it
from semreg import cli
from semreg.folders.database import HIDDEN, NAME
from semreg.folders.place import file_hash
from semreg.metadata import read

BATCH = 20  # pictures that a run does beyond what it is let do, about
RESERVE = 150  # pictures that are left for the last run, lest one of the others comes to its end before its kill
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


class Seen:
    """The folder's journal as another process sees it while the run goes on."""

    def __init__(self, folder: Path) -> None:
        self._journal, self._database = folder / HIDDEN / NAME, None

    def count(self, state: str) -> int:
        """How many writes are in this state; 0 as long as there is no journal."""
        try:
            if self._database is None:
                self._database = sqlite3.connect(f"{self._journal.as_uri()}?mode=ro", uri=True)
            query = "SELECT count(*) FROM writes WHERE state = ?"
            return int(self._database.execute(query, (state,)).fetchone()[0])
        except sqlite3.Error:
            self._database = None
            return 0

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = None


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

    def until(self, reached: Callable[[], bool]) -> float:
        """Wait until something is reached, or the process has ended; how many seconds it took."""
        began = time.monotonic()
        while self.running() and not reached():
            time.sleep(0.0005)
        return time.monotonic() - began

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
    return Process("annotate", str(folder), "--format", "xmp", *chosen)


def aims(kills: int, draw: random.Random) -> list[str]:
    """What each kill aims at, in any order but for the first, which is to see how long the work takes."""
    early, anywhere = kills // 10, kills // 2
    rest = ["start"] * early + ["any moment"] * (anywhere - 1) + ["writing"] * (kills - early - anywhere)
    draw.shuffle(rest)
    return ["any moment", *rest][:kills]


@dataclass
class Pace:
    """How long the steps of a run take, in seconds."""

    first: float = 0  # until the first batch is written
    batch: float = 0  # a batch
    writing: float = 0  # its writing, from the announcement on


def measured(seen: Seen, until: Callable[[Callable[[], bool]], float]) -> Pace:
    """The pace of a run that has just begun."""
    first = until(lambda: seen.count("done") > 0)
    batch = until(lambda: seen.count("intended") > 0)
    writing = until(lambda: seen.count("intended") == 0)
    return Pace(first, batch + writing, writing)


def killed_runs(folder: Path, kills: int, count: int, model: str | None, limit: float) -> list[dict[str, Any]]:
    """Start, kill at a random moment, look at what is there; until so many kills, or the pictures are done."""
    draw, pace = random.Random(time.time_ns()), None
    log: list[dict[str, Any]] = []
    began = time.monotonic()
    for number, aim in enumerate(aims(kills, draw)):
        seen = Seen(folder)
        before = seen.count("done")
        if before >= count or time.monotonic() - began > limit:
            break
        # So many writes are to be done before it: with the batch that follows on average its share of those left.
        share = (count - RESERVE - before) // (kills - number)
        goal = before + draw.randrange(max(1, 2 * (share - BATCH)))
        process = start(folder, model)
        started = time.monotonic()
        pace = pace or measured(seen, process.until)
        if aim == "start":
            time.sleep(draw.uniform(0, pace.first))
        elif aim == "any moment":
            process.until(lambda seen=seen, goal=goal: seen.count("done") >= goal)
            time.sleep(draw.uniform(0, pace.batch if goal > before else pace.first + pace.batch))
        else:
            process.until(lambda seen=seen, goal=goal: seen.count("done") >= goal and seen.count("intended") > 0)
            time.sleep(draw.uniform(0, pace.writing))
        seconds = time.monotonic() - started
        process.kill()
        seen.close()
        if process.status != -signal.SIGKILL:
            break
        found = state(folder)
        log.append({"aim": aim, "seconds": round(seconds, 2), "new": found["done"] - before, **found})
    return log


def state(folder: Path) -> dict[str, int]:
    """What stands on the disk after a kill."""
    with sqlite3.connect(folder / HIDDEN / NAME) as database:
        done = database.execute("SELECT count(*) FROM writes WHERE state = 'done'").fetchone()[0]
        opened = database.execute("SELECT target, after FROM writes WHERE state = 'intended'").fetchall()
    replaced = sum(file_hash(folder / target) == after for target, after in opened)
    temporaries = len(list(folder.rglob("*semreg-tmp*")))
    return {"done": done, "left open": len(opened), "of them replaced": replaced, "temporaries": temporaries}


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
        "kills by aim": dict(collections.Counter(entry["aim"] for entry in log)),
        "kills before anything new was written": sum(entry["new"] == 0 for entry in log),
        "kills that left writes open": sum(entry["left open"] > 0 for entry in log),
        "of them with some files replaced and some not": sum(
            0 < entry["of them replaced"] < entry["left open"] for entry in log
        ),
        "kills that left a temporary file": sum(entry["temporaries"] > 0 for entry in log),
        "pictures done at each kill": [entry["done"] for entry in log],
        "exit status of the last run": last.status,
        "told by the last run": [line for line in told if str(folder) not in line],
        "faults": found,
        "pictures that are byte for byte what they were after undo": same,
        "exit status of undo": undo.status,
        "each kill": log,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "each kill"}, indent=1))
    sys.exit(any(found.values()) or same != arguments.pictures or len(log) < arguments.kills)


if __name__ == "__main__":
    main()
