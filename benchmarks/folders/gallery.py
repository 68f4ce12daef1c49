"""A gallery of 10,000 pictures in a browser, from disk: how long it takes to be there, and to filter.

    python benchmarks/folders/gallery.py --screenshots shots

Pictures: crops of the sample photographs; their tags are drawn by lot, for this is about the page.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image

from semreg.annotation import Annotation, Caption, Tag
from semreg.folders.gallery import write_gallery

SAMPLES = Path(__file__).parents[2] / "demo" / "pictures"
WORDS = ("dog", "cat", "horse", "cow", "giraffe", "person", "table", "clock", "tower", "beach", "snow", "kite", "tree")


def make_pictures(folder: Path, count: int) -> list[Annotation]:
    draw = random.Random(0)
    samples = [(path.stem, Image.open(path).convert("RGB")) for path in sorted(SAMPLES.glob("*.jpg"))]
    told = []
    for number in range(count):
        stem, sample = samples[number % len(samples)]
        width = draw.randrange(200, min(400, sample.width))
        height = min(int(width * draw.choice((0.67, 0.75, 1.3))), sample.height)
        left, top = draw.randrange(sample.width - width + 1), draw.randrange(sample.height - height + 1)
        path = folder / f"{number // 500:02}" / f"{number:05}.jpg"
        path.parent.mkdir(exist_ok=True)
        sample.crop((left, top, left + width, top + height)).save(path, quality=85)
        labels = dict.fromkeys([stem.split("_")[0].rstrip("s"), *draw.choices(WORDS, k=draw.randrange(1, 5))])
        tags = sorted((Tag(label, draw.uniform(0.3, 1)) for label in labels), key=lambda tag: -tag.score)
        caption = Caption(f"a {tags[0].label} standing next to a {tags[-1].label} in a field", -0.6)
        told.append(
            Annotation(path.relative_to(folder).as_posix(), tuple(tags), caption, (caption,), model="drawn by lot")
        )
    return told


def took(page: Any, action: str) -> int:
    """Milliseconds until the page has a new layout."""
    measured = (
        f"const began = performance.now(); {action}; document.body.offsetHeight; return performance.now() - began"
    )
    return round(page.evaluate(f"() => {{ {measured} }}"))


def measure(page_file: Path, shots: Path | None) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    result: dict[str, Any] = {}
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"))
        result["browser"] = f"Chromium {browser.version}"
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(300_000)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        began = time.perf_counter()
        page.goto(page_file.as_uri(), wait_until="domcontentloaded")
        result["processor's load beside it"] = round(os.getloadavg()[0], 1)
        result["seconds until it can be used"] = round(time.perf_counter() - began, 2)
        values = {entry["name"]: entry["value"] for entry in session.send("Performance.getMetrics")["metrics"]}
        result["CPU seconds of the page's main thread until then"] = round(values["TaskDuration"], 2)
        page.wait_for_function("[...document.images].slice(0, 8).every(image => image.complete && image.naturalWidth)")
        result["seconds until the first pictures are there"] = round(time.perf_counter() - began, 2)
        result["milliseconds for a word"] = took(page, "search.value = 'giraffe'; filter()")
        result["shown"] = page.inner_text("#count")
        result["milliseconds for a tag"] = took(
            page, "search.value = ''; document.querySelector('#frequent button').click()"
        )
        result["milliseconds for a least probability"] = took(page, "least.value = 80; filter()")
        result["images loaded so far"] = page.evaluate(
            "[...document.images].filter(image => image.naturalWidth).length"
        )
        result["complaints of the browser"] = complaints
        if shots:
            shots.mkdir(parents=True, exist_ok=True)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(500)
                page.screenshot(path=shots / f"gallery-{scheme}.png")
            page.set_viewport_size({"width": 400, "height": 800})
            page.wait_for_timeout(500)
            page.screenshot(path=shots / "gallery-narrow.png")
        browser.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--screenshots", type=Path)
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parents[1] / "results" / "folders" / "gallery.json"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        told = make_pictures(folder, arguments.pictures)
        page_file = folder / "gallery.html"
        seconds = []
        for _ in range(2):
            began = time.perf_counter()
            write_gallery(told, page_file, base=folder)
            seconds.append(round(time.perf_counter() - began, 1))
        thumbnails = sum(path.stat().st_size for path in (folder / "gallery.thumbnails").rglob("*.jpg"))
        found = measure(page_file, arguments.screenshots)
        result = {
            "command": f"python benchmarks/folders/gallery.py --pictures {arguments.pictures}",
            "python": platform.python_version(),
            "playwright": version("playwright"),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
            "pictures": arguments.pictures,
            "seconds to write": seconds[0],
            "seconds to write again": seconds[1],
            "megabytes of the page": round(page_file.stat().st_size / 1e6, 1),
            "megabytes of the thumbnails": round(thumbnails / 1e6, 1),
            **found,
        }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
