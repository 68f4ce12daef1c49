"""Memory during a run over 20,000 pictures, and how long a second run over 100,000 takes that finds nothing new.

    python benchmarks/folders/scale.py

The model is replaced by one that says the same of every picture after reading it: this is about everything around it.
Of the 100,000, the first 20,000 are annotated; the others are brought into the journal as if they had been.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image

from semreg.annotation import Annotation, Caption, Tag
from semreg.data.images import read_picture
from semreg.folders.changes import settle
from semreg.folders.database import HIDDEN, NAME
from semreg.folders.journal import Journal
from semreg.folders.labels import Labels
from semreg.folders.library import Library
from semreg.folders.records import Write
from semreg.folders.targets import XmpTarget
from semreg.folders.walk import find_pictures
from semreg.options import Options
from semreg.reading import ahead


class Reader:
    """Reads each picture and says the same of it."""

    name, labels = "reader@1", ("dog", "beach")

    def annotate(self, sources: Iterable[Path], options: Options) -> Iterator[Annotation]:
        for path, _ in ahead(lambda path: (path, read_picture(path).shape), sources, 2 * options.batch_size):
            caption = Caption("a dog on a beach", -0.5)
            tags = (Tag("dog", 0.9), Tag("beach", 0.7))
            yield Annotation(path.as_posix(), tags, caption, (caption,), model=self.name)


def make_pictures(folder: Path, start: int, end: int) -> None:
    for number in range(start, end):
        path = folder / f"{number // 1000:03}" / f"{number:06}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (16, 16), (number % 251, number // 251 % 251, number // 63001)).save(path)


def resident() -> float:
    """Megabytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 1e6, 1)


def run(folder: Path) -> dict[str, object]:
    """One run over the folder, in this process."""
    began, used, memory = time.monotonic(), time.process_time(), []
    with Journal(folder / HIDDEN / NAME) as journal:
        settle(journal)
        library = Library(journal, XmpTarget(), Labels(), Reader.name, "", note=lambda line: None)
        annotator: object = Reader()
        for number, _ in enumerate(library.annotate(find_pictures([folder]), annotator, Options())):  # type: ignore[arg-type]
            if number % 2500 == 0:
                memory.append(resident())
        library.end()
    memory.append(resident())
    counts = library.counts
    found = {"annotated": counts.annotated, "written": counts.written, "unchanged": counts.unchanged}
    seconds = {"seconds": round(time.monotonic() - began, 1), "CPU seconds": round(time.process_time() - used, 1)}
    return {**seconds, **found, "megabytes, every 2,500 pictures": memory}


def add_rows(folder: Path) -> None:
    """Bring the pictures that the journal does not know into it, as if they had been annotated."""
    said = Annotation(None, (Tag("dog", 0.9),), Caption("a dog", -0.5), (), model=Reader.name)
    with Journal(folder / HIDDEN / NAME) as journal:
        library = Library(journal, XmpTarget(), Labels(), Reader.name, "")
        run = journal.begin("annotate", Reader.name, "rows")
        with journal.transaction():
            for found in find_pictures([folder]):
                place, status = found.path.relative_to(folder), found.path.stat()
                if journal.picture(place):
                    continue
                content = place.as_posix().encode()
                number = journal.keep(place, status.st_size, status.st_mtime_ns, content, said, said, library.said_with)
                write = Write(0, run, number, "xmp", place, content, content, status.st_size, status.st_mtime_ns, b"")
                journal.write("done", library.written_with, write)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "results" / "folders" / "scale.json")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(run(arguments.child)))
        return

    def child(folder: Path) -> dict[str, object]:
        command = [sys.executable, __file__, "--child", str(folder)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # type: ignore[no-any-return]

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        make_pictures(folder, 0, arguments.pictures)
        first = child(folder)
        make_pictures(folder, arguments.pictures, arguments.rows)
        add_rows(folder)
        second = child(folder)
        journal = folder / HIDDEN / NAME
        result = {
            "command": "python benchmarks/folders/scale.py",
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
            f"the first {arguments.pictures} pictures": first,
            f"a second run over {arguments.rows} pictures": second,
            "megabytes of the journal": round(journal.stat().st_size / 1e6, 1),
        }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
